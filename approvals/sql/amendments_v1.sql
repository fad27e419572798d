-- Rules, roles, groups and the persons behind logins are changed by two people: an amendment is proposed by one and agreed
-- to by another, and the agreement itself, in the database, does what it says. Nothing else of the application can.

CREATE FUNCTION custody.amendment_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'proposed' OR NEW.decided_person_id IS NOT NULL THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'custody: an amendment begins as a proposal';
    END IF;
    NEW.created_at := clock_timestamp();
    NEW.subject_person_id := coalesce(
      (SELECT a.person_id FROM public.access_account a WHERE a.user_id = (NEW.payload ->> 'user')::bigint),
      (NEW.payload ->> 'person')::bigint);
    RETURN NEW;
  END IF;
  IF (OLD.kind, OLD.payload, OLD.evidence, OLD.reason, OLD.author_person_id, OLD.subject_person_id, OLD.created_at, OLD.expires_at)
     IS DISTINCT FROM
     (NEW.kind, NEW.payload, NEW.evidence, NEW.reason, NEW.author_person_id, NEW.subject_person_id, NEW.created_at, NEW.expires_at) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: an amendment is not rewritten';
  END IF;
  IF OLD.state <> 'proposed' THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: an amendment that is %s stays so', OLD.state);
  END IF;
  NEW.decided_at := clock_timestamp();
  IF NEW.state = 'agreed' THEN
    IF OLD.expires_at <= clock_timestamp() THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'custody: this amendment has expired';
    END IF;
    IF NOT custody.may_agree(NEW.tenant_id, NEW.decided_user_id, NEW.decided_person_id) THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('custody: login %s may not agree to amendments', NEW.decided_user_id);
    END IF;
    IF NEW.decided_person_id = (OLD.payload ->> 'person')::bigint THEN
      RAISE insufficient_privilege USING MESSAGE = 'custody: nobody agrees to a login of their own';
    END IF;
  END IF;
  RETURN NEW;
END $f$;
CREATE TRIGGER custody_step BEFORE INSERT OR UPDATE ON public.approvals_amendment
  FOR EACH ROW EXECUTE FUNCTION custody.amendment_step();
ALTER TABLE public.approvals_amendment ENABLE ALWAYS TRIGGER custody_step;

CREATE FUNCTION custody.may_agree(tenant integer, login bigint, person bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT EXISTS (
    SELECT FROM public.access_account a JOIN public.auth_user u ON u.id = a.user_id AND u.is_active
      JOIN public.auth_user_groups m ON m.user_id = a.user_id
      JOIN public.auth_group g ON g.id = m.group_id AND g.name IN ('approver', 'administrator')
     WHERE a.user_id = may_agree.login AND a.person_id = may_agree.person AND a.tenant_id = may_agree.tenant)
$f$;

CREATE FUNCTION custody.enact() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  login bigint := (NEW.payload ->> 'user')::bigint;
  the_person bigint := (NEW.payload ->> 'person')::bigint;
BEGIN
  IF NEW.kind IN ('role', 'person') AND EXISTS (
      SELECT FROM public.access_account a WHERE a.user_id = login AND a.tenant_id IS DISTINCT FROM NEW.tenant_id) THEN
    RAISE insufficient_privilege USING MESSAGE = format('custody: login %s belongs to another tenant', login);
  END IF;
  CASE NEW.kind
    WHEN 'rules' THEN
      LOCK TABLE public.approvals_ruleversion IN SHARE ROW EXCLUSIVE MODE;
      INSERT INTO public.approvals_ruleversion (tenant_id, number, rules, amendment_id, author_person_id, author_name)
      SELECT NEW.tenant_id, coalesce(max(v.number), 0) + 1, NEW.payload -> 'rules', NEW.id, NEW.author_person_id, NEW.author_name
        FROM public.approvals_ruleversion v WHERE v.tenant_id = NEW.tenant_id;
    WHEN 'role' THEN
      IF NOT EXISTS (SELECT FROM public.access_account a WHERE a.user_id = login) THEN
        RAISE integrity_constraint_violation USING MESSAGE = format('custody: login %s belongs to no person', login);
      END IF;
      IF (NEW.payload ->> 'holds')::boolean THEN
        INSERT INTO public.auth_user_groups (user_id, group_id)
        SELECT login, g.id FROM public.auth_group g WHERE g.name = NEW.payload ->> 'group' ON CONFLICT DO NOTHING;
      ELSE
        DELETE FROM public.auth_user_groups m USING public.auth_group g
         WHERE m.user_id = login AND g.id = m.group_id AND g.name = NEW.payload ->> 'group';
      END IF;
    WHEN 'group' THEN
      INSERT INTO public.auth_group (name) VALUES (NEW.payload ->> 'name') ON CONFLICT DO NOTHING;
    WHEN 'person' THEN
      IF the_person IS NULL THEN
        INSERT INTO public.access_person (name) VALUES (NEW.payload ->> 'name') RETURNING id INTO the_person;
      END IF;
      INSERT INTO public.access_account (user_id, person_id, tenant_id) VALUES (login, the_person, NEW.tenant_id)
      ON CONFLICT (user_id) DO UPDATE SET person_id = excluded.person_id;
  END CASE;
  RETURN NULL;
END $f$;
CREATE TRIGGER custody_enact AFTER UPDATE ON public.approvals_amendment FOR EACH ROW
  WHEN (OLD.state = 'proposed' AND NEW.state = 'agreed') EXECUTE FUNCTION custody.enact();
ALTER TABLE public.approvals_amendment ENABLE ALWAYS TRIGGER custody_enact;

-- Who holds which role, and who a login is: written by an agreed amendment or by the owner. An installation whose roles come
-- from elsewhere is opened for that by the owner (`manage.py provisioning --open`).
CREATE FUNCTION custody.by_amendment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
     AND NOT EXISTS (SELECT FROM public.approvals_house h WHERE h.provisioning) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: %s is changed by an amendment that another person agrees to', TG_TABLE_NAME),
      HINT = 'Propose it on the page “Roles and rules”, or let the owner''s login do it.';
  END IF;
  RETURN coalesce(NEW, OLD);
END $f$;
CREATE TRIGGER custody_by_amendment BEFORE INSERT OR UPDATE OR DELETE ON public.auth_user_groups
  FOR EACH ROW EXECUTE FUNCTION custody.by_amendment();
ALTER TABLE public.auth_user_groups ENABLE ALWAYS TRIGGER custody_by_amendment;
CREATE TRIGGER custody_by_amendment BEFORE INSERT OR UPDATE OR DELETE ON public.auth_group
  FOR EACH ROW EXECUTE FUNCTION custody.by_amendment();
ALTER TABLE public.auth_group ENABLE ALWAYS TRIGGER custody_by_amendment;
CREATE TRIGGER custody_by_amendment BEFORE INSERT OR UPDATE OR DELETE ON public.access_account
  FOR EACH ROW EXECUTE FUNCTION custody.by_amendment();
ALTER TABLE public.access_account ENABLE ALWAYS TRIGGER custody_by_amendment;
