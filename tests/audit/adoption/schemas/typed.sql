-- One column of each type that could lose a bit on its way to history and back, filled with the values that lose it.
CREATE SCHEMA typed;
SET search_path = typed;
CREATE TYPE mood AS ENUM ('sad', 'very happy');
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE spot AS (x double precision, label text);

CREATE TABLE everything (
  id integer PRIMARY KEY,
  c_smallint smallint, c_integer integer, c_bigint bigint, c_numeric numeric, c_scaled numeric(20, 10),
  c_real real, c_double double precision, c_money money, c_bool boolean,
  c_char char(8), c_varchar varchar(40), c_text text, c_name name, c_bytea bytea,
  c_date date, c_timestamp timestamp, c_timestamptz timestamptz, c_time time, c_timetz timetz, c_interval interval,
  c_uuid uuid, c_json json, c_jsonb jsonb, c_jsonnull jsonb,
  c_ints integer[], c_texts text[], c_matrix integer[][], c_doubles double precision[],
  c_int4range int4range, c_int8range int8range, c_numrange numrange, c_tsrange tsrange, c_tstzrange tstzrange,
  c_daterange daterange, c_int4multirange int4multirange,
  c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8, c_bit bit(8), c_varbit varbit(12),
  c_point point, c_line line, c_lseg lseg, c_box box, c_path path, c_polygon polygon, c_circle circle,
  c_tsvector tsvector, c_tsquery tsquery, c_lsn pg_lsn, c_mood mood, c_percent percent, c_spot spot, c_xid8 xid8, c_oid oid
);

INSERT INTO everything VALUES
  (1, -32768, 2147483647, -9223372036854775808, 1.10, 1.1000000000, '-0', '-0', '-12.34', true,
   'x  ', '', 'Zoë 🦊 \ "q" ''', 'nm', '\x00ff00', '-infinity', '4713-01-01 BC', 'infinity', '24:00:00', '12:00:00.000001-15:59',
   '24 hours', '00000000-0000-0000-0000-000000000000', '{"a":  1, "a": 2.50}', '{"a": 1.50, "b": null}', 'null',
   '[0:2]={1,NULL,3}', '{"",NULL,"NULL","a,b"}', '{{1,2},{3,4}}', '{-0,NaN,Infinity}',
   'empty', '(,)', '[1.0,1.00]', '[2020-01-01,infinity)', '(,2020-01-01 00:00:00+00]', '[0001-01-01,0002-01-01)', '{[1,3),[5,9)}',
   '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'10100000', B'101',
   '(-0,0)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,0),(1,1))', '<(0,0),1>',
   'fat:2A cat:3', 'fat & !cat', '16/B374D848', 'very happy', 100, '(-0,"a,""b""")', '18446744073709551615', 4294967295),
  (2, 0, 0, 0, 'NaN', 0, 'NaN', 'NaN', 0, false, '', ' ', '', '', '', 'infinity', '-infinity', '0001-01-01 00:00:00+00 BC', '00:00', '00:00+00',
   '1 day', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', '[]', NULL, '{}', '{}', '{}', '{}', '[1,2)', 'empty', '(,)', 'empty', '(,)',
   'empty', '{}', '::1', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', B'00000000', B'',
   '(0,-0)', '{0,1,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '((0,0),(1,1))', '((0,0))', '<(0,0),0>', '', 'a', '0/0', 'sad', 0.00,
   '(,)', '0', 0),
  (3, NULL, NULL, NULL, 100000000000000000000000000000000000000000.000000000000000000000000000001, NULL, NULL, 4.9e-324, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '-178000000 years', NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
