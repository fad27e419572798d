-- A change that waits for approval may be sent back: it is a draft again, is written anew and frozen anew under its number.
CREATE OR REPLACE FUNCTION custody.change_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.state <> NEW.state AND NOT (CASE OLD.state
      WHEN 'draft' THEN NEW.state IN ('frozen', 'refused')
      WHEN 'frozen' THEN NEW.state IN ('waiting', 'cleared', 'refused')
      WHEN 'waiting' THEN NEW.state IN ('cleared', 'refused', 'draft')
      WHEN 'cleared' THEN NEW.state IN ('running', 'refused', 'waiting')
      WHEN 'running' THEN NEW.state IN ('done', 'paused', 'cancelling', 'failed')
      WHEN 'paused' THEN NEW.state IN ('running', 'cancelling')
      WHEN 'cancelling' THEN NEW.state IN ('cancelled', 'done', 'failed')
      WHEN 'failed' THEN NEW.state = 'running'
      ELSE false END) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a change that is %s cannot become %s', OLD.state, NEW.state);
  END IF;
  IF OLD.state <> 'draft' AND (OLD.digest, OLD.operation, OLD.entity, OLD.rows_selected, OLD.rows_total,
      OLD.requester_person_id, OLD.requested_by_id, OLD.reason, OLD.title, OLD.undo_of_id, OLD.options, OLD.selection,
      OLD.schema_fingerprint, OLD.frozen_at, OLD.approvals_least, OLD.retry_of_id)
      IS DISTINCT FROM (NEW.digest, NEW.operation, NEW.entity, NEW.rows_selected, NEW.rows_total,
      NEW.requester_person_id, NEW.requested_by_id, NEW.reason, NEW.title, NEW.undo_of_id, NEW.options, NEW.selection,
      NEW.schema_fingerprint, NEW.frozen_at, NEW.approvals_least, NEW.retry_of_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a frozen change is not rewritten';
  END IF;
  IF OLD.drift_accepted <> NEW.drift_accepted AND NOT (OLD.state = 'waiting' AND NEW.state = 'cleared') THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: drift is accepted by a vote only';
  END IF;
  IF OLD.state = 'draft' AND NEW.state = 'frozen' AND EXISTS (
      SELECT FROM (SELECT r.part, count(*) AS rows FROM public.changes_frozenrow r
                    WHERE r.tenant_id = NEW.tenant_id AND r.change_id = NEW.id GROUP BY r.part) f
      FULL JOIN (SELECT p.part, p.rows FROM public.changes_changepart p
                  WHERE p.tenant_id = NEW.tenant_id AND p.change_id = NEW.id) p USING (part)
      WHERE coalesce(f.rows, 0) IS DISTINCT FROM p.rows) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: the parts of change %s do not count its frozen rows', NEW.id);
  END IF;
  RETURN NEW;
END $f$;

-- Forget what an earlier freeze of a draft took: its rows, parts and conflicts. Lines of a file stay, and belong to no part.
CREATE FUNCTION custody.thaw(change bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  PERFORM FROM public.changes_change c
    WHERE c.tenant_id = custody.tenant() AND c.id = $1 AND c.state = 'draft' FOR UPDATE;
  IF NOT FOUND THEN
    RAISE integrity_constraint_violation USING MESSAGE = format('custody: change %s is no draft', $1);
  END IF;
  DELETE FROM public.changes_frozenrow r WHERE r.tenant_id = custody.tenant() AND r.change_id = $1;
  DELETE FROM public.changes_skippedrow s WHERE s.tenant_id = custody.tenant() AND s.change_id = $1;
  DELETE FROM public.changes_changepart p WHERE p.tenant_id = custody.tenant() AND p.change_id = $1;
  UPDATE public.changes_importrow i SET part = NULL
   WHERE i.tenant_id = custody.tenant() AND i.change_id = $1 AND i.part IS NOT NULL;
END $f$;
