"""Every foreign key that points to a table, as the catalog knows it, and those that only the models know."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from audit import registry
from audit.entity import SoftDeleted
from audit.names import place, quote
from changes.relations import dependants
from changes.tables import Table, table_of

FOREIGN_KEYS = """
SELECT f.conname, n.nspname, k.relname,
       (SELECT array_agg(ARRAY[child.attname, parent.attname]::text[] ORDER BY u.n)
          FROM unnest(f.conkey, f.confkey) WITH ORDINALITY u(child, parent, n)
          JOIN pg_attribute child ON child.attrelid = f.conrelid AND child.attnum = u.child
          JOIN pg_attribute parent ON parent.attrelid = f.confrelid AND parent.attnum = u.parent)
  FROM pg_constraint f JOIN pg_class k ON k.oid = f.conrelid JOIN pg_namespace n ON n.oid = k.relnamespace
 WHERE f.contype = 'f' AND f.confrelid = %s::regclass ORDER BY f.conname
"""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key to some table: `table` points, `child` is its model where it is governed."""

    name: str
    table: str
    child: type[SoftDeleted] | None
    columns: tuple[tuple[str, str], ...]

    def points(self, child: str, parent: str) -> str:
        """Row `child` points to row `parent`, which is another one."""
        same = " AND ".join(f"{child}.{quote(own)} = {parent}.{quote(theirs)}" for own, theirs in self.columns)
        return f"{same} AND ({child}.tableoid, {child}.ctid) <> ({parent}.tableoid, {parent}.ctid)"


def references(table: Table) -> tuple[Reference, ...]:
    """Foreign keys to the table, the database's and the models' own."""
    governed = {table_of(entity).name: entity for entity in registry.entities()}
    with connection.cursor() as cursor:
        cursor.execute(FOREIGN_KEYS, [table.name])
        found = [
            Reference(name, place((schema, child)), governed.get(place((schema, child))), tuple(map(tuple, columns)))
            for name, schema, child, columns in cursor.fetchall()
        ]
    known = {(reference.table, own) for reference in found for own, _ in reference.columns}
    for dependant in dependants(table.model):
        child, column = table_of(dependant.child), str(dependant.field.column)
        if (child.name, column) not in known:
            pair = (column, str(dependant.field.target_field.column))
            found.append(Reference(dependant.name, child.name, dependant.child, (pair,)))
    return tuple(found)
