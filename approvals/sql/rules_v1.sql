-- The rules: who must agree to what, evaluated in one place, here. Python asks; the guards below ask; nobody else counts.

CREATE FUNCTION custody.listed(wanted jsonb, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT wanted IS NULL OR wanted = 'null' OR wanted = '[]' OR wanted ? value
$f$;

-- How dangerous a change is, from what is known of it: 0 low, 1 medium, 2 high (docs/rules.md lists the points).
CREATE FUNCTION custody.risk(facts jsonb, house public.approvals_house) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT CASE WHEN points >= 4 THEN 2 WHEN points >= 2 THEN 1 ELSE 0 END
    FROM (SELECT CASE WHEN total > 10000 THEN 2 WHEN total > 1000 THEN 1 ELSE 0 END
               + CASE facts ->> 'operation' WHEN 'purge' THEN 2 WHEN 'delete' THEN 1 WHEN 'rollback' THEN 1 ELSE 0 END
               + (entities > 1)::integer + sensitive::integer + (house.environment = 'production')::integer AS points
            FROM (SELECT coalesce(sum(p.rows), 0) AS total, count(DISTINCT p.entity) AS entities,
                         coalesce(bool_or(house.sensitive ? p.entity), false) AS sensitive
                    FROM jsonb_to_recordset(facts -> 'parts') AS p(entity text, rows bigint) WHERE p.rows > 0) counted) scored
$f$;

-- What a list of rules, the most special first, asks of a change:
-- {stages: [{group, need}], ordered, rules: {entity: rule}, over: [[entity, rows, threshold]], start, hours, risk}.
-- Each table of the change is judged by the first rule that fits it; what they ask for is put together.
CREATE FUNCTION custody.required_by(rules jsonb, facts jsonb, house public.approvals_house) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  part record;
  rule jsonb;
  stage jsonb;
  place integer;
  stages jsonb := '[]';
  by_entity jsonb := '{}';
  over jsonb := '[]';
  ordered boolean := false;
  start text := 'person';
  hours integer;
  least integer := coalesce((facts ->> 'least')::integer, 0);
  risk integer := custody.risk(facts, house);
  total bigint := (SELECT coalesce(sum((p ->> 'rows')::bigint), 0) FROM jsonb_array_elements(facts -> 'parts') p);
  asked integer;
BEGIN
  FOR part IN
    SELECT p.entity, sum(p.rows)::bigint AS rows, coalesce(g.row_limit, 0) AS threshold,
           (sum(sum(p.rows)) OVER (PARTITION BY coalesce(g.row_limit, 0)))::bigint AS together
      FROM jsonb_to_recordset(facts -> 'parts') AS p(entity text, rows bigint)
      LEFT JOIN public.audit_governedtable g ON g.entity = p.entity
     GROUP BY p.entity, g.row_limit HAVING sum(p.rows) > 0 ORDER BY p.entity
  LOOP
    IF part.together > part.threshold THEN
      over := over || jsonb_build_array(jsonb_build_array(part.entity, part.rows, part.threshold));
    END IF;
    SELECT r INTO rule FROM jsonb_array_elements(rules) WITH ORDINALITY AS listed(r, n)
     WHERE custody.listed(r -> 'entities', part.entity)
       AND custody.listed(r -> 'operations', facts ->> 'operation')
       AND custody.listed(r -> 'environments', house.environment)
       AND CASE WHEN r ->> 'rows_over' = 'threshold' THEN part.together > part.threshold
                ELSE part.rows > coalesce((r ->> 'rows_over')::bigint, 0) END
       AND part.rows <= coalesce((r ->> 'rows_up_to')::bigint, part.rows)
       AND total > coalesce((r ->> 'total_over')::bigint, 0)
       AND risk >= coalesce(array_position(ARRAY['low', 'medium', 'high'], r ->> 'risk') - 1, 0)
       AND (NOT coalesce((r ->> 'sensitive')::boolean, false) OR house.sensitive ? part.entity)
     ORDER BY n LIMIT 1;
    -- Silence is no permission: what no rule speaks of needs somebody.
    rule := coalesce(rule, '{"name": "", "stages": [{"group": "approver", "need": 1}]}');
    by_entity := by_entity || jsonb_build_object(part.entity, rule ->> 'name');
    ordered := ordered OR (coalesce((rule ->> 'ordered')::boolean, false) AND jsonb_array_length(rule -> 'stages') > 1);
    start := CASE WHEN rule ->> 'start' = 'window' AND start = 'person' AND hours IS NULL THEN 'window'
                  WHEN coalesce(rule ->> 'start', 'person') = 'person' THEN 'person' ELSE start END;
    hours := least(coalesce((rule ->> 'hours')::integer, 72), coalesce(hours, 720));
    FOR stage IN SELECT s FROM jsonb_array_elements(rule -> 'stages') AS s LOOP
      SELECT n - 1 INTO place FROM jsonb_array_elements(stages) WITH ORDINALITY AS known(s, n)
       WHERE s ->> 'group' = stage ->> 'group';
      IF place IS NULL THEN
        stages := stages || jsonb_build_array(stage);
      ELSIF (stages -> place ->> 'need')::integer < (stage ->> 'need')::integer THEN
        stages := jsonb_set(stages, ARRAY[place::text, 'need'], stage -> 'need');
      END IF;
    END LOOP;
  END LOOP;
  SELECT coalesce(sum((s ->> 'need')::integer), 0) INTO asked FROM jsonb_array_elements(stages) AS s;
  IF asked < least THEN
    stages := CASE WHEN asked = 0 THEN jsonb_build_array(jsonb_build_object('group', 'approver', 'need', least))
                   ELSE jsonb_set(stages, '{0,need}', to_jsonb((stages -> 0 ->> 'need')::integer + least - asked)) END;
  END IF;
  RETURN jsonb_build_object('stages', stages, 'ordered', ordered, 'rules', by_entity, 'over', over, 'start', start,
    'hours', coalesce(hours, 72), 'risk', (ARRAY['low', 'medium', 'high'])[risk + 1]);
END $f$;

-- A tenant's rules in force: its newest version, else the shipped ones, which are version 0.
CREATE FUNCTION custody.rules_in_force(tenant integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT coalesce(
    (SELECT jsonb_build_object('version', v.number, 'rules', v.rules) FROM public.approvals_ruleversion v
      WHERE v.tenant_id = rules_in_force.tenant ORDER BY v.number DESC LIMIT 1),
    (SELECT jsonb_build_object('version', 0, 'rules', h.rules) FROM public.approvals_house h))
$f$;

CREATE FUNCTION custody.required(tenant integer, facts jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT custody.required_by(f.found -> 'rules', required.facts, h) || jsonb_build_object('version', f.found -> 'version')
    FROM public.approvals_house h, custody.rules_in_force(required.tenant) AS f(found)
$f$;

-- What the rules can know of a frozen change.
CREATE FUNCTION custody.change_facts(tenant integer, change bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT jsonb_build_object('operation', c.operation, 'least', c.approvals_least, 'parts', coalesce(
           (SELECT jsonb_agg(jsonb_build_object('entity', p.entity, 'rows', p.rows)) FROM public.changes_changepart p
             WHERE p.tenant_id = c.tenant_id AND p.change_id = c.id), '[]'))
    FROM public.changes_change c WHERE c.tenant_id = change_facts.tenant AND c.id = change_facts.change
$f$;

-- Whether a login may decide for this group now: active, of this person and tenant, an approver, and in the group.
CREATE FUNCTION custody.entitled(tenant integer, login bigint, person bigint, circle text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT EXISTS (
    SELECT FROM public.access_account a JOIN public.auth_user u ON u.id = a.user_id AND u.is_active
     WHERE a.user_id = entitled.login AND a.person_id = entitled.person AND a.tenant_id = entitled.tenant
       AND (SELECT count(DISTINCT g.name) FROM public.auth_user_groups m JOIN public.auth_group g ON g.id = m.group_id
             WHERE m.user_id = a.user_id AND g.name IN ('approver', entitled.circle))
           = (SELECT count(DISTINCT n) FROM unnest(ARRAY['approver', entitled.circle]) n))
$f$;

CREATE FUNCTION custody.stages(rule jsonb, required integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT CASE WHEN jsonb_array_length(coalesce(rule -> 'stages', '[]')) > 0 THEN rule -> 'stages'
              ELSE jsonb_build_array(jsonb_build_object('group', 'approver', 'need', required)) END
$f$;

-- Approvals that count in the ticket's round, per stage. `now`: only those of people who may still decide.
CREATE FUNCTION custody.counted(tenant integer, ticket bigint, now boolean)
RETURNS TABLE (stage integer, circle text, need integer, votes integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT s.n::integer - 1, s.stage ->> 'group', (s.stage ->> 'need')::integer,
         (SELECT count(DISTINCT v.person_id)::integer FROM public.approvals_vote v
           WHERE v.tenant_id = t.tenant_id AND v.ticket_id = t.id AND v.round = t.round AND v.stage = s.n - 1
             AND v.decision = 'approve' AND v.digest = t.digest AND v.person_id <> t.requester_person_id
             AND (NOT counted.now OR custody.entitled(t.tenant_id, v.user_id, v.person_id, s.stage ->> 'group')))
    FROM public.approvals_ticket t
   CROSS JOIN LATERAL jsonb_array_elements(custody.stages(t.rule, t.required)) WITH ORDINALITY AS s(stage, n)
   WHERE t.tenant_id = counted.tenant AND t.id = counted.ticket
$f$;

CREATE FUNCTION custody.is_agreed(tenant integer, ticket bigint, now boolean) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT coalesce(bool_and(c.votes >= c.need), false) FROM custody.counted(is_agreed.tenant, is_agreed.ticket, is_agreed.now) c
$f$;

-- Whether a login could decide on a pending ticket now: an open stage is its own, of an ordered rule the first of them.
CREATE FUNCTION custody.may_decide(tenant integer, ticket bigint, login bigint, person bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT coalesce(bool_or(custody.entitled(may_decide.tenant, may_decide.login, may_decide.person, waiting.circle)), false)
    FROM (SELECT c.circle, c.stage, min(c.stage) OVER () AS first FROM custody.counted(may_decide.tenant, may_decide.ticket, true) c
           WHERE c.votes < c.need) waiting
   WHERE waiting.stage = waiting.first OR NOT coalesce((SELECT (t.rule ->> 'ordered')::boolean FROM public.approvals_ticket t
          WHERE t.tenant_id = may_decide.tenant AND t.id = may_decide.ticket), false)
$f$;

-- A ticket asks what the rules ask, whoever opens it.
CREATE FUNCTION custody.ticket_rule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  facts jsonb := custody.change_facts(NEW.tenant_id, NEW.change_id);
BEGIN
  IF custody.window_full(NEW.tenant_id, NEW.change_id) THEN
    facts := facts || jsonb_build_object('least', greatest(1, (facts ->> 'least')::integer));
  END IF;
  -- A ticket is a question to somebody: without one there is no need of it.
  facts := facts || jsonb_build_object('least', greatest(1, (facts ->> 'least')::integer));
  -- What only the window asked for is over no threshold: what the caller says of it is for people to read.
  NEW.rule := custody.required(NEW.tenant_id, facts) || CASE
    WHEN custody.required(NEW.tenant_id, facts) -> 'over' = '[]' THEN jsonb_build_object('over', coalesce(NEW.rule -> 'over', '[]'))
    ELSE '{}' END;
  NEW.required := (SELECT sum((s ->> 'need')::integer) FROM jsonb_array_elements(NEW.rule -> 'stages') AS s);
  NEW.rule_version := (NEW.rule ->> 'version')::integer;
  NEW.expires_at := clock_timestamp() + make_interval(hours => (NEW.rule ->> 'hours')::integer);
  RETURN NEW;
END $f$;
CREATE TRIGGER custody_rule BEFORE INSERT ON public.approvals_ticket FOR EACH ROW EXECUTE FUNCTION custody.ticket_rule();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_rule;

-- A vote is that person's own, and counts for the first stage that still needs it and that the person belongs to.
CREATE FUNCTION custody.vote_allowed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  ticket public.approvals_ticket;
  found record;
BEGIN
  SELECT * INTO ticket FROM public.approvals_ticket t WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id FOR UPDATE;
  IF EXISTS (SELECT FROM public.approvals_ruleversion r
              WHERE r.tenant_id = ticket.tenant_id AND r.number = ticket.rule_version AND r.author_person_id = NEW.person_id) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: person %s wrote the rules that ticket %s is decided by', NEW.person_id, NEW.ticket_id);
  END IF;
  IF NEW.person_id = NEW.requester_person_id THEN
    RETURN NEW;  -- the constraint that forbids it says so better
  END IF;
  NEW.stage := NULL;
  FOR found IN SELECT * FROM custody.counted(NEW.tenant_id, NEW.ticket_id, true) c ORDER BY c.stage LOOP
    CONTINUE WHEN NEW.decision = 'approve' AND found.votes >= found.need;
    IF custody.entitled(NEW.tenant_id, NEW.user_id, NEW.person_id, found.circle) THEN
      NEW.stage := found.stage;
      EXIT;
    END IF;
    EXIT WHEN NEW.decision = 'approve' AND coalesce((ticket.rule ->> 'ordered')::boolean, false);
  END LOOP;
  IF NEW.stage IS NULL THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: login %s may not decide on ticket %s now', NEW.user_id, NEW.ticket_id);
  END IF;
  RETURN NEW;
END $f$;
CREATE TRIGGER custody_vote_allowed BEFORE INSERT ON public.approvals_vote FOR EACH ROW EXECUTE FUNCTION custody.vote_allowed();
ALTER TABLE public.approvals_vote ENABLE ALWAYS TRIGGER custody_vote_allowed;

CREATE OR REPLACE FUNCTION custody.ticket_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NEW.round <> OLD.round AND NOT (
      NEW.round = OLD.round + 1 AND OLD.state = 'approved' AND NEW.state = 'pending' AND NEW.expires_at > clock_timestamp()
      AND EXISTS (SELECT FROM public.changes_change c
                   WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.change_id AND c.state = 'waiting')) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'custody: a new round begins when an approved change has gone back to voting';
  END IF;
  IF OLD.state <> 'pending' AND NEW.state <> OLD.state AND NEW.round = OLD.round THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a ticket that is %s stays so', OLD.state);
  END IF;
  IF (OLD.digest, OLD.required, OLD.change_id, OLD.requester_person_id, OLD.rule, OLD.rule_version)
     IS DISTINCT FROM (NEW.digest, NEW.required, NEW.change_id, NEW.requester_person_id, NEW.rule, NEW.rule_version) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a ticket is not rewritten';
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'approved' AND NOT custody.is_agreed(NEW.tenant_id, NEW.id, true) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: ticket %s has not been approved by enough others', NEW.id);
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'expired' AND NEW.expires_at > clock_timestamp() THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: ticket %s has not expired yet', NEW.id);
  END IF;
  RETURN NEW;
END $f$;

-- A change goes on only when nobody need agree, or when those who must have: asked again when it is cleared and when it
-- starts. One that has begun is not stopped by who has left since.
CREATE OR REPLACE FUNCTION custody.clearance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  ticket public.approvals_ticket;
  allowed boolean;
BEGIN
  SELECT * INTO ticket FROM public.approvals_ticket t WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id;
  IF FOUND THEN
    allowed := ticket.state = 'approved' AND ticket.digest = NEW.digest
      AND custody.is_agreed(NEW.tenant_id, ticket.id, OLD.state IN ('frozen', 'waiting', 'cleared'))
      AND NOT EXISTS (SELECT FROM public.approvals_vote n
                       WHERE n.tenant_id = ticket.tenant_id AND n.ticket_id = ticket.id AND n.round = ticket.round
                         AND n.decision = 'reject');
  ELSIF OLD.state = 'frozen' THEN
    allowed := jsonb_array_length(
        custody.required(NEW.tenant_id, custody.change_facts(NEW.tenant_id, NEW.id)) -> 'stages') = 0
      AND NOT custody.window_full(NEW.tenant_id, NEW.id);
  ELSE
    allowed := true;  -- it was asked when the change was cleared
  END IF;
  IF allowed IS NOT TRUE THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: change %s has not been approved by enough others', NEW.id);
  END IF;
  RETURN NEW;
END $f$;
