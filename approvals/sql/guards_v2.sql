-- A ticket is approved by votes, not by a word: as many other persons as it requires, for exactly its fingerprint.
CREATE OR REPLACE FUNCTION custody.ticket_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.state <> 'pending' AND NEW.state <> OLD.state THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a ticket that is %s stays so', OLD.state);
  END IF;
  IF (OLD.digest, OLD.required, OLD.change_id, OLD.requester_person_id)
     IS DISTINCT FROM (NEW.digest, NEW.required, NEW.change_id, NEW.requester_person_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a ticket is not rewritten';
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'approved' AND NEW.required > (
      SELECT count(DISTINCT v.person_id) FROM public.approvals_vote v
       WHERE v.tenant_id = NEW.tenant_id AND v.ticket_id = NEW.id AND v.decision = 'approve'
         AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: ticket %s has not been approved by enough others', NEW.id);
  END IF;
  IF OLD.state = 'pending' AND NEW.state = 'expired' AND NEW.expires_at > clock_timestamp() THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: ticket %s has not expired yet', NEW.id);
  END IF;
  RETURN NEW;
END $f$;
