-- The schema of Custody's own functions. Everything here runs as custody_owner (SECURITY DEFINER) with a
-- fixed search_path; the application may execute only what audit/manifest.py grants it.

CREATE SCHEMA IF NOT EXISTS custody;
GRANT USAGE ON SCHEMA custody TO custody_app;
ALTER DEFAULT PRIVILEGES FOR ROLE custody_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The tenant of the work in hand, NULL without a context. After a transaction a local setting reads ''.
CREATE FUNCTION custody.tenant() RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('custody.tenant', true), '')::integer;

-- The context, as far as this login may be believed: the application's login wholly, the owner's without
-- its tenant (rows tell), any other login not at all.
CREATE FUNCTION custody.trusted_context() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  said jsonb := nullif(current_setting('custody.context', true), '')::jsonb;
BEGIN
  IF said IS NULL THEN RETURN '{}'::jsonb; END IF;
  IF pg_has_role(session_user, 'custody_owner', 'MEMBER') THEN RETURN said - 'tenant'; END IF;
  IF pg_has_role(session_user, 'custody_app', 'MEMBER') THEN RETURN said; END IF;
  RETURN '{}'::jsonb;
END $f$;

-- Replaced by the engine's own migration; below it no change can be running.
CREATE FUNCTION custody.change_is_running(change bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT false';

CREATE FUNCTION custody.refuse_write() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  RAISE insufficient_privilege USING
    MESSAGE = format('custody: %s of %I refused: the record is only ever added to', TG_OP, TG_TABLE_NAME);
END $f$;

CREATE FUNCTION custody.refuse_key_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  RAISE integrity_constraint_violation USING
    MESSAGE = format('custody: the key of a row of %I never changes; archive the row and add another', TG_TABLE_NAME);
END $f$;
