"""Capture over the types of PostgreSQL: history holds every value bit by bit.

Values are compared as record images (`*=`), not by the type's own `=`: to that, 0 and -0, '1 day' and '24 hours',
1.0 and 1.00 are the same, and json, xml, point and polygon have none at all.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db.models import BigIntegerField

from audit import capture
from audit.adoption import capture as adopted
from audit.adoption import catalog, mapping
from audit.models import GovernedTable
from tests.databases import database_of_its_own
from tests.servers import Servers

TYPES = """
CREATE SCHEMA zoo;
CREATE TYPE zoo.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE zoo.pair AS (n numeric, t text);
CREATE TYPE public.weekday AS ENUM ('mon', 'tue');
CREATE DOMAIN zoo.positive AS numeric(10,3) CHECK (value > 0);
"""
# Extensions that a server may lack; their types are skipped there.
EXTENSIONS = ("citext", "hstore", "ltree")


@dataclass(frozen=True, slots=True)
class Kind:
    """A column type and a few SQL values of it; neighbours in the list are told apart by their bits only, where possible."""

    type: str
    values: tuple[str, ...]


def kind(type_: str, *values: str) -> Kind:
    return Kind(type_, values)


KINDS = (
    kind("smallint", "-32768", "32767"),
    kind("integer", "-2147483648", "2147483647"),
    kind("bigint", "-9223372036854775808", "9223372036854775807"),
    kind(
        "numeric",
        "'1.0'",
        "'1.00'",
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        "1e1000",
        "('0.' || repeat('7', 4000))::numeric",
    ),
    kind("numeric(20,5)", "'1.00000'", "'NaN'", "99999999999999.99999"),
    kind("real", "'0'", "'-0'", "'NaN'", "'1e-45'", "'Infinity'"),
    kind("double precision", "'0'", "'-0'", "'NaN'", "'-Infinity'", "0.1::float8 + 0.2::float8", "'5e-324'"),
    kind("money", "'12.34'", "'-92233720368547758.08'"),
    kind("boolean", "true", "false"),
    kind("char(6)", "'ab'", "'ab    '", "'abc'"),
    kind('"char"', "'a'", "'b'"),
    kind("varchar(20)", "'ab'", "'ab '", "''"),
    kind("text", "''", "' '", "E'\\u00e9'", "E'e\\u0301'", "repeat('long', 100000)"),
    kind("name", "'one'", "'two'"),
    kind("citext", "'Word'", "'wORD'"),
    kind("bytea", "''", "'\\x00'", "'\\x0000ff'", "decode(repeat('00ff', 60000), 'hex')"),
    kind("date", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"),
    kind("timestamp", "'infinity'", "'-infinity'", "'2024-02-29 23:59:59.999999'"),
    kind("timestamptz", "'infinity'", "'-infinity'", "'2024-10-27 02:30:00+02'", "'2024-10-27 02:30:00+01'"),
    kind("time", "'24:00:00'", "'00:00:00'", "'12:00:00.000001'"),
    kind("timetz", "'12:00:00+00'", "'13:00:00+01'", "'24:00:00-12'"),
    kind("interval", "'1 day'", "'24 hours'", "'1 mon'", "'30 days'", "'-0.000001 seconds'"),
    kind("uuid", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    kind("json", """'{"a":1}'""", """'{ "a" : 1 }'""", """'{"a":1,"a":2}'""", "'null'"),
    kind("jsonb", "'null'", "NULL", "'1.0'", "'1.00'", """'{"a": null}'""", "'{}'"),
    kind("jsonpath", "'$.a'", "'strict $.a'"),
    kind("integer[]", "'{1,2}'", "'[5:6]={1,2}'", "'[0:1][2:3]={{1,2},{3,4}}'", "'{}'", "'{NULL,1}'"),
    kind("text[]", "'{NULL}'", """'{"NULL"}'""", "'{a,b}'", "'{{a,b},{c,d}}'", """'{"","{}","\\""}'"""),
    kind("numeric[]", "'{1.0}'", "'{1.00}'", "'{NaN}'"),
    kind("double precision[]", "'{0}'", "'{-0}'"),
    kind("json[]", """ARRAY['{"a":1}'::json]""", """ARRAY['{"a": 1}'::json]"""),
    kind("int4range", "'[1,5)'", "'empty'", "'(,5)'", "NULL"),
    kind("numrange", "'[1.0,2.0]'", "'[1.00,2.0]'", "'(1.0,2.0]'"),
    kind("tsrange", "'[2024-01-01,infinity]'", "'[2024-01-01,)'"),
    kind("tstzrange", "'[2024-01-01 00:00+00,infinity]'", "'[2024-01-01 00:00+00,)'"),
    kind("daterange", "'[2024-01-01,2024-02-01)'", "'[2024-01-01,infinity)'"),
    kind("int4multirange", "'{[1,3),[5,7)}'", "'{}'"),
    kind("nummultirange", "'{[1.0,2.0]}'", "'{[1.00,2.0]}'"),
    kind("inet", "'10.0.0.1'", "'10.0.0.1/8'", "'::1'"),
    kind("cidr", "'10.0.0.0/8'", "'10.0.0.0/9'"),
    kind("macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
    kind("macaddr8", "'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
    kind("bit(8)", "B'00000000'", "B'10101010'"),
    kind("bit varying", "B''", "B'0'", "B'00'"),
    kind("point", "'(0,0)'", "'(-0,0)'", "'(NaN,1)'"),
    kind("line", "'{1,-1,0}'", "'{2,-2,0}'"),
    kind("lseg", "'((0,0),(1,1))'", "'((1,1),(0,0))'"),
    kind("box", "'((0,0),(2,2))'", "'((0,0),(4,1))'"),
    kind("path", "'[(0,0),(1,1)]'", "'[(5,5),(9,9)]'", "'((0,0),(1,1))'"),
    kind("polygon", "'((0,0),(1,1),(1,0))'", "'((1,1),(1,0),(0,0))'"),
    kind("circle", "'<(0,0),1>'", "'<(5,5),1>'"),
    kind("xml", "'<a/>'", "'<a></a>'", "'<a />'"),
    kind("tsvector", "'a:1 b:2'", "'a:1A b:2'"),
    kind("tsquery", "'a & b'", "'b & a'"),
    kind("pg_lsn", "'0/0'", "'FFFFFFFF/FFFFFFFF'"),
    kind("pg_snapshot", "'10:20:10,14'", "'10:20:'"),
    kind("xid8", "'0'", "'18446744073709551615'"),
    kind("xid", "'0'", "'4294967295'"),
    kind("cid", "'0'", "'7'"),
    kind("tid", "'(0,1)'", "'(1,0)'"),
    kind("oid", "'0'", "'4294967295'"),
    kind("regclass", "'pg_class'", "'pg_type'"),
    kind("zoo.mood", "'sad'", "'happy'"),
    kind("zoo.mood[]", "'{sad,NULL}'", "'{happy}'"),
    kind("zoo.pair", "ROW(1.0, 'a')", "ROW(1.00, 'a')", "ROW(NULL, NULL)", "NULL"),
    kind("zoo.pair[]", "ARRAY[ROW(1.0, 'a')::zoo.pair]", "ARRAY[ROW(1.00, 'a')::zoo.pair]"),
    kind("zoo.positive", "1.000", "2.5"),
    kind("hstore", "'a=>1'", "'a=>NULL'"),
    kind("ltree", "'a.b'", "'a.b.c'"),
)
# Until version 3 the event of a single changed row compares with `=` and the search path of pg_catalog.
WITHOUT_EQUALITY = {"json", "json[]", "jsonpath", "point", "polygon", "xml", "pg_snapshot", "hstore", "ltree"}
Connection = psycopg.Connection[Any]
Make = Callable[[Connection, str], None]


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """Names and types of the copied columns."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [f"zoo.{table}"],
    )
    return dict(rows.fetchall())


