-- A transaction's own writes are no part of a state it takes itself: they are not committed.
--
-- PostgreSQL leaves a transaction's own id out of the open ids of its snapshots, for it sees its own rows anyway. As
-- soon as a transaction with a later id has ended, the own one lies below xmax and counts as ended, too.

CREATE FUNCTION custody.present_state() RETURNS pg_snapshot
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT CASE WHEN own < pg_snapshot_xmax(now) THEN
      (SELECT format('%s:%s:%s', pg_snapshot_xmin(now), pg_snapshot_xmax(now), string_agg(xid::text, ',' ORDER BY xid))
         FROM (SELECT own AS xid UNION SELECT pg_snapshot_xip(now)) open)::pg_snapshot
    ELSE now END
  FROM (SELECT pg_current_snapshot() AS now, pg_current_xact_id_if_assigned() AS own OFFSET 0) s
$f$;

CREATE OR REPLACE FUNCTION custody.tick() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  era integer;
  upto bigint := 0;
  fresh bigint;
BEGIN
  IF pg_is_in_recovery() THEN
    RAISE read_only_sql_transaction USING MESSAGE = 'custody: a standby cannot say what is visible; ask the primary';
  END IF;
  era := custody.open_era();
  IF pg_current_xact_id_if_assigned() IS NULL THEN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO upto FROM public.audit_event_id_seq;
  END IF;
  INSERT INTO public.audit_tick (at, era, xid, snapshot, last_event)
  VALUES (clock_timestamp(), era, pg_current_xact_id(), custody.present_state(), upto) RETURNING id INTO fresh;
  RETURN fresh;
END $f$;

-- What a snapshot means is set here, whatever the INSERT says.
CREATE OR REPLACE FUNCTION custody.stamp_snapshot() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  latest public.audit_era;
BEGIN
  SELECT * INTO latest FROM public.audit_era ORDER BY number DESC LIMIT 1;
  IF latest.system_identifier IS DISTINCT FROM custody.system_identifier() THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = 'custody: these data came from another cluster and no era was opened here',
      HINT = 'Run manage.py era.';
  END IF;
  NEW.era := latest.number;
  NEW.system_identifier := latest.system_identifier;
  NEW.pg_snapshot := custody.present_state();
  NEW.event_floor := custody.event_floor(latest.number, NEW.pg_snapshot);
  NEW.taken_at := clock_timestamp();
  RETURN NEW;
END $f$;
