-- Legal holds. A hold's terms stay as they were placed, and it is lifted once; a chunk that changed a row on hold
-- does not commit; a purge leaves such rows where they are.

CREATE FUNCTION custody.is_held(the_tenant integer, the_entity text, the_position bigint, the_key jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $f$
  SELECT EXISTS (
    SELECT FROM public.changes_hold h
     WHERE h.tenant_id = the_tenant AND h.lifted_at IS NULL
       AND (h.scope = 'tenant' OR h.entity = the_entity AND (h.scope = 'table' OR EXISTS (
         SELECT FROM public.changes_heldrow x
          WHERE x.tenant_id = h.tenant_id AND x.hold_id = h.id AND x.key = coalesce(the_key::text, the_position::text)))))
$f$;

CREATE FUNCTION custody.hold_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.placed_at := clock_timestamp();
    IF NEW.lifted_at IS NOT NULL THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'custody: a hold is not placed lifted';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.id, OLD.tenant_id, OLD.name, OLD.matter, OLD.reason, OLD.scope, OLD.entity, OLD.selection, OLD.rows,
      OLD.placed_at, OLD.placed_person_id, OLD.placed_name)
     IS DISTINCT FROM (NEW.id, NEW.tenant_id, NEW.name, NEW.matter, NEW.reason, NEW.scope, NEW.entity, NEW.selection,
      NEW.rows, NEW.placed_at, NEW.placed_person_id, NEW.placed_name) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: the terms of a hold are not rewritten';
  END IF;
  IF OLD.lifted_at IS NOT NULL AND OLD IS DISTINCT FROM NEW THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'custody: a hold is lifted once';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_step BEFORE INSERT OR UPDATE ON public.changes_hold
  FOR EACH ROW EXECUTE FUNCTION custody.hold_step();
ALTER TABLE public.changes_hold ENABLE ALWAYS TRIGGER custody_step;

-- Rows on hold of a chunk's range must be among those it left alone. It is asked after the chunk's statement, so it sees a
-- hold that was placed while the chunk worked; as a serialization failure the chunk is tried again, and then leaves them.
CREATE FUNCTION custody.refuse_held() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  p record;
BEGIN
  IF NOT EXISTS (SELECT FROM public.changes_hold h WHERE h.tenant_id = NEW.tenant_id AND h.lifted_at IS NULL)
     OR NOT EXISTS (SELECT FROM public.changes_change c
                     WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.change_id AND c.state = 'running') THEN
    RETURN NEW;
  END IF;
  SELECT g.entity, g.effect INTO p FROM public.changes_changepart g
   WHERE g.tenant_id = NEW.tenant_id AND g.change_id = NEW.change_id AND g.part = NEW.part;
  IF p.effect NOT IN ('add', 'create') AND EXISTS (
      SELECT FROM public.changes_frozenrow r
       WHERE r.tenant_id = NEW.tenant_id AND r.change_id = NEW.change_id AND r.part = NEW.part
         AND r.position > OLD.cursor AND r.position <= NEW.cursor
         AND custody.is_held(r.tenant_id, p.entity, r.position, r.key)
         AND NOT EXISTS (SELECT FROM public.changes_skippedrow s WHERE s.tenant_id = r.tenant_id
                            AND s.change_id = r.change_id AND s.part = r.part AND s.position = r.position)) THEN
    RAISE serialization_failure USING
      MESSAGE = format('custody: change %s refused: rows of %s are under a legal hold', NEW.change_id, p.entity),
      HINT = 'Leave out the rows on hold, or have the hold lifted.';
  END IF;
  RETURN NEW;
END $f$;

CREATE TRIGGER custody_hold BEFORE UPDATE ON public.changes_lane
  FOR EACH ROW WHEN (NEW.cursor > OLD.cursor AND NEW.kind = 'rows') EXECUTE FUNCTION custody.refuse_held();
ALTER TABLE public.changes_lane ENABLE ALWAYS TRIGGER custody_hold;