def declared(connection: Connection, table: str) -> None:
    """Capture as a model declares it: history has the table's own types."""
    columns = columns_of(connection, table)
    copied = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    connection.execute(
        f"CREATE TABLE zoo.{table}_history (history_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
        "history_date timestamptz NOT NULL, history_type varchar(1) NOT NULL, history_user_id bigint, "
        f"history_change_reason text, event_id bigint, change_id bigint, xid xid8, {copied})"
    )
    spec = capture.CaptureSpec(
        table=("zoo", table),
        history=("zoo", f"{table}_history"),
        columns=tuple(columns),
        key=("id",),
        tenant=None,
        entity=f"zoo.{table}",
        integer_key=columns["id"] == "bigint",
    )
    connection.execute(capture.create(spec))
    # A table that migrate does not know has no row limit, or one row: this is about values, not about amounts.
    limits = [f.column for f in GovernedTable._meta.concrete_fields if isinstance(f, BigIntegerField)]
    connection.execute(
        f"INSERT INTO public.audit_governedtable (table_name, entity, {', '.join(limits)}) "
        f"VALUES (%s, %s{', 1000000' * len(limits)})",
        [f"zoo.{table}", spec.entity],
    )


def adopting(connection: Connection, table: str) -> None:
    """Capture as adoption writes it for a table of another program: history has wider types, and texts for foreign ones."""
    with connection.cursor() as cursor:
        (relation,) = (one for one in catalog.read(cursor, "zoo") if one.name == table)
    columns = [
        adopted.Column(column.name, mapping.history_type(column, is_compared=column.name == "id"))
        for column in relation.columns
    ]
    connection.execute(
        f"ALTER TABLE zoo.{table} ADD is_deleted boolean NOT NULL DEFAULT false, ADD deleted_at timestamptz, "
        "ADD retention_policy text NOT NULL DEFAULT ''"
    )
    spec = adopted.AdoptedTable(
        table=("zoo", table),
        history=("zoo", f"{table}_history"),
        columns=tuple(columns),
        key=("id",),
        entity=f"zoo.{table}",
        fail_open=False,
        baseline_event=0,
    )
    connection.execute(adopted.history_table_v1(spec))
    for operation in capture.OPERATIONS:
        connection.execute(adopted.function_v2(spec, operation, baseline=False))
        connection.execute(adopted.trigger_v1(spec.table, spec.table, operation))


