-- How long a row stays in the recycle bin under a policy, NULL where nobody has said so: such rows are never removed.
-- audit/retention.py says the same of the names.
CREATE FUNCTION custody.retention(policy text) RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
  SELECT CASE
    WHEN policy ~ '(^|_)[0-9]{1,4}d$' THEN make_interval(days => substring(policy from '([0-9]+)d$')::integer)
    WHEN policy ~ '(^|_)[0-9]{1,4}y$' THEN make_interval(years => substring(policy from '([0-9]+)y$')::integer)
    ELSE (SELECT p.keep FROM public.audit_retentionpolicy p WHERE p.name = policy) END
$f$;
