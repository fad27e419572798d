-- Whether a change froze every one of these rows. Both sides are read once: as a loop over ten thousand it would cost
-- more than the change itself.
CREATE OR REPLACE FUNCTION custody.change_holds(change bigint, tenant integer, place text, keys bigint[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $f$
  SELECT NOT EXISTS (
    SELECT FROM unnest(keys) k
      LEFT JOIN (
        SELECT r.position FROM public.changes_frozenrow r
         WHERE r.tenant_id = tenant AND r.change_id = change
           AND r.part = ANY (ARRAY(SELECT p.part FROM public.changes_changepart p, public.audit_governedtable g
                                    WHERE p.tenant_id = tenant AND p.change_id = change
                                      AND g.entity = p.entity AND g.table_name = place))
           AND r.position BETWEEN (SELECT min(x) FROM unnest(keys) x) AND (SELECT max(x) FROM unnest(keys) x)
      ) f ON f.position = k
     WHERE f.position IS NULL)
$f$;

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