WAYS = pytest.mark.parametrize("make", [declared, adopting], ids=["declared", "adopted"])


@pytest.fixture(scope="module")
def zoo(servers: Servers) -> Iterator[Connection]:
    """The tables' owner, in a database with the types."""
    with database_of_its_own(servers, "types") as database, database.owner() as connection:
        connection.autocommit = True
        connection.execute(TYPES)
        for extension in EXTENSIONS:
            with contextlib.suppress(psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege):
                connection.execute(f"CREATE EXTENSION {extension}")
        yield connection


def available(connection: Connection, one: Kind) -> bool:
    """Whether this server has the type: extensions may be missing, and xml is compiled in or not."""
    try:
        connection.execute(f"SELECT CAST({one.values[0]} AS {one.type})")
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedObject):
        return False
    return True


def table_of(connection: Connection, make: Make, columns: dict[str, str], key: str = "bigint") -> str:
    """A captured table `id` and these columns; beside it, what the versions must be."""
    table = f"t{uuid.uuid4().hex[:10]}"
    copied = "".join(f", {name} {type_}" for name, type_ in columns.items())
    connection.execute(f"CREATE TABLE zoo.{table} (id {key} PRIMARY KEY{copied})")
    connection.execute(f"CREATE TABLE zoo.{table}_wanted (version int GENERATED ALWAYS AS IDENTITY{copied})")
    make(connection, table)
    return table


def differing(connection: Connection, table: str, columns: dict[str, str]) -> list[tuple[int, str]]:
    """Versions and columns whose history, back in the column's type, is not bit by bit what was written."""
    found = []
    for name, type_ in columns.items():
        rows = connection.execute(
            f"SELECT w.version FROM zoo.{table}_wanted w FULL JOIN "
            f"(SELECT row_number() OVER (ORDER BY history_id) AS version, {name} FROM zoo.{table}_history) h "
            f"ON h.version = w.version, LATERAL (SELECT w.{name}) wanted, LATERAL (SELECT h.{name}::{type_}) kept "
            "WHERE NOT wanted *= kept OR w.version IS NULL OR h.version IS NULL"
        ).fetchall()
        found += [(version, name) for (version,) in rows]
    return found


