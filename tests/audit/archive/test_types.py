"""Every type comes back from a file bit by bit: what is read is what the server had sent, and goes back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import transaction

from audit.archive import parquet
from audit.archive.columns import columns_of
from audit.archive.storing import Source, rows_of, store

# Type -> values that a careless copy would bend.
VALUES: dict[str, list[str]] = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["4294967295"],
    "real": ["'-0'", "'NaN'", "'Infinity'", "1.1", "1e-45"],
    "double precision": ["'-0'", "'NaN'", "'-Infinity'", "0.1", "5e-324", "1.7976931348623157e308"],
    "numeric": ["1.0", "1.000", "'NaN'", "'-Infinity'", "123456789012345678901234567890.12345678901234567890", "-0.00"],
    "numeric(12,2)": ["1.20", "'NaN'", "-9999999999.99", "0"],
    "numeric(38,0)": ["99999999999999999999999999999999999999"],
    "numeric(50,10)": ["1.1"],
    "numeric(3,-2)": ["12300"],
    "numeric(2,5)": ["0.00012"],
    "money": ["'-12.34'"],
    "text": ["''", "'a'", "E'\\u00e9\\U0001F600'", "E'line\\n\\ttab '", "repeat('x', 9000)"],
    "varchar(10)": ["'  b '"],
    "char(5)": ["'ab'"],
    '"char"': ["'x'"],
    "name": ["'a name'"],
    "bytea": ["'\\x'", "'\\x00ff0a'"],
    "date": ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'", "'2024-02-29'"],
    "time": ["'24:00:00'", "'00:00:00'", "'23:59:59.999999'"],
    "timetz": ["'12:00:00.000001+13:45'", "'24:00:00-15:59'"],
    "timestamp": ["'infinity'", "'-infinity'", "'294276-12-31 23:59:59.999999'", "'4713-01-01 BC'", "'1999-12-31'"],
    "timestamptz": ["'infinity'", "'294276-12-31 23:59:59.999999Z'", "'1969-12-31 23:59:59.999999+05'"],
    "interval": ["'1 month'", "'30 days'", "'24 hours'", "'1 day'", "'-1 mon +2 days -00:00:00.000001'", "'infinity'"],
    "interval day to second(3)": ["'1 02:03:04.567'"],
    "uuid": ["'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'"],
    "json": ["""'{ "a" : 1,  "a": 2 }'""", "'null'", "'1.0'", """'"\\u00e9"'"""],
    "jsonb": ["""'{"b": 1.10, "a": null}'""", "'null'", "'1.000'"],
    "jsonpath": ["'$.a[*] ? (@ > 1)'"],
    "inet": ["'10.0.0.1/8'", "'10.0.0.1'", "'::1/128'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "bit(5)": ["B'10101'"],
    "varbit": ["B''", "B'1'"],
    "point": ["'(-0,1e-300)'", "'(NaN,Infinity)'"],
    "line": ["'{1,2,3}'"],
    "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(1,1),(0,0)'"],
    "path": ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"],
    "polygon": ["'((0,0),(1,1),(1,0))'"],
    "circle": ["'<(1,2),3>'"],
    "tsvector": ["'fat:2,4A cat:3'"],
    "tsquery": ["'fat & !cat:*'"],
    "int4range": ["'[1,5)'", "'empty'", "'(,)'"],
    "numrange": ["'(1.0,2.00]'"],
    "tstzrange": ["'[2024-01-01 00:00Z,infinity)'"],
    "daterange": ["'[2024-01-01,)'"],
    "int8multirange": ["'{[1,3),[5,9)}'", "'{}'"],
    "integer[]": ["'[0:1]={1,2}'", "'{}'", "'{{1,2},{3,NULL}}'"],
    "double precision[]": ["'{-0,NaN,Infinity}'"],
    "text[]": ['\'{a,"b c",NULL,"NULL",""}\''],
    "numeric(8,3)[]": ["'{1.000,NaN}'"],
    "jsonb[]": ["ARRAY['{}'::jsonb, NULL]"],
    "pg_lsn": ["'16/B374D848'"],
    "xid8": ["'18446744073709551615'"],
    "pg_snapshot": ["'10:20:10,14'"],
    "tid": ["'(4294967294,65535)'"],
    "regclass": ["'pg_class'"],
    "aclitem": ["'custody_owner=r/custody_owner'"],
    "mood": ["'sad'", "'so so'"],
    "mood[]": ["'{sad,NULL}'"],
    "pair": ["ROW(1, ' x ')"],
    "pair[]": ["ARRAY[ROW(1, 'x')::pair, NULL]"],
    "amount": ["1.50"],
    "amount[]": ["'{1.50}'"],
    "floatrange": ["'[-0,1.5)'"],
}
MADE = """
CREATE TYPE mood AS ENUM ('sad', 'so so');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE > 0);
CREATE TYPE floatrange AS RANGE (subtype = float8);
"""


@pytest.fixture
def table(real_db: Any) -> str:
    """One column per type, one row per set of values, and one row of NULLs."""
    names = list(VALUES)
    longest = max(map(len, VALUES.values()))
    with real_db.owner() as owner:
        owner.execute(MADE)
        listed = ", ".join(f'"c {n}" {kind}' for n, kind in enumerate(names))
        owner.execute(f"CREATE TABLE public.odd (n integer PRIMARY KEY, gone text, {listed})")
        owner.execute("ALTER TABLE public.odd DROP COLUMN gone")
        for row in range(longest + 1):
            values = [f"CAST({VALUES[k][row]} AS {k})" if row < len(VALUES[k]) else "NULL" for k in names]
            if owner.info.server_version < 170_000:  # intervals are endless from PostgreSQL 17 on
                values = ["NULL" if value == "CAST('infinity' AS interval)" else value for value in values]
            owner.execute(f"INSERT INTO public.odd VALUES ({row}, {', '.join(values)})")
        owner.execute("GRANT SELECT ON public.odd TO custody_app")
    return "public.odd"


def whole(table: str) -> Source:
    return Source(entity="odd", table=table, clause=f"FROM {table} o ORDER BY o.n", values={})


def sent(table: str) -> list[Any]:
    return list(rows_of(whole(table), columns_of(table)))


def test_more_than_forty_types_are_read_back_as_they_were_sent(table: str, tmp_path: Path, settings: Any) -> None:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path
    assert len(VALUES) > 60
    with transaction.atomic():
        stored = store(whole(table), "1/odd/1/part-0.parquet", about={})
        assert list(parquet.read(tmp_path / stored.path)) == sent(table)
    assert stored.rows == max(map(len, VALUES.values())) + 1


def test_rows_from_a_file_go_back_bit_by_bit(table: str, real_db: Any, tmp_path: Path, settings: Any) -> None:
    """In the send format, or as text where the type has no portable one: the copy is the same record image."""
    settings.CUSTODY_ARCHIVE_DIR = tmp_path
    with transaction.atomic():
        stored = store(whole(table), "1/odd/1/part-0.parquet", about={})
    columns = parquet.columns_of_file(tmp_path / stored.path)
    with real_db.owner() as owner:
        owner.execute("CREATE TABLE public.back (LIKE public.odd)")
        _copy_back(owner, columns, parquet.read(tmp_path / stored.path))
        owner.execute("GRANT SELECT ON public.back TO custody_app")
        bent = [
            kind
            for n, kind in enumerate(VALUES)
            if owner.execute(
                f'SELECT 1 FROM public.odd o JOIN public.back b USING (n) WHERE ROW(o."c {n}")::record '
                f'*<> ROW(b."c {n}")::record LIMIT 1'
            ).fetchone()
        ]
    assert bent == ["tsquery"], "PostgreSQL itself builds another image of the same tree when it reads one"
    with transaction.atomic():
        assert sent("public.back") == sent(table)


def _copy_back(owner: psycopg.Connection, columns: Any, rows: Any) -> None:
    """Every value as it had travelled: in send format into its own type, as text where it was text."""
    staged = ", ".join(f'"{c.name}" {"text" if c.codec.as_text else c.kind}' for c in columns)
    owner.execute(f"CREATE TEMP TABLE staged ({staged})")
    with owner.cursor() as cursor, cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
        for row in rows:
            copy.write_row(row)
    listed = ", ".join(f'"{c.name}"::{c.kind}' for c in columns)
    owner.execute(f"INSERT INTO public.back SELECT {listed} FROM staged")
