-- Virtual generated columns exist from PostgreSQL 18 on.
CREATE SCHEMA virtual;
CREATE TABLE virtual.item (
  id integer PRIMARY KEY,
  price numeric(10, 2) NOT NULL,
  amount integer NOT NULL,
  total numeric GENERATED ALWAYS AS (price * amount) VIRTUAL,
  kept numeric GENERATED ALWAYS AS (price * amount) STORED
);
INSERT INTO virtual.item SELECT n, n * 1.5, n FROM generate_series(1, 10) n;
