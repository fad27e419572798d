"""Part of an undo: chosen rows and chosen fields only.

    {"rows": {"shop.order": {"keys": [1, 2]}}, "fields": {"shop.order": ["note"]}}

Tables that are not named come along as far as their rows hang on chosen ones; without "rows" all rows are meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from audit.names import quote
from changes.errors import BadOption, NothingChosen, UnknownField
from changes.freezing import named_parameters
from changes.selection import Selection
from changes.tables import Table, stored
from changes.versions import SOFT_DELETE, quiet_columns
from foundation.errors import Invalid


def parse(data: Any) -> dict[str, Any]:
    """Check what was asked and give it back as it is stored. Raises an Invalid that names the place."""
    if data is None:
        return {}
    if not isinstance(data, Mapping) or not set(data) <= {"rows", "fields"}:
        raise BadOption(field="only", value=str(data)[:40], known="rows, fields")
    for name in ("rows", "fields"):
        if not isinstance(data.get(name, {}), Mapping):
            raise BadOption(field=f"only.{name}", value=str(data[name])[:40], known="{table: …}")
    for label, selection in data.get("rows", {}).items():
        _check_selection(selection, _entity(label, "only.rows"))
    for label, names in data.get("fields", {}).items():
        columns_of(_entity(label, "only.fields"), names)
    return {key: dict(data[key]) for key in ("rows", "fields") if data.get(key)}


def columns_of(entity: type[SoftDeleted], names: Any) -> frozenset[str]:
    """Columns of named fields; one column of a soft delete stands for all of them. Raises UnknownField, NothingChosen."""
    known = {field.name: str(field.column) for field in entity._meta.local_concrete_fields}
    label = entity._meta.label_lower
    if names in ([], ()):
        raise NothingChosen(field=f"only.fields.{label}", entity=str(entity.governance.label))
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) and n in known for n in names):
        raise UnknownField(
            field=f"only.fields.{label}",
            value=str(names)[:80],
            entity=str(entity.governance.label),
            known=", ".join(sorted(known)),
        )
    columns = frozenset(known[name] for name in names)
    return columns | frozenset(SOFT_DELETE) if columns & frozenset(SOFT_DELETE) else columns


def selection_of(only: Mapping[str, Any], entity: type[SoftDeleted]) -> Selection | None:
    """The chosen rows of a table, None where it is not named."""
    chosen = only.get("rows", {}).get(entity._meta.label_lower)
    return None if chosen is None else Selection.parse(chosen, entity)


def chosen_rows(
    selection: Selection, table: Table, version: str, *, removed: bool = False
) -> tuple[str, dict[str, Any]]:
    """Join the chosen rows to the version. Keys are taken as they are; conditions look at `removed` rows' last version."""
    names = ", ".join(quote(column) for column, _ in table.key)
    on = table.match_history("s", version)
    if selection.keys is not None:
        keys = [key if isinstance(key, tuple) else (key,) for key in selection.keys]
        values = {f"key{n}": [str(key[n]) for key in keys] for n in range(len(table.key))}
        typed = ", ".join(f"key{n}::{stored(kind)}" for n, (_, kind) in enumerate(table.key))
        lists = ", ".join(f"%(key{n})s::text[]" for n in range(len(table.key)))
        columns = ", ".join(f"key{n}" for n in range(len(table.key)))
        return f"JOIN (SELECT {typed} FROM unnest({lists}) k ({columns})) AS s ({names}) ON {on}", values
    sql, named = named_parameters(*_rows(selection, removed=removed).query.sql_with_params())
    return f"JOIN ({sql}) AS s ({names}) ON {on}", named


def narrowed(only: Mapping[str, Any], entity: type[SoftDeleted], columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that were chosen, all where none was."""
    names = only.get("fields", {}).get(entity._meta.label_lower)
    if names is None:
        return () if only.get("fields") else columns
    wanted = columns_of(entity, names)
    return tuple(column for column in columns if column in wanted)


def choices(entity: type[SoftDeleted], columns: Iterable[str]) -> tuple[str, ...]:
    """Names of the fields that can be chosen among columns: one for a soft delete, none for what every save writes."""
    written = set(columns) - quiet_columns(entity)
    soft = [column for column in SOFT_DELETE if column in written]
    written -= set(soft[1:])
    return tuple(field.name for field in entity._meta.local_concrete_fields if str(field.column) in written)


def _rows(selection: Selection, *, removed: bool) -> QuerySet[Any]:
    """Keys of the rows that the conditions hold for; removed ones are in no table, only in their history."""
    model: Any = selection.entity
    columns = [field.attname for field in model._meta.pk_fields]
    if not removed:
        return selection.narrow(model.objects_and_deleted.all()).order_by().values_list(*columns)
    history: Any = registry.history_of(model)
    gone = history.objects.filter(history_type="-").order_by()
    return selection.narrow(gone).values_list(*columns).distinct()


def _check_selection(data: Any, entity: type[SoftDeleted]) -> None:
    """Raises what `Selection.parse` does, with the place it has in here."""
    try:
        Selection.parse(data, entity)
    except Invalid as error:
        place = str(error.facts.get("field", "")).removeprefix("selection")
        error.facts["field"] = f"only.rows.{entity._meta.label_lower}{place}"
        raise


def _entity(label: Any, place: str) -> type[SoftDeleted]:
    try:
        return registry.entity(str(label))
    except UnknownEntity as error:
        raise BadOption(field=place, value=str(label)[:80], known="app.model") from error
