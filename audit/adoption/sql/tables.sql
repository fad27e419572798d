-- Relations of one schema. Parameter: schema. Partition leaves are read too; the survey folds them into their root.
SELECT c.oid::bigint,
       c.relname,
       c.relkind::text,
       c.relpersistence::text,
       pg_get_userbyid(c.relowner),
       pg_has_role(c.relowner, 'USAGE'),
       greatest(c.reltuples, 0)::bigint,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) ELSE 0 END,
       coalesce(obj_description(c.oid, 'pg_class'), ''),
       c.relrowsecurity,
       c.relforcerowsecurity,
       c.relispartition,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
       (SELECT ARRAY[pn.nspname, p.relname] FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
          JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1),
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
       coalesce((SELECT array_agg(t.tgname::text ORDER BY t.tgname) FROM pg_trigger t
                  WHERE t.tgrelid = c.oid AND NOT t.tgisinternal), '{}'),
       coalesce((SELECT array_agg(p.polname::text ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = c.oid), '{}')
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY c.relname;
