-- A running change opens the row limit for the rows it froze and for no more: whoever borrows its number
-- can write neither to another table nor one row beyond what was agreed.

-- Replaced by the engine's own migration; below it no change covers anything.
CREATE FUNCTION custody.change_covers(change bigint, tenant integer, place text, amount bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT false';

CREATE OR REPLACE FUNCTION custody.refuse_mass(place text, amount bigint, context jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  allowed bigint;
BEGIN
  IF amount <= 1 OR pg_has_role(session_user, 'custody_owner', 'MEMBER') THEN RETURN; END IF;
  SELECT row_limit INTO allowed FROM public.audit_governedtable WHERE table_name = place;
  IF amount > allowed AND NOT custody.change_covers(
      (context->>'change')::bigint, (context->>'tenant')::integer, place, amount) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: %s rows of %s at once refused: more than %s need an approved change', amount, place, allowed),
      HINT = 'Ask with "New change" in the console or POST /api/v1/changes/.';
  END IF;
END $f$;
