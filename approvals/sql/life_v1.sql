-- The life of a ticket once more, in the database: the published steps (`approvals/life.py`), on its own clock; a change goes
-- no other way than its ticket; and whoever had a hand in a change has no vote on it.

CREATE FUNCTION custody.ticket_may(source text, target text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT (source, target) IN (
    ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'sent_back'), ('pending', 'withdrawn'), ('pending', 'expired'),
    ('approved', 'pending'),
    ('sent_back', 'pending'), ('sent_back', 'withdrawn'), ('sent_back', 'expired'))
$f$;

-- How many must agree is another matter: custody.ticket_step.
CREATE FUNCTION custody.ticket_life() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  change record;
  again boolean;
BEGIN
  SELECT c.state, c.digest, c.requester_person_id INTO change FROM public.changes_change c
   WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.change_id;
  IF TG_OP = 'INSERT' THEN
    IF (NEW.state, NEW.round, NEW.digest, NEW.requester_person_id)
       IS DISTINCT FROM ('pending', 1::smallint, change.digest, change.requester_person_id) THEN
      RAISE integrity_constraint_violation USING
        MESSAGE = 'custody: a ticket begins waiting, in its first round, as its change was frozen and for whoever asked for it';
    END IF;
    RETURN NEW;
  END IF;
  again := OLD.state IN ('approved', 'sent_back') AND NEW.state = 'pending';
  IF NEW.round <> OLD.round + again::integer
     OR again AND (NEW.expires_at <= clock_timestamp()
                   OR change.state <> CASE OLD.state WHEN 'approved' THEN 'waiting' ELSE 'frozen' END
                   OR change.digest <> NEW.digest) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a ticket that is %s stays so, until an approved change has gone back to voting or one that was '
                       'sent back is frozen anew: a new round begins then', OLD.state);
  END IF;
  IF NEW.state <> OLD.state AND NOT custody.ticket_may(OLD.state, NEW.state) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a ticket that is %s cannot become %s: it stays so', OLD.state, NEW.state);
  END IF;
  IF NEW.state <> OLD.state AND OLD.state IN ('pending', 'sent_back')
     AND (NEW.state = 'expired') <> (OLD.expires_at <= statement_timestamp()) THEN
    RAISE integrity_constraint_violation USING MESSAGE = format(
      CASE WHEN NEW.state = 'expired' THEN 'custody: ticket %s has not expired yet' ELSE 'custody: ticket %s has expired' END,
      NEW.id);
  END IF;
  IF NEW.expires_at > OLD.expires_at AND NOT (again OR NEW.state = 'sent_back' AND OLD.state = 'pending') THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: ticket %s expires no later than it did', NEW.id);
  END IF;
  IF (OLD.change_id, OLD.requester_person_id) IS DISTINCT FROM (NEW.change_id, NEW.requester_person_id)
     OR NOT (again AND OLD.state = 'sent_back')
        AND (OLD.digest, OLD.required, OLD.title, OLD.rule, OLD.rule_version)
           IS DISTINCT FROM (NEW.digest, NEW.required, NEW.title, NEW.rule, NEW.rule_version)
     OR NEW.required < OLD.required THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a ticket is not rewritten';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_life BEFORE INSERT OR UPDATE ON public.approvals_ticket
  FOR EACH ROW EXECUTE FUNCTION custody.ticket_life();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_life;

CREATE OR REPLACE FUNCTION custody.ticket_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.state = 'pending' AND NEW.state = 'approved' AND NOT custody.is_agreed(NEW.tenant_id, NEW.id, true) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: ticket %s has not been approved by enough others', NEW.id);
  END IF;
  RETURN NEW;
END $f$;

-- What is asked for again asks what the rules in force ask for its rows now, and nowhere less than it asked before: each stage
-- as many as either says. Its name makes it the first of the triggers, so that the others see what it writes.
CREATE FUNCTION custody.ticket_rule_again() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  facts jsonb := custody.change_facts(NEW.tenant_id, NEW.change_id);
  now jsonb;
  stages jsonb;
  stage jsonb;
  place integer;
