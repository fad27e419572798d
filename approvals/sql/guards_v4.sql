-- A change that asks for approvals itself (it overwrites other people's work, it removes for good) needs them however few
-- its rows are.
CREATE OR REPLACE FUNCTION custody.clearance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  enough boolean;
BEGIN
  IF NEW.approvals_least > 0 OR EXISTS (SELECT FROM public.changes_changepart p
              LEFT JOIN public.audit_governedtable g ON g.entity = p.entity
              WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.id
              GROUP BY coalesce(g.row_limit, 0) HAVING sum(p.rows) > coalesce(g.row_limit, 0)) THEN
    SELECT count(DISTINCT v.person_id) >= max(t.required) AND count(DISTINCT v.person_id) >= NEW.approvals_least INTO enough
      FROM public.approvals_ticket t
      JOIN public.approvals_vote v ON v.tenant_id = t.tenant_id AND v.ticket_id = t.id
     WHERE t.tenant_id = NEW.tenant_id AND t.change_id = NEW.id AND t.state = 'approved' AND t.digest = NEW.digest
       AND v.decision = 'approve' AND v.digest = NEW.digest AND v.person_id <> NEW.requester_person_id
       AND NOT EXISTS (SELECT FROM public.approvals_vote n
                        WHERE n.tenant_id = t.tenant_id AND n.ticket_id = t.id AND n.decision = 'reject');
    IF enough IS NOT TRUE THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('custody: change %s has not been approved by enough others', NEW.id);
    END IF;
  END IF;
  RETURN NEW;
END $f$;
