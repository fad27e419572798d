-- The engine's rules once more, in the database: a change takes only published steps, what was frozen stays
-- as it was frozen, and the capture can ask whether a change runs.

CREATE OR REPLACE FUNCTION custody.change_is_running(change bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT EXISTS (SELECT FROM public.changes_change c WHERE c.id = change AND c.state IN ('running', 'cancelling'))
$f$;

CREATE FUNCTION custody.change_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF OLD.state <> NEW.state AND NOT (CASE OLD.state
      WHEN 'draft' THEN NEW.state IN ('frozen', 'refused')
      WHEN 'frozen' THEN NEW.state IN ('waiting', 'cleared', 'refused')
      WHEN 'waiting' THEN NEW.state IN ('cleared', 'refused')
      WHEN 'cleared' THEN NEW.state IN ('running', 'refused')
      WHEN 'running' THEN NEW.state IN ('done', 'cancelling', 'failed')
      WHEN 'cancelling' THEN NEW.state IN ('cancelled', 'done', 'failed')
      WHEN 'failed' THEN NEW.state = 'running'
      ELSE false END) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = format('custody: a change that is %s cannot become %s', OLD.state, NEW.state);
  END IF;
  IF OLD.state <> 'draft' AND (OLD.digest, OLD.operation, OLD.entity, OLD.rows_selected, OLD.rows_total,
      OLD.requester_person_id, OLD.reason, OLD.title, OLD.undo_of_id)
      IS DISTINCT FROM (NEW.digest, NEW.operation, NEW.entity, NEW.rows_selected, NEW.rows_total,
      NEW.requester_person_id, NEW.reason, NEW.title, NEW.undo_of_id) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a frozen change is not rewritten';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_step BEFORE UPDATE ON public.changes_change FOR EACH ROW EXECUTE FUNCTION custody.change_step();
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_step;

CREATE FUNCTION custody.change_begin() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NEW.state <> 'draft' THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a change begins as a draft';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_begin BEFORE INSERT ON public.changes_change FOR EACH ROW EXECUTE FUNCTION custody.change_begin();
ALTER TABLE public.changes_change ENABLE ALWAYS TRIGGER custody_begin;

-- Rows join or leave a change only while it is being frozen. The check is per statement.
CREATE FUNCTION custody.frozen_rows_stay() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF EXISTS (SELECT FROM (SELECT DISTINCT change_id FROM touched) t JOIN public.changes_change c ON c.id = t.change_id
              WHERE c.state <> 'draft') THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: the rows of a frozen change are not rewritten';
  END IF;
  RETURN NULL;
END $f$;

CREATE TRIGGER custody_frozen_insert AFTER INSERT ON public.changes_frozenrow REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
CREATE TRIGGER custody_frozen_update AFTER UPDATE ON public.changes_frozenrow REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
CREATE TRIGGER custody_frozen_delete AFTER DELETE ON public.changes_frozenrow REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
ALTER TABLE public.changes_frozenrow ENABLE ALWAYS TRIGGER custody_frozen_insert;
ALTER TABLE public.changes_frozenrow ENABLE ALWAYS TRIGGER custody_frozen_update;
ALTER TABLE public.changes_frozenrow ENABLE ALWAYS TRIGGER custody_frozen_delete;
