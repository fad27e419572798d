"""A project's own operation in one file: put a mark behind a text of the selected rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit import registry
from audit.entity import SoftDeleted
from audit.names import quote
from changes import writable
from changes.effects.base import FROZEN, EffectKind
from changes.errors import BadOption
from changes.freezing import Freezer
from changes.models import Change, ChangePart
from changes.operations.base import OperationKind, only_known
from changes.plan import Plan
from changes.selection import Selection
from changes.tables import Table


def read_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"field": a text of the entity, "mark": what is put behind it}."""
    only_known(asked, ("field", "mark"))
    field = writable.field_of(entity, str(asked.get("field")), "options.field")
    mark = asked.get("mark")
    if not isinstance(mark, str) or not mark:
        raise BadOption(field="options.mark", value=str(mark)[:40], known="a text")
    return {"field": field.name, "mark": mark}


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selected rows, as one part with the effect below."""
    assert selection is not None
    freezer = Freezer(tenant_id=change.tenant_id, change_id=change.pk)
    column = str(selection.entity._meta.get_field(change.options["field"]).column)
    part = freezer.add_part(selection.entity, "stamp", (column,))
    freezer.freeze_selection(KIND.rows(selection), part)
    return Plan(parts=freezer.parts)


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """One chunk: the frozen rows r that are still as they were."""
    column = quote(part.columns[0])
    return (
        f"UPDATE {table.name} o SET {column} = o.{column} || %(mark)s FROM changes_frozenrow r "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} AND {bounds} AND o.xmin = r.token"
    )


def in_words(change: Change) -> tuple[str, ...]:
    """For the title, the pages and the API."""
    field: Any = registry.entity(change.entity)._meta.get_field(change.options["field"])
    return (f"{field.verbose_name} gets “{change.options['mark']}”",)


KIND = OperationKind(
    name="stamp",
    label="stamp",
    freeze=freeze,
    read_options=read_options,
    in_words=in_words,
    effects={
        "stamp": EffectKind(
            chunk_sql=chunk_sql,
            values=lambda change, part: {"mark": change.options["mark"]},
            by_range=lambda part: True,
        )
    },
)
