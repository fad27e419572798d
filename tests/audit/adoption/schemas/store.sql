-- A store that is open: its program writes all the time.
CREATE SCHEMA store;
CREATE TABLE store.customer (id integer PRIMARY KEY, name varchar(60) NOT NULL, visits integer NOT NULL DEFAULT 0);
CREATE TABLE store.sale (
  id bigint PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES store.customer (id),
  sold timestamp NOT NULL,
  total numeric(10, 2) NOT NULL
);
CREATE INDEX ON store.sale (customer_id);
CREATE TABLE store.line (
  sale_id bigint REFERENCES store.sale (id) ON DELETE CASCADE,
  number integer,
  amount integer NOT NULL,
  PRIMARY KEY (sale_id, number)
);
INSERT INTO store.customer SELECT n, 'Customer ' || n, 0 FROM generate_series(1, 500) n;
INSERT INTO store.sale
SELECT n, 1 + n % 500, timestamp '2021-01-01' + n * interval '6 hours', n / 10.0 FROM generate_series(1, 4000) n;
INSERT INTO store.line SELECT s, n, n * 2 FROM generate_series(1, 4000) s, generate_series(1, 2) n;
