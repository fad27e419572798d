-- Columns of one schema with their exact types. Parameter: schema. A domain is followed to its base type; the type
-- of an array's element and the labels of an enum come along.
WITH RECURSIVE column_type AS (
  SELECT a.attrelid, a.attnum, a.atttypid AS typid, a.atttypmod AS typmod, a.attndims::int AS ndims, false AS via_domain
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT q.attrelid, q.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE q.typmod END,
         greatest(q.ndims, t.typndims), true
    FROM column_type q JOIN pg_type t ON t.oid = q.typid WHERE t.typtype = 'd'
), base AS (
  SELECT q.* FROM column_type q JOIN pg_type t ON t.oid = q.typid WHERE t.typtype <> 'd'
)
SELECT a.attrelid::bigint,
       a.attname,
       a.attnum::int,
       format_type(a.atttypid, a.atttypmod),
       format_type(b.typid, b.typmod),
       bt.typname,
       bt.typtype::text,
       bn.nspname,
       b.typmod,
       CASE WHEN bt.typcategory = 'A' AND bt.typelem <> 0 THEN greatest(b.ndims, 1) ELSE 0 END,
       et.typname,
       et.typtype::text,
       en.nspname,
       b.via_domain,
       coalesce((SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
                  WHERE e.enumtypid = CASE WHEN bt.typcategory = 'A' THEN bt.typelem ELSE bt.oid END), '{}'),
       a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
       a.attgenerated::text,
       a.attidentity::text,
       coalesce(col_description(a.attrelid, a.attnum), '')
  FROM base b
  JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum
  JOIN pg_type bt ON bt.oid = b.typid
  JOIN pg_namespace bn ON bn.oid = bt.typnamespace
  LEFT JOIN pg_type et ON bt.typcategory = 'A' AND et.oid = bt.typelem
  LEFT JOIN pg_namespace en ON en.oid = et.typnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 ORDER BY a.attrelid, a.attnum;
