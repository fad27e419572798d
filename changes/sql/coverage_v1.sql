-- What a running change covers: the rows it froze, the operation that was approved, the columns of the part.

-- The lock makes a stop wait for the statement's transaction; a running change stays running until it ends.
CREATE OR REPLACE FUNCTION custody.hold_change(change bigint, tenant integer) RETURNS boolean
LANGUAGE plpgsql AS $f$
BEGIN
  PERFORM FROM public.changes_change c
    WHERE c.id = change AND c.tenant_id = tenant AND c.state = 'running' FOR SHARE;
  RETURN FOUND;
END $f$;

-- EXCEPT, not a join, against frozen rows: the planner has no statistics of fresh ones and would loop over one inside
-- the other. The engine names the part and range of its chunk in custody.chunk; whoever forges that narrows what
-- is looked at, and opens nothing.
CREATE OR REPLACE FUNCTION custody.coverage(change bigint, tenant integer, place text, relation oid, operation text, keys text[])
RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $f$
#variable_conflict use_variable
DECLARE
  chunk text[] := regexp_match(current_setting('custody.chunk', true), '^(\d{1,4}):(-?\d{1,19}):(-?\d{1,19})$');
  part record;
  integer_key boolean := cardinality(keys) = 1 AND (
    SELECT a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) FROM pg_attribute a
     WHERE a.attrelid = relation AND a.attname = keys[1]);
  touched text := CASE operation WHEN '-' THEN 'before' ELSE 'changed' END;
  frozen text;
  bounds text;
BEGIN
  FOR part IN
    SELECT p.part, p.columns FROM public.changes_changepart p JOIN public.audit_governedtable g ON g.entity = p.entity
     WHERE p.tenant_id = tenant AND p.change_id = change AND g.table_name = place
       AND CASE operation WHEN '-' THEN p.effect = 'remove' ELSE p.effect NOT IN ('remove', 'add') END
       AND (chunk IS NULL OR p.part = chunk[1]::smallint)
  LOOP
    bounds := CASE
      WHEN chunk IS NOT NULL THEN format('r.position > %L::bigint AND r.position <= %L::bigint', chunk[2], chunk[3])
      WHEN integer_key THEN format('r.position BETWEEN (SELECT min(n.%1$I) FROM %2$s n) AND (SELECT max(n.%1$I) FROM %2$s n)', keys[1], touched)
      ELSE 'true' END;
    frozen := format('FROM public.changes_frozenrow r WHERE r.tenant_id = %s AND r.change_id = %s AND r.part = %s AND %s',
                     tenant, change, part.part, bounds);
    RETURN NEXT CASE WHEN integer_key
        THEN format('SELECT NOT EXISTS (SELECT n.%I::bigint FROM %s n EXCEPT SELECT r.position %s)', keys[1], touched, frozen)
        ELSE format('SELECT NOT EXISTS (SELECT jsonb_build_array(%s) FROM %s n EXCEPT SELECT r.key %s)',
                    (SELECT string_agg(format('n.%I::text', k), ', ' ORDER BY o) FROM unnest(keys) WITH ORDINALITY u(k, o)),
                    touched, frozen)
      END || CASE WHEN operation = '-' THEN '' ELSE custody.only_columns(relation, keys, part.columns) END;
  END LOOP;
END $f$;

-- The condition that no column but these differs between `before` and `changed`, bit by bit. Both hold the rows in the
-- same order, so their images are compared as a whole: a join of the two by key costs more than a quarter of the chunk. The
-- keys are in it, so another order could only refuse. Generated columns follow from others. Where the table has
-- BEFORE UPDATE row triggers of its own, what they write cannot be told from what the statement wrote, and columns
-- are not compared.
CREATE FUNCTION custody.only_columns(relation oid, keys text[], written jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $f$
#variable_conflict use_variable
DECLARE
  others text;
BEGIN
  IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
              AND t.tgtype & 19 = 19 AND t.tgname NOT LIKE 'custody\_%') THEN
    RETURN '';
  END IF;
  SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) INTO others FROM pg_attribute a
   WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     AND (NOT written ? a.attname OR a.attname = ANY (keys));
  RETURN format(' AND record_image_eq(ROW((SELECT array_agg(ROW(%1$s)) FROM changed r)), '
                'ROW((SELECT array_agg(ROW(%1$s)) FROM before r)))', others);
END $f$;
