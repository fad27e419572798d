-- What a running change covers: rows of the tables it froze, as many as it froze. Its own events are the count, so
-- a chunk that was rolled back counts for nothing and one that was repeated counts once.
CREATE OR REPLACE FUNCTION custody.change_covers(change bigint, tenant integer, place text, amount bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT custody.change_is_running(change)
     AND amount + (SELECT coalesce(sum(e.affected_rows), 0) FROM public.audit_event e
                    WHERE e.change_id = change AND e.tenant_id = tenant AND e.target_table = place AND e.operation = '~')
         <= (SELECT coalesce(sum(p.rows), 0) FROM public.changes_changepart p
               JOIN public.audit_governedtable g ON g.entity = p.entity
              WHERE p.change_id = change AND p.tenant_id = tenant AND g.table_name = place)
$f$;