def steps_of(connection: Connection, table: str) -> str:
    """The kinds of the versions, in their order."""
    rows = connection.execute(f"SELECT history_type FROM zoo.{table}_history ORDER BY history_id").fetchall()
    return "".join(step for (step,) in rows)


@WAYS
@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.type)
def test_every_version_is_kept_bit_by_bit(zoo, one, make, request) -> None:
    """Inserted, updated to each neighbour, deleted: each version stands in history as it stood in the table."""
    if not available(zoo, one):
        pytest.skip(f"this server has no {one.type}")
    if make is declared and one.type in WITHOUT_EQUALITY and capture.LATEST < 3:
        request.applymarker(pytest.mark.xfail(reason="no `=` for the event of a changed row", strict=True))
    columns = {"v": one.type}
    table = table_of(zoo, make, columns)
    first, *others = one.values
    zoo.execute(f"INSERT INTO zoo.{table} (id, v) VALUES (1, {first})")
    for value in others:
        zoo.execute(f"UPDATE zoo.{table} SET v = {value}")
    zoo.execute(f"DELETE FROM zoo.{table}")
    written = ", ".join(f"(({value})::{one.type})" for value in (*one.values, one.values[-1]))
    zoo.execute(f"INSERT INTO zoo.{table}_wanted (v) VALUES {written}")
    assert steps_of(zoo, table) == f"+{'~' * len(others)}-"
    assert differing(zoo, table, columns) == []


@WAYS
def test_all_types_in_one_table(zoo, make) -> None:
    """Two rows over every type, written, changed and emptied by a statement each."""
    kinds = [one for one in KINDS if available(zoo, one)]
    assert len(kinds) >= 40
    columns = {f"c{number}": one.type for number, one in enumerate(kinds)}
    table = table_of(zoo, make, columns)
    names, last = ", ".join(columns), ", ".join(one.values[-1] for one in kinds)
    first = ", ".join(one.values[0] for one in kinds)
    zoo.execute(f"INSERT INTO zoo.{table} (id, {names}) VALUES (1, {first}), (2, {last})")
    zoo.execute(f"UPDATE zoo.{table} SET ({names}) = ROW({last})")
    zoo.execute(f"TRUNCATE zoo.{table}")
    for values in (first, *[last] * 5):
        zoo.execute(f"INSERT INTO zoo.{table}_wanted ({names}) VALUES ({values})")
    assert steps_of(zoo, table) == "++~~--"
    assert differing(zoo, table, columns) == []


KEYS = (
    kind("text", "'a'", "'a '"),
    kind("char(4)", "'a'", "'b'"),
    kind("uuid", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    kind("numeric", "'1.0'", "'2.00'"),
    kind("timestamptz", "'infinity'", "'2024-10-27 02:30:00+02'"),
    kind("bytea", "''", "'\\x00'"),
    kind("zoo.mood", "'sad'", "'happy'"),
    kind("public.weekday", "'mon'", "'tue'"),
    kind("citext", "'Word'", "'other'"),
)


@WAYS
@pytest.mark.parametrize("one", KEYS, ids=lambda one: one.type)
def test_keys_of_every_type_are_followed(zoo, one, make) -> None:
    """Also where the key's type stands in a schema of its own, or in public, which no function of ours looks into."""
    if not available(zoo, one):
        pytest.skip(f"this server has no {one.type}")
    table = table_of(zoo, make, {"v": "integer"}, key=one.type)
    first, second = one.values
    zoo.execute(f"INSERT INTO zoo.{table} (id, v) VALUES ({first}, 1), ({second}, 2)")
    zoo.execute(f"UPDATE zoo.{table} SET v = 3 WHERE id = {first}")
    zoo.execute(f"DELETE FROM zoo.{table} WHERE id = {second}")
    assert steps_of(zoo, table) == "++~-"
    kept = zoo.execute(
        f"SELECT count(*) FILTER (WHERE id::{one.type} = {first}), count(*) FROM zoo.{table}_history"
    ).fetchone()
    assert kept == (2, 4)
