"""What a schema holds, read from pg_catalog: exact types, keys, relations, partitions, owners.

Reads only. The values are facts; what is made of them is decided in `survey`, `naming` and `mapping`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from audit.names import QualifiedName

SQL = Path(__file__).resolve().parent / "sql"


class Kind(StrEnum):
    """`pg_class.relkind`."""

    TABLE = "r"
    PARTITIONED = "p"
    VIEW = "v"
    MATERIALIZED_VIEW = "m"
    FOREIGN = "f"


class OnDelete(StrEnum):
    """`pg_constraint.confdeltype`."""

    NO_ACTION = "a"
    RESTRICT = "r"
    CASCADE = "c"
    SET_NULL = "n"
    SET_DEFAULT = "d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `type` is as declared, `base` with domains followed; for arrays `element` is the item's type."""

    name: str
    number: int
    type: str
    base: str
    type_name: str
    type_kind: str
    type_schema: str
    typmod: int
    dimensions: int
    element: str | None
    element_kind: str | None
    element_schema: str | None
    via_domain: bool
    labels: tuple[str, ...]
    not_null: bool
    default: str
    generated: str
    identity: str
    comment: str

    @property
    def is_array(self) -> bool:
        return self.dimensions > 0

    @property
    def from_sequence(self) -> bool:
        """Numbered by the database: identity or serial."""
        return bool(self.identity) or self.default.startswith("nextval(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A primary key or a unique index over whole columns."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A declared foreign key; `target` may be the table itself."""

    name: str
    columns: tuple[str, ...]
    target: QualifiedName
    target_columns: tuple[str, ...]
    on_delete: OnDelete
    on_update: str
    deferrable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One table, partitioned table, view or foreign table."""

    oid: int
    schema: str
    name: str
    kind: Kind
    unlogged: bool
    owner: str
    is_mine: bool
    rows: int
    size: int
    comment: str
    row_security: bool
    forced_row_security: bool
    is_partition: bool
    of_extension: bool
    parent: QualifiedName | None
    has_children: bool
    triggers: tuple[str, ...]
    policies: tuple[str, ...]
    columns: tuple[Column, ...]
    primary_key: Key | None
    uniques: tuple[Key, ...]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def qualified(self) -> QualifiedName:
        return self.schema, self.name

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def read(cursor: Any, schema: str) -> tuple[Relation, ...]:
    """All relations of `schema`, by name; empty if there is no such schema."""
    columns = _grouped(_query(cursor, "columns", schema), _column)
    keys = defaultdict(list)
    for oid, name, is_primary, names in _query(cursor, "keys", schema):
        keys[oid].append((is_primary, Key(name=name, columns=tuple(names))))
    foreign_keys = _grouped(_query(cursor, "foreign_keys", schema), _foreign_key)
    return tuple(
        _relation(schema, row, columns.get(row[0], ()), keys.get(row[0], []), foreign_keys.get(row[0], ()))
        for row in _query(cursor, "tables", schema)
    )


def schema_exists(cursor: Any, schema: str) -> bool:
    """Whether there is a schema of that name."""
    cursor.execute("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", [schema])
    return bool(cursor.fetchone()[0])


def schema_owner(cursor: Any, schema: str) -> tuple[str, bool]:
    """Owner of the schema, and whether this login has the owner's rights."""
    cursor.execute(
        "SELECT pg_get_userbyid(nspowner), pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = %s",
        [schema],
    )
    owner, mine = cursor.fetchone()
    return owner, mine


def members(cursor: Any, table: QualifiedName) -> tuple[tuple[QualifiedName, Kind], ...]:
    """The table and, if it is partitioned, every partition below it, root first."""
    cursor.execute(
        "SELECT n.nspname, c.relname, c.relkind::text FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace "
        "CROSS JOIN LATERAL (SELECT r.oid AS relid, 0 AS level WHERE r.relkind <> 'p' "
        "  UNION ALL SELECT p.relid, p.level FROM pg_partition_tree(r.oid) p WHERE r.relkind = 'p') t "
        "JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE rn.nspname = %s AND r.relname = %s ORDER BY t.level, n.nspname, c.relname",
        table,
    )
    return tuple(((schema, name), Kind(kind)) for schema, name, kind in cursor.fetchall())


def default_sequences(cursor: Any, table: QualifiedName) -> tuple[QualifiedName, ...]:
    """Sequences that column defaults of the table draw from, as far as this login may grant their use."""
    cursor.execute(
        "SELECT DISTINCT sn.nspname, s.relname FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass "
        "JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND pg_has_role(s.relowner, 'USAGE') ORDER BY 1, 2",
        table,
    )
    return tuple((schema, name) for schema, name in cursor.fetchall())


def _query(cursor: Any, name: str, schema: str) -> list[Any]:
    cursor.execute((SQL / f"{name}.sql").read_text(), [schema])
    rows: list[Any] = cursor.fetchall()
    return rows


def _grouped(rows: Iterable[Sequence[Any]], build: Any) -> dict[int, tuple[Any, ...]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(build(row))
    return {oid: tuple(items) for oid, items in found.items()}


def _column(row: Sequence[Any]) -> Column:
    return Column(
        name=row[1],
        number=row[2],
        type=row[3],
        base=row[4],
        type_name=row[5],
        type_kind=row[6],
        type_schema=row[7],
        typmod=row[8],
        dimensions=row[9],
        element=row[10],
        element_kind=row[11],
        element_schema=row[12],
        via_domain=row[13],
        labels=tuple(row[14]),
        not_null=row[15],
        default=row[16],
        generated=row[17],
        identity=row[18],
        comment=row[19],
    )


def _foreign_key(row: Sequence[Any]) -> ForeignKey:
    return ForeignKey(
        name=row[1],
        columns=tuple(row[2]),
        target=(row[3], row[4]),
        target_columns=tuple(row[5]),
        on_delete=OnDelete(row[6]),
        on_update=row[7],
        deferrable=row[8],
    )


def _relation(
    schema: str,
    row: Sequence[Any],
    columns: tuple[Column, ...],
    keys: list[tuple[bool, Key]],
    foreign_keys: tuple[ForeignKey, ...],
) -> Relation:
    parent = row[13]
    return Relation(
        oid=row[0],
        schema=schema,
        name=row[1],
        kind=Kind(row[2]),
        unlogged=row[3] == "u",
        owner=row[4],
        is_mine=row[5],
        rows=row[6],
        size=row[7],
        comment=row[8],
        row_security=row[9],
        forced_row_security=row[10],
        is_partition=row[11],
        of_extension=row[12],
        parent=None if parent is None else (parent[0], parent[1]),
        has_children=row[14],
        triggers=tuple(row[15]),
        policies=tuple(row[16]),
        columns=columns,
        primary_key=next((key for is_primary, key in keys if is_primary), None),
        uniques=tuple(key for is_primary, key in keys if not is_primary),
        foreign_keys=foreign_keys,
    )
