-- A vote rests on a fresh proof of who votes, and so does agreeing to an exemption. Said after the row is written, so that
-- the older constraints speak first. What counts as fresh, and for which acts: `access/sql/proofs_v1.sql`.
CREATE FUNCTION custody.vote_proof() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NOT custody.proof_holds('ticket.vote', NEW.proof_id, NEW.user_id, NEW.person_id) THEN
    RAISE insufficient_privilege USING
      MESSAGE = 'custody: a vote needs a fresh proof, given by its own account, for its person, in this session';
  END IF;
  RETURN NULL;
END $f$;

CREATE TRIGGER custody_proof AFTER INSERT ON public.approvals_vote FOR EACH ROW EXECUTE FUNCTION custody.vote_proof();
ALTER TABLE public.approvals_vote ENABLE ALWAYS TRIGGER custody_proof;

CREATE FUNCTION custody.agreement_proof() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  account bigint := (custody.trusted_context()->>'user')::bigint;
BEGIN
  IF NOT custody.proof_holds('exemption.agree', custody.fresh_proof('exemption.agree', account, NEW.agreed_person_id),
                             account, NEW.agreed_person_id) THEN
    RAISE insufficient_privilege USING
      MESSAGE = 'custody: agreeing to an exemption needs a fresh proof of the person who agrees';
  END IF;
  RETURN NULL;
END $f$;

CREATE TRIGGER custody_proof AFTER UPDATE ON public.audit_exemption FOR EACH ROW
  WHEN (OLD.agreed_at IS NULL AND NEW.agreed_at IS NOT NULL) EXECUTE FUNCTION custody.agreement_proof();
ALTER TABLE public.audit_exemption ENABLE ALWAYS TRIGGER custody_proof;
