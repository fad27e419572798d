-- A comment is edited by its own writer, for five minutes on the database's clock, and the first wording stays.
CREATE FUNCTION custody.comment_edit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NOT EXISTS (SELECT FROM public.approvals_comment c
                  WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.edit_of_id AND c.ticket_id = NEW.ticket_id
                    AND c.edit_of_id IS NULL AND c.person_id = NEW.person_id
                    AND c.created_at > clock_timestamp() - interval '5 minutes') THEN
    RAISE check_violation USING
      CONSTRAINT = 'approvals_comment_edit', MESSAGE = format('custody: comment %s stays as it is', NEW.edit_of_id);
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_edit BEFORE INSERT ON public.approvals_comment
  FOR EACH ROW WHEN (NEW.edit_of_id IS NOT NULL) EXECUTE FUNCTION custody.comment_edit();
ALTER TABLE public.approvals_comment ENABLE ALWAYS TRIGGER custody_edit;

-- When it was written is not for the writer to say.
CREATE FUNCTION custody.comment_time() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  NEW.created_at := clock_timestamp();
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_time BEFORE INSERT ON public.approvals_comment
  FOR EACH ROW EXECUTE FUNCTION custody.comment_time();
ALTER TABLE public.approvals_comment ENABLE ALWAYS TRIGGER custody_time;
