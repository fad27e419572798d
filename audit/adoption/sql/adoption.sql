-- What adoption has done, so that a run that was cut short goes on and a reverse takes back only what was added.
CREATE TABLE IF NOT EXISTS custody.adopted_table (
  schema_name text NOT NULL,
  table_name text NOT NULL,
  app text NOT NULL,
  entity text NOT NULL,
  history_table text NOT NULL,
  key_columns text[] NOT NULL,
  -- From here on the triggers record; rows without history are as they were at this moment.
  recorded_from timestamptz,
  -- The audit event of the baseline: every baseline row carries it.
  baseline_event bigint NOT NULL,
  baseline_cursor jsonb,
  baseline_rows bigint NOT NULL DEFAULT 0,
  baseline_done_at timestamptz,
  PRIMARY KEY (schema_name, table_name)
);
CREATE TABLE IF NOT EXISTS custody.adoption_ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (schema_name, table_name, kind, name)
);
CREATE TABLE IF NOT EXISTS custody.adoption_export (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text NOT NULL,
  history_table text NOT NULL,
  last_history_id bigint NOT NULL,
  file text NOT NULL,
  exported_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON custody.adopted_table, custody.adoption_ledger, custody.adoption_export TO custody_app;
