-- Remove the rows of one chunk; returns their positions. Whatever still points to a row keeps it: the lock stops new
-- children first, so no foreign key is ever broken here, and none cascades. A row under a legal hold stays.
CREATE OR REPLACE FUNCTION custody.remove_rows(the_change bigint, the_part integer, the_lo bigint, the_hi bigint) RETURNS SETOF bigint
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
  IF EXISTS (SELECT FROM public.changes_hold h WHERE h.tenant_id = mine AND h.lifted_at IS NULL) THEN
    chosen := format('%s AND NOT custody.is_held(r.tenant_id, %L, r.position, r.key)', chosen, t.entity);
  END IF;
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
