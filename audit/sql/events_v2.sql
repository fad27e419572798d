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

-- How many rows of a table this login may change at once; NULL where nobody limits it here: the owner, or a change
-- that runs, which is asked afterwards what it covers.
CREATE FUNCTION custody.row_limit(place text, change bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF pg_has_role(session_user, 'custody_owner', 'MEMBER') OR custody.change_is_running(change) THEN RETURN NULL; END IF;
  RETURN (SELECT t.row_limit FROM public.audit_governedtable t WHERE t.table_name = place);
END $f$;

-- The same rule as before, in SQL with its names bound, so that it is inlined: it is asked by every statement.
CREATE OR REPLACE FUNCTION custody.trusted_context() RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
  WHEN nullif(current_setting('custody.context', true), '') IS NULL THEN '{}'::jsonb
  WHEN pg_has_role(session_user, 'custody_owner', 'MEMBER')
    THEN current_setting('custody.context', true)::jsonb - 'tenant'
  WHEN pg_has_role(session_user, 'custody_app', 'MEMBER') THEN current_setting('custody.context', true)::jsonb
  ELSE '{}'::jsonb END;

-- Replaced by the engine's own migration, like change_covers: whether a running change froze every one of these rows.
CREATE FUNCTION custody.change_holds(change bigint, tenant integer, place text, keys bigint[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT false';

CREATE FUNCTION custody.refuse_strangers(place text, change bigint, tenant integer, keys bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF pg_has_role(session_user, 'custody_owner', 'MEMBER') OR NOT custody.change_is_running(change)
     OR custody.change_holds(change, tenant, place, keys) THEN RETURN; END IF;
  RAISE insufficient_privilege USING
    MESSAGE = format('custody: rows of %s refused: change %s did not freeze all of them', place, change),
    HINT = 'Ask for these rows with "New change" in the console or POST /api/v1/changes/.';
END $f$;