BEGIN
  now := custody.required(NEW.tenant_id, facts || jsonb_build_object('least', greatest(1, (facts ->> 'least')::integer)));
  stages := now -> 'stages';
  FOR stage IN SELECT s FROM jsonb_array_elements(custody.stages(OLD.rule, OLD.required)) AS s LOOP
    SELECT n - 1 INTO place FROM jsonb_array_elements(stages) WITH ORDINALITY AS known(s, n)
     WHERE s ->> 'group' = stage ->> 'group';
    IF place IS NULL THEN
      stages := stages || jsonb_build_array(stage);
    ELSIF (stages -> place ->> 'need')::integer < (stage ->> 'need')::integer THEN
      stages := jsonb_set(stages, ARRAY[place::text, 'need'], stage -> 'need');
    END IF;
  END LOOP;
  NEW.rule := now || jsonb_build_object(
    'stages', stages,
    'ordered', coalesce((now ->> 'ordered')::boolean, false) OR coalesce((OLD.rule ->> 'ordered')::boolean, false),
    'start', CASE WHEN now ->> 'start' = OLD.rule ->> 'start' THEN now ->> 'start' ELSE 'person' END,
    'over', CASE WHEN now -> 'over' = '[]' THEN coalesce(OLD.rule -> 'over', '[]') ELSE now -> 'over' END);
  NEW.required := (SELECT sum((s ->> 'need')::integer) FROM jsonb_array_elements(stages) AS s);
  NEW.rule_version := (now ->> 'version')::integer;
  NEW.expires_at := clock_timestamp() + make_interval(hours => (now ->> 'hours')::integer);
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_again BEFORE UPDATE ON public.approvals_ticket
  FOR EACH ROW WHEN (OLD.state = 'sent_back' AND NEW.state = 'pending') EXECUTE FUNCTION custody.ticket_rule_again();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_again;

-- Rows of a ticket that is asked for again are compared like those of a new one.
CREATE TRIGGER custody_rows_are_free_again BEFORE UPDATE ON public.approvals_ticket
  FOR EACH ROW WHEN (OLD.state = 'sent_back' AND NEW.state = 'pending') EXECUTE FUNCTION custody.rows_are_free();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_rows_are_free_again;

-- A change with a ticket becomes a draft when that is sent back, and ready to start when it is approved; until it is asked
-- for again it stays the same question of the same person, and ends only with its ticket.
CREATE FUNCTION custody.change_of_ticket() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  ticket text;
BEGIN
  SELECT t.state INTO ticket FROM public.approvals_ticket t WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id;
  IF ticket IS NULL THEN
    RETURN NEW;
  END IF;
  IF NEW.state <> OLD.state AND NOT (CASE
      WHEN NEW.state = 'draft' THEN ticket = 'sent_back'
      WHEN NEW.state = 'frozen' THEN ticket = 'sent_back'
      WHEN NEW.state = 'waiting' THEN ticket <> 'sent_back'
      WHEN NEW.state = 'cleared' THEN ticket = 'approved'
      ELSE ticket NOT IN ('pending', 'sent_back') END) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: change %s cannot become %s while its ticket is %s', NEW.id, NEW.state, ticket);
  END IF;
  IF OLD.state = 'draft' AND (OLD.operation, OLD.entity, OLD.requester_person_id, OLD.undo_of_id, OLD.retry_of_id)
     IS DISTINCT FROM (NEW.operation, NEW.entity, NEW.requester_person_id, NEW.undo_of_id, NEW.retry_of_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a change that was sent back stays the same question';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_ticket BEFORE UPDATE ON public.changes_change FOR EACH ROW
  WHEN (OLD.state = 'draft' OR NEW.state IN ('draft', 'frozen', 'waiting', 'cleared', 'refused') AND OLD.state <> NEW.state)
  EXECUTE FUNCTION custody.change_of_ticket();
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_ticket;

-- Whoever writes a draft has a hand in it, whatever column it is and through whatever door.
CREATE FUNCTION custody.contributed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  said jsonb := custody.trusted_context();
BEGIN
  INSERT INTO public.approvals_contributor (tenant_id, change_id, person_id, name)
    SELECT NEW.tenant_id, NEW.id, p.person, p.name
      FROM (VALUES (NEW.requester_person_id, NEW.requester_name), ((said->>'person')::bigint, said->>'name')) p (person, name)
     WHERE p.person IS NOT NULL
    ON CONFLICT (tenant_id, change_id, person_id) DO NOTHING;
  RETURN NULL;
END $f$;

CREATE TRIGGER custody_contributed AFTER INSERT ON public.changes_change
  FOR EACH ROW EXECUTE FUNCTION custody.contributed();
CREATE TRIGGER custody_contributed_again AFTER UPDATE ON public.changes_change FOR EACH ROW
  WHEN (OLD.state = 'draft' AND NEW.state IN ('draft', 'frozen')) EXECUTE FUNCTION custody.contributed();
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_contributed;
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_contributed_again;

CREATE FUNCTION custody.vote_of_an_outsider() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF EXISTS (SELECT FROM public.approvals_contributor c
               JOIN public.approvals_ticket t ON t.tenant_id = c.tenant_id AND t.change_id = c.change_id
              WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id AND c.person_id = NEW.person_id
                AND c.person_id <> t.requester_person_id) THEN  -- for whom there is a CHECK
    RAISE check_violation USING
      CONSTRAINT = 'approvals_vote_not_a_contributor',
      MESSAGE = format('custody: person %s had a hand in what ticket %s asks for', NEW.person_id, NEW.ticket_id);
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_outsider BEFORE INSERT ON public.approvals_vote
  FOR EACH ROW EXECUTE FUNCTION custody.vote_of_an_outsider();
ALTER TABLE public.approvals_vote ENABLE ALWAYS TRIGGER custody_outsider;
