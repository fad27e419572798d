-- Small changes of one person count together: what needed nobody a moment ago needs somebody when ten minutes of it make
-- a large one. The same window, per table and tenant, as the guard weighs statements in (`audit/sql/guard_v1.sql`).
CREATE FUNCTION custody.window_full(tenant integer, change bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT EXISTS (
    SELECT FROM (SELECT p.entity, sum(p.rows) AS rows, min(n.requester_person_id) AS person
                   FROM public.changes_changepart p
                   JOIN public.changes_change n ON n.tenant_id = p.tenant_id AND n.id = p.change_id
                  WHERE p.tenant_id = window_full.tenant AND p.change_id = window_full.change GROUP BY p.entity) asked
      JOIN public.audit_governedtable g ON g.entity = asked.entity
     CROSS JOIN LATERAL (
       SELECT sum(q.rows) AS rows FROM public.changes_change c
         JOIN public.changes_changepart q ON q.tenant_id = c.tenant_id AND q.change_id = c.id AND q.entity = asked.entity
        WHERE c.tenant_id = window_full.tenant AND c.id <> window_full.change AND c.requester_person_id = asked.person
          AND c.frozen_at > clock_timestamp() - interval '10 minutes'
          AND c.state NOT IN ('draft', 'frozen', 'waiting', 'refused')
          AND NOT EXISTS (SELECT FROM public.approvals_ticket t WHERE t.tenant_id = c.tenant_id AND t.change_id = c.id)) done
     WHERE done.rows > 0 AND asked.rows + done.rows > g.window_rows)
$f$;

CREATE OR REPLACE FUNCTION custody.clearance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  enough boolean;
BEGIN
  IF NEW.approvals_least > 0 OR (OLD.state = 'frozen' AND custody.window_full(NEW.tenant_id, NEW.id)) OR EXISTS (SELECT FROM public.changes_changepart p
              LEFT JOIN public.audit_governedtable g ON g.entity = p.entity
              WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.id
              GROUP BY coalesce(g.row_limit, 0) HAVING sum(p.rows) > coalesce(g.row_limit, 0)) THEN
    SELECT count(DISTINCT v.person_id) >= max(t.required) AND count(DISTINCT v.person_id) >= NEW.approvals_least INTO enough
      FROM public.approvals_ticket t
      JOIN public.approvals_vote v ON v.tenant_id = t.tenant_id AND v.ticket_id = t.id AND v.round = t.round
     WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id AND t.state = 'approved' AND t.digest = NEW.digest
       AND v.decision = 'approve' AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id
       AND NOT EXISTS (SELECT FROM public.approvals_vote n
                        WHERE n.tenant_id = t.tenant_id AND n.ticket_id = t.id AND n.round = t.round AND n.decision = 'reject');
    IF enough IS NOT TRUE THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('custody: change %s has not been approved by enough others', NEW.id);
    END IF;
  END IF;
  RETURN NEW;
END $f$;
