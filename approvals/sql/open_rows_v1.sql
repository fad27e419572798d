-- No two open tickets hold the same row. Each ticket that opens writes the line of every table it holds (in the order of
-- their names, so nobody deadlocks): of two at once the second waits for the first, and then, its snapshot being older, is
-- refused by PostgreSQL (40001) and freezes anew. What is frozen by other open changes is looked at after that.

-- Whether rows lo to hi of two parts have one in common; its position. One function for a few rows, which are looked up
-- one by one, and one for many, where both are read once in order: fresh rows have no statistics to choose by.
CREATE FUNCTION custody.shared_row_few(tenant integer, small bigint, small_part smallint, large bigint, large_part smallint, lo bigint, hi bigint)
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $f$
  SELECT s.position FROM public.changes_frozenrow s
   WHERE s.tenant_id = $1 AND s.change_id = $2 AND s.part = $3 AND s.position BETWEEN $6 AND $7
     AND EXISTS (SELECT FROM public.changes_frozenrow l
                  WHERE l.tenant_id = $1 AND l.change_id = $4 AND l.part = $5 AND l.position = s.position OFFSET 0)
   ORDER BY s.position LIMIT 1
$f$;

CREATE FUNCTION custody.shared_row_many(tenant integer, small bigint, small_part smallint, large bigint, large_part smallint, lo bigint, hi bigint)
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_nestloop = off SET enable_sort = off SET jit = off AS $f$
  SELECT s.position FROM public.changes_frozenrow s
    JOIN public.changes_frozenrow l ON l.position = s.position
   WHERE s.tenant_id = $1 AND s.change_id = $2 AND s.part = $3 AND s.position BETWEEN $6 AND $7
     AND l.tenant_id = $1 AND l.change_id = $4 AND l.part = $5 AND l.position BETWEEN $6 AND $7
   LIMIT 1
$f$;

-- The same for tables whose keys are no integers: a position is only a place in an order there, the key says which row.
CREATE FUNCTION custody.shared_key(tenant integer, small bigint, small_part smallint, large bigint, large_part smallint)
RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET enable_mergejoin = off SET jit = off SET work_mem = '64MB' AS $f$
  SELECT s.key::text FROM public.changes_frozenrow s
    JOIN public.changes_frozenrow l ON l.key = s.key
   WHERE s.tenant_id = $1 AND s.change_id = $2 AND s.part = $3
     AND l.tenant_id = $1 AND l.change_id = $4 AND l.part = $5
   LIMIT 1
$f$;

-- The first open change that holds a row this one holds too: its number, the table, the row's key. Open is what waits for
-- approval, is ready to start or has begun and not ended. Rows that an import adds are nobody else's yet.
CREATE FUNCTION custody.holds_same_rows(tenant integer, change bigint, OUT other bigint, OUT entity text, OUT key text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
#variable_conflict use_column
DECLARE
  pair record;
  mine record;
  theirs record;
  found_at bigint;
BEGIN
  FOR pair IN
    SELECT m.part AS part, m.rows AS rows, m.entity AS held, t.change_id AS of_change, t.part AS of_part, t.rows AS of_rows
      FROM public.changes_changepart m
      JOIN public.changes_changepart t ON t.tenant_id = m.tenant_id AND t.entity = m.entity AND t.change_id <> m.change_id
      JOIN public.changes_change c ON c.tenant_id = t.tenant_id AND c.id = t.change_id
     WHERE m.tenant_id = $1 AND m.change_id = $2 AND m.rows > 0 AND t.rows > 0 AND m.effect <> 'create' AND t.effect <> 'create'
       AND c.state IN ('waiting', 'cleared', 'running', 'paused', 'cancelling')
     ORDER BY t.change_id, m.part, t.part
  LOOP
    SELECT min(r.position) AS lo, max(r.position) AS hi INTO mine FROM public.changes_frozenrow r
     WHERE r.tenant_id = $1 AND r.change_id = $2 AND r.part = pair.part;
    IF (SELECT r.key IS NOT NULL FROM public.changes_frozenrow r WHERE r.tenant_id = $1 AND r.change_id = $2
           AND r.part = pair.part AND r.position = mine.lo) THEN
      key := custody.shared_key($1, $2, pair.part, pair.of_change, pair.of_part);
    ELSE
      SELECT min(r.position) AS lo, max(r.position) AS hi INTO theirs FROM public.changes_frozenrow r
       WHERE r.tenant_id = $1 AND r.change_id = pair.of_change AND r.part = pair.of_part;
      CONTINUE WHEN theirs.lo > mine.hi OR theirs.hi < mine.lo;
      IF least(pair.rows, pair.of_rows) > 2000 THEN
        found_at := custody.shared_row_many($1, $2, pair.part, pair.of_change, pair.of_part,
                                            greatest(mine.lo, theirs.lo), least(mine.hi, theirs.hi));
      ELSIF pair.rows <= pair.of_rows THEN
        found_at := custody.shared_row_few($1, $2, pair.part, pair.of_change, pair.of_part, mine.lo, mine.hi);
      ELSE
        found_at := custody.shared_row_few($1, pair.of_change, pair.of_part, $2, pair.part, theirs.lo, theirs.hi);
      END IF;
      key := found_at::text;
    END IF;
    IF key IS NOT NULL THEN
      other := pair.of_change;
      entity := pair.held;
      RETURN;
    END IF;
  END LOOP;
END $f$;

CREATE FUNCTION custody.rows_are_free() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  held record;
BEGIN
  INSERT INTO public.approvals_opentable (tenant_id, entity, change_id)
    SELECT DISTINCT p.tenant_id, p.entity, NEW.change_id FROM public.changes_changepart p
     WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.change_id ORDER BY p.entity
    ON CONFLICT (tenant_id, entity) DO UPDATE SET change_id = EXCLUDED.change_id;
  SELECT * INTO held FROM custody.holds_same_rows(NEW.tenant_id, NEW.change_id);
  IF held.other IS NOT NULL THEN
    RAISE exclusion_violation USING
      CONSTRAINT = 'approvals_ticket_rows_are_free',
      MESSAGE = format('custody: change %s holds rows of %s that change %s holds too', held.other, held.entity, NEW.change_id),
      DETAIL = jsonb_build_object('change', held.other, 'entity', held.entity, 'key', held.key)::text;
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_rows_are_free BEFORE INSERT ON public.approvals_ticket
  FOR EACH ROW EXECUTE FUNCTION custody.rows_are_free();
ALTER TABLE public.approvals_ticket ENABLE ALWAYS TRIGGER custody_rows_are_free;
