-- Snapshots: an exact state is a pg_snapshot and the era it was taken in. Both are set here, by the database:
-- the application can ask for a snapshot, and cannot say which state it means.

-- Which cluster this is. Transaction ids mean nothing in another one.
CREATE FUNCTION custody.system_identifier() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT system_identifier FROM pg_control_system()';

-- The number of the era, and a new era where the data have come into another cluster.
--
-- History and events keep the transaction ids of the cluster they were written in, so every event must belong to
-- one era: the ids from first_event_id on are the new cluster's. Event ids themselves go on, for a dump carries the
-- sequence. Rows may have been written here before anybody opened the era, so the boundary is looked for:
--
-- * A dump is loaded by COPY, one transaction per table. Its rows of audit_event share one xmin, of this cluster,
--   though their stored xids differ, and form the beginning of the table; whatever has another xmin was written
--   here. The boundary lies behind the last row of that transaction, exactly.
-- * pg_upgrade makes a new cluster as well, but carries the files with their transaction ids, which go on: the
--   latest era's row still has the xmin that it noted. Snapshots of either side stay comparable by xid alone, so
--   the era may begin with the next event.
-- * Loaded in any other way (INSERTs): nothing tells the rows apart, and the era begins with the next event. The
--   era says so (is_exact); migrate, which opens it, has to come before the first write.
--
-- The lock waits for writers and keeps new ones out for an instant: no event of an open transaction may lie
-- before the boundary, because what lies before it counts as visible in every snapshot of the new era.
CREATE FUNCTION custody.open_era() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $f$
DECLARE
  here bigint := custody.system_identifier();
  latest public.audit_era;
  loaded xid;
  boundary bigint;
  loaded_to bigint;
  nothing_new boolean;
  is_split boolean;
  sure boolean := true;
BEGIN
  SELECT * INTO latest FROM public.audit_era ORDER BY number DESC LIMIT 1;
  IF latest.system_identifier = here THEN RETURN latest.number; END IF;
  LOCK TABLE public.audit_event IN SHARE MODE;
  LOCK TABLE public.audit_era IN SHARE ROW EXCLUSIVE MODE;
  SELECT * INTO latest FROM public.audit_era ORDER BY number DESC LIMIT 1;
  IF latest.system_identifier = here THEN RETURN latest.number; END IF;
  SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END INTO boundary FROM public.audit_event_id_seq;
  IF latest.number IS NOT NULL AND NOT EXISTS (
      SELECT FROM public.audit_era e WHERE e.number = latest.number
         AND e.xmin::text::bigint = e.xid::text::numeric % 4294967296) THEN
    SELECT xmin INTO loaded FROM public.audit_event ORDER BY id LIMIT 1;
    SELECT max(id) FILTER (WHERE e.xmin = loaded) + 1, count(*) FILTER (WHERE e.xmin <> loaded) = 0,
           min(id) FILTER (WHERE e.xmin <> loaded) > max(id) FILTER (WHERE e.xmin = loaded)
             AND count(DISTINCT e.xid) FILTER (WHERE e.xmin = loaded) > 1
      INTO loaded_to, nothing_new, is_split FROM public.audit_event e;
    IF is_split THEN boundary := loaded_to; ELSE sure := nothing_new; END IF;
  END IF;
  INSERT INTO public.audit_era (number, system_identifier, began_at, first_event_id, is_exact, xid)
  VALUES (coalesce(latest.number, 0) + 1, here, clock_timestamp(), boundary, sure, pg_current_xact_id());
  RETURN coalesce(latest.number, 0) + 1;
END $f$;

-- A moment that can be looked at later: the state of everything, as it is now. last_event says up to which event
-- nothing can be new to a snapshot taken after this transaction: an event's number is drawn by a transaction that has
-- its own id already, and this one's id is drawn after the sequence was read. Inside a transaction that has an id
-- from before, nothing is promised.
CREATE FUNCTION custody.tick() RETURNS bigint
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
  VALUES (clock_timestamp(), era, pg_current_xact_id(), pg_current_snapshot(), upto) RETURNING id INTO fresh;
  RETURN fresh;
END $f$;

-- Up to this event nothing is new to a snapshot of an era: see tick().
CREATE FUNCTION custody.event_floor(of_era integer, state pg_snapshot) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT coalesce((SELECT t.last_event FROM public.audit_tick t
    WHERE t.era = of_era AND t.xid < pg_snapshot_xmin(state) ORDER BY t.xid DESC LIMIT 1), 0)
$f$;

-- What a snapshot means is set here, whatever the INSERT says.
CREATE FUNCTION custody.stamp_snapshot() RETURNS trigger
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
  NEW.pg_snapshot := pg_current_snapshot();
  NEW.event_floor := custody.event_floor(latest.number, NEW.pg_snapshot);
  NEW.taken_at := clock_timestamp();
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_stamp BEFORE INSERT ON public.audit_snapshot
  FOR EACH ROW EXECUTE FUNCTION custody.stamp_snapshot();
ALTER TABLE public.audit_snapshot ENABLE ALWAYS TRIGGER custody_stamp;

-- How long it is kept may change; what it says may not.
CREATE FUNCTION custody.snapshot_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF (to_jsonb(NEW) - 'kept_until' - 'hold') IS DISTINCT FROM (to_jsonb(OLD) - 'kept_until' - 'hold') THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: what a snapshot says is not rewritten';
  END IF;
  IF NEW.kept_until IS DISTINCT FROM OLD.kept_until AND NEW.kept_until < now() + interval '1 day' THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a snapshot is kept for another day at least';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_stays BEFORE UPDATE ON public.audit_snapshot
  FOR EACH ROW EXECUTE FUNCTION custody.snapshot_stays();
ALTER TABLE public.audit_snapshot ENABLE ALWAYS TRIGGER custody_stays;

-- A table of a snapshot is measured once.
CREATE FUNCTION custody.measured_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.measured_at IS NOT NULL
     OR (to_jsonb(NEW) - '{rows,live_rows,checksum,measured_at}'::text[])
        IS DISTINCT FROM (to_jsonb(OLD) - '{rows,live_rows,checksum,measured_at}'::text[]) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: what was measured of a snapshot is not rewritten';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_once BEFORE UPDATE ON public.audit_snapshottable
  FOR EACH ROW EXECUTE FUNCTION custody.measured_once();
ALTER TABLE public.audit_snapshottable ENABLE ALWAYS TRIGGER custody_once;

-- Snapshots whose time is over go, unless somebody holds them; of ticks older than thirty days one per hour stays.
CREATE FUNCTION custody.tidy_snapshots() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  gone bigint;
BEGIN
  PERFORM set_config('custody.all_tenants', 'on', true);
  DELETE FROM public.audit_snapshottable t USING public.audit_snapshot s
   WHERE s.tenant_id = t.tenant_id AND s.id = t.snapshot_id AND s.kept_until < now() AND NOT s.hold;
  DELETE FROM public.audit_snapshot WHERE kept_until < now() AND NOT hold;
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM public.audit_tick t WHERE t.at < now() - interval '30 days' AND EXISTS (
    SELECT FROM public.audit_tick f WHERE f.at >= date_trunc('hour', t.at) AND f.at < t.at);
  PERFORM set_config('custody.all_tenants', '', true);
  RETURN gone;
END $f$;
