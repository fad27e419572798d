-- Proofs of who one is ("step-up"): a password, a code or a passkey, given on purpose and not long ago. The application
-- reads them and has them written by these functions only: it cannot choose a proof's time, its account or its session,
-- cannot change one and cannot remove one.

-- The application's account may say which of its own contexts it works in; the functions believe nothing else.
CREATE FUNCTION custody.record_proof(how text, meant text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  said jsonb := custody.trusted_context();
  made bigint;
BEGIN
  IF said->>'user' IS NULL THEN
    RAISE insufficient_privilege USING MESSAGE = 'custody: a proof is somebody''s, and nobody is logged in';
  END IF;
  INSERT INTO public.access_proof (user_id, person_id, method, session, asked_for, proved_at)
  VALUES ((said->>'user')::bigint, (said->>'person')::bigint, how, coalesce(said->>'session', ''), left(meant, 100),
          clock_timestamp())
  RETURNING id INTO made;
  RETURN made;
END $f$;

-- The newest proof of this account and person that is good for the action now, in the session of the work in hand.
CREATE FUNCTION custody.fresh_proof(asked text, account bigint, human bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT p.id FROM public.access_proof p JOIN public.access_stepuprule r ON r.action = asked
   WHERE p.user_id = account AND p.person_id IS NOT DISTINCT FROM human
     AND p.session = coalesce(custody.trusted_context()->>'session', '') AND p.method = ANY (r.methods)
     AND p.proved_at > clock_timestamp() - make_interval(secs => r.seconds)
   ORDER BY p.proved_at DESC, p.id DESC LIMIT 1
$f$;

-- Whether exactly this proof is good for the action, where the action asks for one.
CREATE FUNCTION custody.proof_holds(asked text, proof bigint, account bigint, human bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT NOT EXISTS (SELECT FROM public.access_stepuprule r WHERE r.action = asked) OR EXISTS (
    SELECT FROM public.access_proof p JOIN public.access_stepuprule r ON r.action = asked
     WHERE p.id = proof AND p.user_id = account AND p.person_id IS NOT DISTINCT FROM human
       AND p.session = coalesce(custody.trusted_context()->>'session', '') AND p.method = ANY (r.methods)
       AND p.proved_at > clock_timestamp() - make_interval(secs => r.seconds))
$f$;

-- The proof an act rests on: noted as used, NULL when there is none, 0 when the action asks for none.
CREATE FUNCTION custody.use_proof(asked text, thing text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  said jsonb := custody.trusted_context();
  found_proof bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM public.access_stepuprule r WHERE r.action = asked) THEN RETURN 0; END IF;
  found_proof := custody.fresh_proof(asked, (said->>'user')::bigint, (said->>'person')::bigint);
  IF found_proof IS NOT NULL THEN
    INSERT INTO public.access_proofuse (proof_id, action, resource, used_at)
    VALUES (found_proof, asked, left(thing, 200), clock_timestamp());
  END IF;
  RETURN found_proof;
END $f$;

CREATE TRIGGER custody_kept BEFORE UPDATE OR DELETE ON public.access_proof
  FOR EACH ROW EXECUTE FUNCTION custody.refuse_write();
CREATE TRIGGER custody_emptied BEFORE TRUNCATE ON public.access_proof
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_write();
ALTER TABLE public.access_proof ENABLE ALWAYS TRIGGER custody_kept;
ALTER TABLE public.access_proof ENABLE ALWAYS TRIGGER custody_emptied;
