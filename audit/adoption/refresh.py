"""Adopted tables change: other people own them. Finds what is new or gone and writes the migration that follows.

models.py is the reader's own by now, so its lines are proposed, not written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.apps import apps

from audit.adoption import catalog, design, writer
from audit.adoption.baseline import governing_operations
from audit.adoption.catalog import Relation
from audit.adoption.design import ModelDesign
from audit.adoption.mapping import is_recorded
from audit.adoption.naming import SOFT_DELETE_COLUMNS
from audit.adoption.operations import GovernTable
from foundation.errors import NotFound


class UpToDate(NotFound):
    """The tables of %(app)s are as they were adopted; there is nothing to refresh."""

    code = "up_to_date"


@dataclass(frozen=True, slots=True)
class TableChange:
    """One table with columns that are new or gone."""

    operation: GovernTable
    model: ModelDesign
    new: tuple[str, ...]
    gone: tuple[str, ...]


def refresh(connection: Any, app: str) -> Iterator[str]:
    """Write the next migration; yields what to do to models.py. Raises UpToDate, NotMigrated."""
    changes = find_changes(connection, app)
    if not changes:
        raise UpToDate(app=app)
    directory = Path(apps.get_app_config(app).path) / "migrations"
    previous = sorted(path.stem for path in directory.glob("0*.py"))[-1]
    name = f"{int(previous[:4]) + 1:04}_refresh"
    options = writer.Options(app=app, fail_closed=not changes[0].operation.fail_open)
    text = writer.render_refresh(previous, [change.model for change in changes], options)
    (directory / f"{name}.py").write_text(text, encoding="utf-8")
    yield f"Written: {directory / name}.py"
    for change in changes:
        yield from _proposals(change)
    yield f"Edit models.py first, then run manage.py migrate {app}."


def find_changes(connection: Any, app: str) -> list[TableChange]:
    """Tables whose recorded columns and real columns differ."""
    operations = {operation.table: operation for operation in governing_operations(connection, app)}
    found = []
    with connection.cursor() as cursor:
        for schema in sorted({schema for schema, _ in operations}):
            relations = [r for r in catalog.read(cursor, schema) if r.qualified in operations]
            for model in design.design([_original(r) for r in relations], known={}):
                change = _compare(operations[model.relation.qualified], model)
                if change.new or change.gone:
                    found.append(change)
    return found


def _compare(operation: GovernTable, model: ModelDesign) -> TableChange:
    recorded = {column.name for column in operation.columns}
    real = {column.name for column in model.relation.columns if is_recorded(column)}
    model.name = operation.model
    return TableChange(operation, model, tuple(sorted(real - recorded)), tuple(sorted(recorded - real)))


def _original(relation: Relation) -> Relation:
    """The table without the columns that adoption added."""
    return replace(relation, columns=tuple(c for c in relation.columns if c.name not in SOFT_DELETE_COLUMNS))


def _proposals(change: TableChange) -> Iterator[str]:
    for column in change.gone:
        yield f"models.py, class {change.model.name}: take out the field of column {column}."
    for field in change.model.fields:
        if field.column in change.new:
            yield f"models.py, class {change.model.name}: add"
            yield from writer.render_field(field)
