-- The lines of an imported file stay as they were frozen, like the rows they change.
CREATE TRIGGER custody_frozen_insert AFTER INSERT ON public.changes_importrow REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
CREATE TRIGGER custody_frozen_update AFTER UPDATE ON public.changes_importrow REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
CREATE TRIGGER custody_frozen_delete AFTER DELETE ON public.changes_importrow REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION custody.frozen_rows_stay();
ALTER TABLE public.changes_importrow ENABLE ALWAYS TRIGGER custody_frozen_insert;
ALTER TABLE public.changes_importrow ENABLE ALWAYS TRIGGER custody_frozen_update;
ALTER TABLE public.changes_importrow ENABLE ALWAYS TRIGGER custody_frozen_delete;
