-- Removing rows for good. The application's login has no DELETE on governed tables; these functions run as the owner and
-- ask for everything themselves: a running purge of the session's tenant, a part that removes, rows as they were frozen,
-- in the recycle bin, their retention passed, nothing pointing to them, every row of the change in cold storage before.

-- The part of a running purge, and its table as the catalog knows it: place, the match of row o with frozen row r, key
-- order, and the bounds of a range of positions where the key is a whole number.
CREATE FUNCTION custody.removal(
  the_change bigint, the_part integer,
  OUT entity text, OUT place regclass, OUT matched text, OUT ordered text, OUT bounds text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  mine integer := custody.tenant();
  said bigint := (custody.trusted_context()->>'change')::bigint;
  c record;
  isolated boolean;
BEGIN
  SELECT g.state, g.operation INTO c FROM public.changes_change g
   WHERE g.tenant_id = mine AND g.id = the_change FOR SHARE;
  IF NOT FOUND OR said IS DISTINCT FROM the_change THEN
    RAISE insufficient_privilege USING MESSAGE = format('custody: removing rows refused: %s is not the change at work', the_change);
  END IF;
  IF c.state <> 'running' OR c.operation <> 'purge' THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: removing rows refused: change %s is a %s and %s, not a running purge', the_change, c.operation, c.state),
      HINT = 'Ask for a purge with "New change" in the console or POST /api/v1/changes/.';
  END IF;
  SELECT p.entity INTO entity FROM public.changes_changepart p
   WHERE p.tenant_id = mine AND p.change_id = the_change AND p.part = the_part AND p.effect = 'remove';
  SELECT k.oid::regclass INTO place FROM public.audit_governedtable t
    JOIN (pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace) ON n.nspname || '.' || k.relname = t.table_name
   WHERE t.entity = removal.entity AND k.relkind IN ('r', 'p');
  IF entity IS NULL OR place IS NULL THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: removing rows refused: part %s of change %s removes nothing', the_part, the_change);
  END IF;
  isolated := EXISTS (SELECT FROM pg_policy y WHERE y.polrelid = place AND y.polname = 'custody_tenant');
  SELECT string_agg(
           CASE WHEN k.whole THEN format('o.%I = r.position', k.attname)
                ELSE format('o.%I = (r.key->>%s)::%s', k.attname, k.place - 1, k.kind) END, ' AND ' ORDER BY k.place)
           || CASE WHEN isolated THEN ' AND o.tenant_id = r.tenant_id' ELSE '' END,
         string_agg(format('o.%I', k.attname), ', ' ORDER BY k.place),
         coalesce(string_agg(format('o.%I > $4 AND o.%1$I <= $5', k.attname), '') FILTER (WHERE k.whole), 'true')
    INTO matched, ordered, bounds
    FROM (SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS kind, row_number() OVER (ORDER BY u.n) AS place,
                 count(*) OVER () = 1 AND a.atttypid IN (20, 21, 23) AS whole
            FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY u(attnum, n)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
           WHERE i.indrelid = place AND i.indisprimary AND NOT (isolated AND a.attname = 'tenant_id')) k;
END $f$;

-- Whether every frozen row of the change that is to be removed lies in a file that was read back.
CREATE FUNCTION custody.is_archived(the_change bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT NOT EXISTS (
    SELECT FROM public.changes_changepart p
     WHERE p.tenant_id = custody.tenant() AND p.change_id = the_change AND p.effect = 'remove'
       AND p.rows <> (SELECT coalesce(sum(f.frozen), 0) FROM public.audit_archivefile f
                       WHERE f.tenant_id = p.tenant_id AND f.change_id = p.change_id AND f.part = p.part))
$f$;

-- A file of the frozen rows (lo, hi], which has just been compared with the table. Files of a part follow one another
-- without a gap, and hold as many rows as are still as they were frozen: the database counts them once more itself.
CREATE FUNCTION custody.record_archive(
  the_change bigint, the_part integer, the_lo bigint, the_hi bigint,
  the_rows bigint, the_bytes bigint, the_sha256 text, the_schema text, the_path text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  mine integer := custody.tenant();
  t record := custody.removal(the_change, the_part);
  reached bigint;
  files integer;
  held bigint;
  counted bigint;
  fresh bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('custody.archive', the_change * 64 + the_part));
  SELECT max(f.hi), count(*) INTO reached, files FROM public.audit_archivefile f
   WHERE f.tenant_id = mine AND f.change_id = the_change AND f.part = the_part;
  SELECT count(*), coalesce(reached, min(r.position) - 1) INTO held, reached FROM public.changes_frozenrow r
   WHERE r.tenant_id = mine AND r.change_id = the_change AND r.part = the_part
     AND r.position > coalesce(reached, r.position - 1) AND r.position <= the_hi;
  EXECUTE format('SELECT count(*) FROM %s o JOIN public.changes_frozenrow r ON %s WHERE r.tenant_id = $1 AND r.change_id = $2 '
                 'AND r.part = $3 AND r.position > $4 AND r.position <= $5 AND %s AND o.is_deleted AND o.xmin = r.token',
                 t.place, t.matched, t.bounds)
    INTO counted USING mine, the_change, the_part, the_lo, the_hi;
  IF the_lo IS DISTINCT FROM reached OR held = 0 OR counted <> the_rows
     OR the_sha256 !~ '^[0-9a-f]{64}$' OR the_path NOT LIKE mine || '/%' OR the_bytes <= 0 THEN
    RAISE integrity_constraint_violation USING MESSAGE = format(
      'custody: archive of %s refused: %s rows after %s, where %s rows after %s are due', t.entity, the_rows, the_lo, counted, reached);
  END IF;
  INSERT INTO public.audit_archivefile (tenant_id, change_id, part, number, entity, lo, hi, frozen, rows, bytes, sha256,
      schema_fingerprint, path, verified_at)
  VALUES (mine, the_change, the_part, files, t.entity, the_lo, the_hi, held, the_rows, the_bytes, the_sha256, the_schema,
      the_path, clock_timestamp())
  RETURNING id INTO fresh;
  RETURN fresh;
END $f$;

-- Remove the rows of one chunk; returns their positions. Whatever still points to a row keeps it: the lock stops new
-- children first, so no foreign key is ever broken here, and none cascades.
CREATE FUNCTION custody.remove_rows(the_change bigint, the_part integer, the_lo bigint, the_hi bigint) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  mine integer := custody.tenant();
  t record := custody.removal(the_change, the_part);
  chosen text := 'r.tenant_id = $1 AND r.change_id = $2 AND r.part = $3 AND r.position > $4 AND r.position <= $5';
  alone text;
  before text := coalesce(current_setting('custody.all_tenants', true), '');
BEGIN
  IF NOT custody.is_archived(the_change) THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('custody: removing rows refused: change %s is not in the archive', the_change);
  END IF;
  chosen := format('%s AND %s AND o.is_deleted AND o.xmin = r.token AND o.deleted_at + custody.retention(o.retention_policy) <= now()',
                   chosen, t.bounds);
  SELECT coalesce(string_agg(format('AND (SELECT 1 FROM %s c WHERE %s%s LIMIT 1) IS NULL', f.conrelid::regclass,
      (SELECT string_agg(format('c.%I = o.%I', child.attname, parent.attname), ' AND ' ORDER BY k.n)
         FROM unnest(f.conkey, f.confkey) WITH ORDINALITY k(child, parent, n)
         JOIN pg_attribute child ON child.attrelid = f.conrelid AND child.attnum = k.child
         JOIN pg_attribute parent ON parent.attrelid = f.confrelid AND parent.attnum = k.parent),
      CASE WHEN f.conrelid = f.confrelid THEN ' AND c.ctid <> o.ctid' ELSE '' END), ' '), '') INTO alone
    FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = t.place;
  PERFORM set_config('custody.all_tenants', 'on', true);
  EXECUTE format('SELECT count(*) FROM (SELECT FROM %s o JOIN public.changes_frozenrow r ON %s WHERE %s ORDER BY %s FOR UPDATE OF o) q',
                 t.place, t.matched, chosen, t.ordered) USING mine, the_change, the_part, the_lo, the_hi;
  RETURN QUERY EXECUTE format('DELETE FROM %s o USING public.changes_frozenrow r WHERE %s AND %s %s RETURNING r.position',
                              t.place, t.matched, chosen, alone) USING mine, the_change, the_part, the_lo, the_hi;
  PERFORM set_config('custody.all_tenants', before, true);
END $f$;
