-- The last guard: what one login may change of a governed table without an approved change. Two sums decide, that of
-- the transaction and that of the last ten minutes, in buckets of a minute; events are never scanned.
--
-- Not logged in WAL: a bucket matters for ten minutes, and each write would pay for it. After a crash of the server or
-- a failover the window starts anew; the sum of a transaction loses nothing, since the transaction is gone too.
CREATE UNLOGGED TABLE custody.write_bucket (
  place text COLLATE "C" NOT NULL,
  tenant integer NOT NULL,
  who text COLLATE "C" NOT NULL,
  minute timestamptz NOT NULL,
  pid integer NOT NULL,
  rows bigint NOT NULL,
  check_at bigint NOT NULL,
  tx xid8 NOT NULL,
  tx_rows bigint NOT NULL,
  PRIMARY KEY (place, tenant, who, minute, pid)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.5, autovacuum_vacuum_threshold = 1000);
CREATE INDEX write_bucket_pid ON custody.write_bucket (pid, minute);

-- Whether the owner has said why it changes many rows: SET custody.mass_write = 'why'. Nobody else is heard.
CREATE FUNCTION custody.mass_write() RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN nullif(current_setting('custody.mass_write', true), '') IS NOT NULL
             AND pg_has_role(session_user, 'custody_owner', 'MEMBER')
            THEN current_setting('custody.mass_write', true) END;

