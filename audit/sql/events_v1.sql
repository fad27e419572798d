-- One event per statement. `record_event` is called by capture triggers only; `append_event` by the application,
-- for acts that are no statement on a governed table (a vote, a refusal). Both set time and transaction themselves.
-- `limited` is false where another program writes to its own, adopted table: it asks nobody.

-- Called before a statement's history is written, so that a refused mass costs no history, and once more with the event.
CREATE FUNCTION custody.refuse_mass(place text, amount bigint, context jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  allowed bigint;
BEGIN
  IF amount <= 1 OR pg_has_role(session_user, 'custody_owner', 'MEMBER') THEN RETURN; END IF;
  SELECT row_limit INTO allowed FROM public.audit_governedtable WHERE table_name = place;
  IF amount > allowed AND NOT custody.change_is_running((context->>'change')::bigint) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: %s rows of %s at once refused: more than %s need an approved change', amount, place, allowed),
      HINT = 'Ask with "New change" in the console or POST /api/v1/changes/.';
  END IF;
END $f$;

CREATE FUNCTION custody.record_event(
  event bigint, at timestamptz, tx xid8, place text, entity text, op text, amount bigint,
  context jsonb, tenant integer, before jsonb, limited boolean DEFAULT true
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF limited AND op IN ('~', '-') THEN PERFORM custody.refuse_mass(place, amount, context); END IF;
  INSERT INTO public.audit_event (
    id, event_id, occurred_at, xid, target_table, entity, operation, action, affected_rows, operator_id, person_id,
    operator_name, tenant_id, ip, trace_id, request_id, change_id, channel, decision_id, reason, db_role,
    application, before_state, facts
  ) VALUES (
    event, gen_random_uuid(), at, tx, place, entity, op,
    coalesce(context->>'action', CASE op WHEN '+' THEN 'insert' WHEN '~' THEN 'update' ELSE 'remove' END),
    amount, (context->>'user')::bigint, (context->>'person')::bigint, coalesce(context->>'name', session_user),
    tenant, (context->>'ip')::inet, coalesce(context->>'trace', ''), coalesce(context->>'request', ''),
    (context->>'change')::bigint, coalesce(context->>'channel', 'sql'), (context->>'decision')::uuid,
    coalesce(context->>'reason', ''), session_user, coalesce(current_setting('application_name', true), ''), before, NULL
  );
END $f$;

CREATE FUNCTION custody.append_event(act text, about text, place text, amount bigint, details jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  said jsonb := custody.trusted_context();
  fresh bigint := nextval('public.audit_event_id_seq');
BEGIN
  INSERT INTO public.audit_event (
    id, event_id, occurred_at, xid, target_table, entity, operation, action, affected_rows, operator_id, person_id,
    operator_name, tenant_id, ip, trace_id, request_id, change_id, channel, decision_id, reason, db_role,
    application, before_state, facts
  ) VALUES (
    fresh, gen_random_uuid(), clock_timestamp(), pg_current_xact_id(), place, about, '*', act, amount,
    (said->>'user')::bigint, (said->>'person')::bigint, coalesce(said->>'name', session_user),
    (said->>'tenant')::integer, (said->>'ip')::inet, coalesce(said->>'trace', ''), coalesce(said->>'request', ''),
    (said->>'change')::bigint, coalesce(said->>'channel', 'sql'), (said->>'decision')::uuid,
    coalesce(said->>'reason', ''), session_user, coalesce(current_setting('application_name', true), ''), NULL, details
  );
  RETURN fresh;
END $f$;

-- Where a fail-open capture leaves word that something went unrecorded.
CREATE TABLE custody.capture_failure (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  table_name text NOT NULL,
  operation text NOT NULL,
  sqlstate text NOT NULL,
  message text NOT NULL,
  db_role text NOT NULL DEFAULT session_user,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seen_at timestamptz
);
