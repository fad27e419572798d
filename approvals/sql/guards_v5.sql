-- Votes belong to a round. A ticket whose change went back to voting begins a new one, in which the votes of the rounds
-- before count for nothing.
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
  IF (OLD.digest, OLD.required, OLD.change_id, OLD.requester_person_id)
     IS DISTINCT FROM (NEW.digest, NEW.required, NEW.change_id, NEW.requester_person_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a ticket is not rewritten';
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'approved' AND NEW.required > (
      SELECT count(DISTINCT v.person_id) FROM public.approvals_vote v
       WHERE v.tenant_id = NEW.tenant_id AND v.ticket_id = NEW.id AND v.round = NEW.round AND v.decision = 'approve'
         AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: ticket %s has not been approved by enough others', NEW.id);
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'expired' AND NEW.expires_at > clock_timestamp() THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: ticket %s has not expired yet', NEW.id);
  END IF;
  RETURN NEW;
END $f$;

CREATE OR REPLACE FUNCTION custody.clearance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  enough boolean;
BEGIN
  IF NEW.approvals_least > 0 OR EXISTS (SELECT FROM public.changes_changepart p
              LEFT JOIN public.audit_governedtable g ON g.entity = p.entity
              WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.id
              GROUP BY coalesce(g.row_limit, 0) HAVING sum(p.rows) > coalesce(g.row_limit, 0)) THEN
    SELECT count(DISTINCT v.person_id) >= max(t.required) AND count(DISTINCT v.person_id) >= NEW.approvals_least INTO enough
      FROM public.approvals_ticket t
      JOIN public.approvals_vote v ON v.tenant_id = t.tenant_id AND v.ticket_id = t.id AND v.round = t.round
     WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id AND t.state = 'approved' AND t.digest = NEW.digest
       AND v.decision = 'approve' AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id
       AND NOT EXISTS (SELECT FROM public.approvals_vote n
                        WHERE n.tenant_id = t.tenant_id AND n.ticket_id = t.id AND n.round = t.round AND n.decision = 'reject');
    IF enough IS NOT TRUE THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('custody: change %s has not been approved by enough others', NEW.id);
    END IF;
  END IF;
  RETURN NEW;
END $f$;

CREATE FUNCTION custody.vote_round() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NOT EXISTS (SELECT FROM public.approvals_ticket t
                  WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id AND t.round = NEW.round) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: ticket %s is not in round %s', NEW.ticket_id, NEW.round);
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_round BEFORE INSERT ON public.approvals_vote FOR EACH ROW EXECUTE FUNCTION custody.vote_round();
ALTER TABLE public.approvals_vote ENABLE ALWAYS TRIGGER custody_round;