-- Whom the window counts: the person the application names, its service, any other login itself.
CREATE FUNCTION custody.writer(context jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN pg_has_role(session_user, 'custody_app', 'MEMBER') AND NOT pg_has_role(session_user, 'custody_owner', 'MEMBER')
            THEN coalesce('person ' || (context->>'person'), context->>'name', session_user) ELSE session_user END;

-- The exemption of this very login, agreed to, not withdrawn, not expired: how much it may change of the table in one
-- transaction and in the window. Of several the widest counts.
CREATE FUNCTION custody.exemption(place text, tenant integer, OUT id bigint, OUT transaction_rows bigint, OUT window_rows bigint)
LANGUAGE sql STABLE AS $f$
  SELECT e.id, e.transaction_rows, e.window_rows
    FROM public.audit_exemption e JOIN public.audit_governedtable g ON g.entity = e.entity
   WHERE g.table_name = place AND e.tenant_id = tenant AND e.role = session_user AND e.agreed_at IS NOT NULL
     AND e.withdrawn_at IS NULL AND e.expires_at > clock_timestamp()
     AND NOT pg_has_role(session_user, 'custody_app', 'MEMBER')
   ORDER BY e.transaction_rows DESC, e.window_rows DESC LIMIT 1
$f$;

CREATE FUNCTION custody.refuse_sum(place text, amount bigint, allowed bigint, period text) RETURNS void
LANGUAGE plpgsql AS $f$
BEGIN
  RAISE insufficient_privilege USING
    MESSAGE = format('custody: %s rows of %s %s refused: more than %s need an approved change', amount, place, period, allowed),
    HINT = CASE
      WHEN pg_has_role(session_user, 'custody_owner', 'MEMBER')
        THEN 'Ask with "New change" in the console; or, as the owner, say why first: SET custody.mass_write = ''why''.'
      WHEN pg_has_role(session_user, 'custody_app', 'MEMBER')
        THEN 'Ask with "New change" in the console or POST /api/v1/changes/.'
      ELSE 'Ask with "New change" in the console or POST /api/v1/changes/; for a program of its own, ask for an exemption at /api/v1/exemptions/.'
    END;
END $f$;

-- The rare part of a write's weighing: more than one row in the transaction, or a window to be summed. Returns what the
-- event says about it. `total` is the sum of the transaction so far.
--
-- Above a tenth of the limit the transaction holds its writer's gate, so that several open ones cannot each hide
-- from the others. The gate is a row, not an advisory lock: in REPEATABLE READ a second holder fails with 40001
-- instead of summing what it cannot see.
CREATE FUNCTION custody.weigh_sum(place text, tenant integer, who text, at timestamptz, amount bigint, total bigint, due boolean)
RETURNS jsonb
LANGUAGE plpgsql AS $f$
#variable_conflict use_variable
DECLARE
  this timestamptz := date_bin('1 minute', at, '2000-01-01 00:00:00+00');
  row_limit bigint;
  window_limit bigint;
  leave record;
  spent bigint;
  facts jsonb;
BEGIN
  -- A table without limits has lost them: then nothing but single rows passes.
  SELECT t.row_limit, t.window_rows INTO row_limit, window_limit FROM public.audit_governedtable t WHERE t.table_name = place;
  row_limit := coalesce(row_limit, 1);
  window_limit := coalesce(window_limit, row_limit);
  IF total > greatest(row_limit, 1) THEN
    SELECT * INTO leave FROM custody.exemption(place, tenant);
    IF leave.id IS NULL OR total > leave.transaction_rows THEN
      PERFORM custody.refuse_sum(place, total, coalesce(leave.transaction_rows, row_limit),
        CASE WHEN total = amount THEN 'at once' ELSE 'in one transaction' END);
    END IF;
    facts := jsonb_build_object('exemption', leave.id);
  END IF;
  IF total > row_limit / 10 AND total > 1 AND total - amount <= greatest(row_limit / 10, 1) THEN
    INSERT INTO custody.write_bucket AS g (place, tenant, who, minute, pid, rows, check_at, tx, tx_rows)
    VALUES (place, tenant, who, '-infinity', 0, 0, extract(epoch FROM at)::bigint, pg_current_xact_id(), 0)
    ON CONFLICT ON CONSTRAINT write_bucket_pkey DO UPDATE SET tx = excluded.tx, check_at = excluded.check_at;
    due := true;
  END IF;
  IF NOT due THEN RETURN facts; END IF;
  SELECT sum(b.rows) INTO spent FROM custody.write_bucket b
   WHERE b.place = place AND b.tenant = tenant AND b.who = who AND b.minute >= this - interval '10 minutes';
  IF spent > greatest(window_limit, 1) THEN
    SELECT * INTO leave FROM custody.exemption(place, tenant);
    IF leave.id IS NULL OR spent > leave.window_rows THEN
      PERFORM custody.refuse_sum(place, spent, coalesce(leave.window_rows, window_limit), 'within ten minutes');
    END IF;
    RETURN jsonb_build_object('exemption', leave.id);  -- and the next write sums again, so that its event says so too
  END IF;
  UPDATE custody.write_bucket b SET check_at = b.rows + greatest(window_limit / 40, 1)
   WHERE b.place = place AND b.tenant = tenant AND b.who = who AND b.minute = this AND b.pid = pg_backend_pid();
  RETURN facts;
END $f$;

-- Weigh one UPDATE, DELETE or TRUNCATE that no running change covers: one upsert, and rarely more. The transaction is
-- summed over all its buckets, whatever person or tenant it claimed for each: what a caller says decides the window only.
CREATE FUNCTION custody.weigh_write(place text, tenant integer, context jsonb, at timestamptz, amount bigint) RETURNS jsonb
LANGUAGE plpgsql AS $f$
#variable_conflict use_variable
DECLARE
  who text := custody.writer(context);
  now_tx xid8 := pg_current_xact_id();
  of_tenant integer := coalesce(tenant, 0);
  due boolean;
  total bigint;
BEGIN
  INSERT INTO custody.write_bucket AS b (place, tenant, who, minute, pid, rows, check_at, tx, tx_rows)
  VALUES (place, of_tenant, who, date_bin('1 minute', at, '2000-01-01 00:00:00+00'), pg_backend_pid(), amount, 0, now_tx, amount)
  ON CONFLICT ON CONSTRAINT write_bucket_pkey DO UPDATE SET rows = b.rows + amount, tx = now_tx,
    tx_rows = CASE WHEN b.tx = now_tx THEN b.tx_rows ELSE 0 END + amount
  RETURNING b.rows >= b.check_at, amount + coalesce((
    SELECT sum(o.tx_rows) FROM custody.write_bucket o
     WHERE o.pid = pg_backend_pid() AND o.minute >= date_bin('1 minute', now(), '2000-01-01 00:00:00+00')
       AND o.tx = now_tx AND o.place = place), 0) INTO due, total;
  IF due OR total > 1 THEN RETURN custody.weigh_sum(place, of_tenant, who, at, amount, total, due); END IF;
  RETURN NULL;
END $f$;

-- Forget buckets that no window reads any more. Harmless whoever calls it.
CREATE FUNCTION custody.forget_buckets() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  WITH old AS (
    SELECT b.ctid FROM custody.write_bucket b
     WHERE CASE b.pid WHEN 0 THEN b.check_at < extract(epoch FROM clock_timestamp()) - 86400
                      ELSE b.minute < clock_timestamp() - interval '15 minutes' END
       FOR UPDATE SKIP LOCKED),
  gone AS (DELETE FROM custody.write_bucket b USING old WHERE b.ctid = old.ctid RETURNING 1)
  SELECT count(*) FROM gone
$f$;

-- Replaced by the engine's own migration; below it no change runs and none covers anything. `hold_change` keeps a
-- running change running until the transaction ends; `coverage` yields one query per part that fits the operation,
-- over the transition tables `changed` and `before`: whether every row is frozen in it and only its columns changed.
CREATE FUNCTION custody.hold_change(change bigint, tenant integer) RETURNS boolean
LANGUAGE sql STABLE
AS 'SELECT false';

CREATE FUNCTION custody.coverage(change bigint, tenant integer, place text, relation oid, operation text, keys text[]) RETURNS SETOF text
LANGUAGE sql STABLE
AS 'SELECT NULL::text WHERE false';

CREATE FUNCTION custody.refuse_uncovered(place text, change bigint, amount bigint) RETURNS void
LANGUAGE plpgsql AS $f$
BEGIN
  RAISE insufficient_privilege USING
    MESSAGE = format('custody: %s rows of %s refused: change %s did not freeze all of them for this', amount, place, change),
    HINT = 'Ask for these rows with "New change" in the console or POST /api/v1/changes/.';
END $f$;
