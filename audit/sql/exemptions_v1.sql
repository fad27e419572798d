-- An exemption begins as a question, is agreed to once, withdrawn once, and its terms stay as they were asked for.
CREATE FUNCTION custody.exemption_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.asked_at := clock_timestamp();
    IF NEW.agreed_at IS NOT NULL OR NEW.withdrawn_at IS NOT NULL THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'custody: an exemption begins as a question';
    END IF;
    IF NEW.expires_at <= NEW.asked_at OR NEW.expires_at > NEW.asked_at + interval '366 days' THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'custody: an exemption expires within a year';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.id, OLD.tenant_id, OLD.entity, OLD.role, OLD.transaction_rows, OLD.window_rows, OLD.reason, OLD.expires_at,
      OLD.asked_at, OLD.asked_person_id, OLD.asked_name)
     IS DISTINCT FROM (NEW.id, NEW.tenant_id, NEW.entity, NEW.role, NEW.transaction_rows, NEW.window_rows, NEW.reason,
      NEW.expires_at, NEW.asked_at, NEW.asked_person_id, NEW.asked_name) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: the terms of an exemption are not rewritten';
  END IF;
  IF (OLD.agreed_at IS NOT NULL AND (OLD.agreed_at, OLD.agreed_person_id, OLD.agreed_name)
      IS DISTINCT FROM (NEW.agreed_at, NEW.agreed_person_id, NEW.agreed_name))
     OR (OLD.withdrawn_at IS NOT NULL AND OLD IS DISTINCT FROM NEW)
     OR (OLD.agreed_at IS NULL AND NEW.agreed_at IS NOT NULL AND OLD.expires_at <= clock_timestamp()) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: an exemption is agreed to once and withdrawn once';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_step BEFORE INSERT OR UPDATE ON public.audit_exemption
  FOR EACH ROW EXECUTE FUNCTION custody.exemption_step();
ALTER TABLE public.audit_exemption ENABLE ALWAYS TRIGGER custody_step;

-- The guard reads the exemptions of the tenant whose rows are written, whatever tenant the login has set.
CREATE POLICY custody_guard ON public.audit_exemption FOR SELECT TO custody_owner USING (true);
