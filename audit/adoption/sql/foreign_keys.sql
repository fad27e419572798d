-- Foreign keys of one schema, as declared (not the copies PostgreSQL makes per partition). Parameter: schema.
SELECT k.conrelid::bigint,
       k.conname,
       (SELECT array_agg(a.attname::text ORDER BY c.place) FROM unnest(k.conkey) WITH ORDINALITY c (attnum, place)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum),
       tn.nspname,
       t.relname,
       (SELECT array_agg(a.attname::text ORDER BY c.place) FROM unnest(k.confkey) WITH ORDINALITY c (attnum, place)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.attnum),
       k.confdeltype::text,
       k.confupdtype::text,
       k.condeferrable
  FROM pg_constraint k
  JOIN pg_namespace n ON n.oid = k.connamespace
  JOIN pg_class t ON t.oid = k.confrelid
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE n.nspname = %s AND k.contype = 'f' AND k.conparentid = 0
 ORDER BY k.conrelid, k.conname;
