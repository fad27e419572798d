-- The usual chunk touches exactly the rows frozen in its range, in their order: two equal arrays of keys tell. Where rows
-- were skipped or came in another order, EXCEPT, not a join: the planner has no statistics of fresh frozen rows and would
-- loop over one inside the other. No frozen row at all is no equality but NULL, and NULL would refuse nothing. The engine
-- names the part and range of its chunk in custody.chunk; whoever forges that narrows what is looked at, and opens nothing.
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
        THEN format('SELECT (coalesce((SELECT array_agg(n.%1$I::bigint) FROM %2$s n) '
                    '= (SELECT array_agg(q.position) FROM (SELECT r.position %3$s ORDER BY r.position) q), false) '
                    'OR NOT EXISTS (SELECT n.%1$I::bigint FROM %2$s n EXCEPT SELECT r.position %3$s))',
                    keys[1], touched, frozen)
        ELSE format('SELECT NOT EXISTS (SELECT jsonb_build_array(%s) FROM %s n EXCEPT SELECT r.key %s)',
                    (SELECT string_agg(format('n.%I::text', k), ', ' ORDER BY o) FROM unnest(keys) WITH ORDINALITY u(k, o)),
                    touched, frozen)
      END || CASE WHEN operation = '-' THEN '' ELSE custody.only_columns(relation, keys, part.columns) END;
  END LOOP;
END $f$;
