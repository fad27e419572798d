-- Weigh one UPDATE, DELETE or TRUNCATE that no running change covers: one upsert, and rarely more. The transaction is
-- summed over all its buckets, whatever person or tenant it claimed for each: what a caller says decides the window only.
--
-- A statement that is alone in its transaction has no other bucket to sum, and most are. The bucket's command number tells:
-- the statement was the transaction's command 0, so its bucket is written by command 1. Every write before it, also one of
-- a function that the statement calls, would have raised that number; neither a savepoint nor a setting lowers it.
CREATE OR REPLACE FUNCTION custody.weigh_write(place text, tenant integer, context jsonb, at timestamptz, amount bigint) RETURNS jsonb
LANGUAGE plpgsql AS $f$
#variable_conflict use_variable
DECLARE
  who text := custody.writer(context);
  now_tx xid8 := pg_current_xact_id();
  of_tenant integer := coalesce(tenant, 0);
  due boolean;
  alone boolean;
  total bigint := amount;
BEGIN
  INSERT INTO custody.write_bucket AS b (place, tenant, who, minute, pid, rows, check_at, tx, tx_rows)
  VALUES (place, of_tenant, who, date_bin('1 minute', at, '2000-01-01 00:00:00+00'), pg_backend_pid(), amount, 0, now_tx, amount)
  ON CONFLICT ON CONSTRAINT write_bucket_pkey DO UPDATE SET rows = b.rows + amount, tx = now_tx,
    tx_rows = CASE WHEN b.tx = now_tx THEN b.tx_rows ELSE 0 END + amount
  RETURNING b.rows >= b.check_at, b.cmin = '1'::cid INTO due, alone;
  IF NOT alone THEN
    SELECT greatest(amount, sum(o.tx_rows)) INTO total FROM custody.write_bucket o
     WHERE o.pid = pg_backend_pid() AND o.minute >= date_bin('1 minute', now(), '2000-01-01 00:00:00+00')
       AND o.tx = now_tx AND o.place = place;
  END IF;
  IF due OR total > 1 THEN RETURN custody.weigh_sum(place, of_tenant, who, at, amount, total, due); END IF;
  RETURN NULL;
END $f$;
