-- Nobody approves alone, said by the database. A vote belongs to its ticket's requester (so the CHECK against
-- self-approval compares with the truth), and a change over a threshold is cleared only by enough votes of
-- other persons for exactly its fingerprint.

ALTER TABLE public.approvals_vote ADD CONSTRAINT approvals_vote_ticket_fk
  FOREIGN KEY (tenant_id, ticket_id, requester_person_id)
  REFERENCES public.approvals_ticket (tenant_id, id, requester_person_id);

-- Django's OneToOneField makes the key without the tenant.
ALTER TABLE public.approvals_ticket DROP CONSTRAINT approvals_ticket_change_id_key,
  ADD CONSTRAINT approvals_ticket_one_per_change UNIQUE (tenant_id, change_id);

CREATE FUNCTION custody.clearance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  enough boolean;
BEGIN
  IF EXISTS (SELECT FROM public.changes_changepart p
              LEFT JOIN public.audit_governedtable g ON g.entity = p.entity
              WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.id AND p.rows > coalesce(g.row_limit, 0)) THEN
    SELECT count(DISTINCT v.person_id) >= max(t.required) INTO enough
      FROM public.approvals_ticket t
      JOIN public.approvals_vote v ON v.tenant_id = t.tenant_id AND v.ticket_id = t.id
     WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id AND t.state = 'approved' AND t.digest = NEW.digest
       AND v.decision = 'approve' AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id
       AND NOT EXISTS (SELECT FROM public.approvals_vote n
                        WHERE n.tenant_id = t.tenant_id AND n.ticket_id = t.id AND n.decision = 'reject');
    IF enough IS NOT TRUE THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('custody: change %s is over a threshold and has not been approved by others', NEW.id);
    END IF;
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_clearance BEFORE UPDATE ON public.changes_change FOR EACH ROW
  WHEN (NEW.state IN ('cleared', 'running') AND OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION custody.clearance();
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_clearance;

-- A decided ticket stays decided.
CREATE FUNCTION custody.ticket_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.state <> 'pending' AND NEW.state <> OLD.state THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a ticket that is %s stays so', OLD.state);
  END IF;
  IF (OLD.digest, OLD.required, OLD.change_id, OLD.requester_person_id)
     IS DISTINCT FROM (NEW.digest, NEW.required, NEW.change_id, NEW.requester_person_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a ticket is not rewritten';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_step BEFORE UPDATE ON public.approvals_ticket FOR EACH ROW EXECUTE FUNCTION custody.ticket_step();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_step;
