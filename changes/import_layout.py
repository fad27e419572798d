"""What the columns of an imported file are: fields of the entity, what finds a row, what a new row gets besides.

A layout is made of a header once, and kept in the options of the change; the typed values of a staged line are the
alias v over `changes_importrow i`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from audit.entity import SoftDeleted
from audit.names import quote
from changes import writable
from changes.errors import BadColumns, BadMatch, BadValue
from changes.obstacles import uniques
from changes.selection import short
from changes.tables import Table, table_of
from changes.versions import insertable_columns, quiet_columns

KEY, NEW_ONLY = "key", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Columns of a file.

    fields    one per column of the file, in its order
    match     fields whose values find the row a line is about; none: every line is a new row
    constants what a new row gets where the file has no column: column -> text
    fresh     fields whose default is made anew for each line
    missing   fields that a new row needs and the file does not have
    """

    entity: type[SoftDeleted]
    fields: tuple[Any, ...]
    match: tuple[Any, ...]
    constants: dict[str, str | None]
    fresh: tuple[Any, ...]
    missing: tuple[Any, ...]

    @property
    def table(self) -> Table:
        return table_of(self.entity)

    @property
    def by_serial(self) -> bool:
        """Lines name rows by a key that the database numbers: an unknown one is no new row."""
        return any(writable.is_serial(field) for field in self.match)

    @property
    def written(self) -> tuple[str, ...]:
        """Columns that an existing row gets."""
        keys = set(self.entity._meta.pk_fields) | set(self.match)
        return tuple(str(field.column) for field in self.fields if field not in keys)

    @property
    def given(self) -> tuple[str, ...]:
        """Columns of the file that a new row gets: all but the number the database makes."""
        return tuple(str(field.column) for field in self.fields if not writable.is_serial(field))

    @property
    def created(self) -> tuple[str, ...]:
        """Columns that an INSERT names, beside the tenant, a numbered key and times of saving."""
        return (*self.given, *self.constants, *(str(field.column) for field in self.fresh))

    def typed(self, *, whole: bool = False) -> str:
        """Join v, the typed values of a staged line i; with `whole` what only a new row gets, too."""
        columns = [f"(i.values->>{n})::{_kind(f)} AS {quote(f.column)}" for n, f in enumerate(self.fields)]
        if whole:
            fields = {str(field.column): field for field in self.entity._meta.local_concrete_fields}
            columns += [f"(%(c{n})s)::{writable.kind(fields[c])} AS {quote(c)}" for n, c in enumerate(self.constants)]
            columns += [
                f"(i.fresh->>{n})::{writable.kind(f)} AS {quote(str(f.column))}" for n, f in enumerate(self.fresh)
            ]
        return f"JOIN LATERAL (SELECT {', '.join(columns)}) v ON true"

    def parameters(self) -> dict[str, Any]:
        """Parameters of `typed(whole=True)`."""
        return {f"c{n}": text for n, text in enumerate(self.constants.values())}

    def read(self, cells: list[str], line: int) -> tuple[list[str | None], list[dict[str, str]]]:
        """The texts of a line as PostgreSQL reads them, and what is wrong with it."""
        values: list[str | None] = []
        problems: list[dict[str, str]] = []
        for field, cell in zip(self.fields, cells, strict=False):
            try:
                values.append(self._text(field, cell, f"line {line}"))
            except BadValue as error:
                values.append(None)
                problems.append(problem(field.name, cell, str(error.facts["hint"])))
        return values, problems

    def _text(self, field: Any, cell: str, place: str) -> str | None:
        if not cell and field in self.match and writable.is_serial(field):
            return None
        value = writable.from_cell(self.entity, field, cell, place)
        return value if isinstance(value, str) and isinstance(field, TEXTS) else writable.as_text(field, value)

    def anew(self) -> list[str | None]:
        """Defaults that are made for one line."""
        return [writable.as_text(field, field.get_default()) for field in self.fresh]

    def as_json(self) -> dict[str, Any]:
        """How the options of a change keep it."""
        return {
            "columns": [field.name for field in self.fields],
            "match": [field.name for field in self.match],
            "constants": self.constants,
            "fresh": [field.name for field in self.fresh],
            "missing": [field.name for field in self.missing],
        }


TEXTS = (models.CharField, models.TextField)


def problem(column: str, value: str, message: str) -> dict[str, str]:
    """What is wrong with a line, as it is kept."""
    return {"column": column, "value": short(value), "message": message}


def from_json(entity: type[SoftDeleted], data: Mapping[str, Any]) -> Layout:
    """The layout that `as_json` kept."""
    named: Any = entity._meta.get_field

    def fields(name: str) -> tuple[Any, ...]:
        return tuple(named(one) for one in data[name])

    return Layout(
        entity=entity,
        fields=fields("columns"),
        match=fields("match"),
        constants=dict(data["constants"]),
        fresh=fields("fresh"),
        missing=fields("missing"),
    )


def names_of(entity: type[SoftDeleted]) -> dict[str, Any]:
    """Names a header may use, in lower case: of the field, of its column, or as people call it."""
    fields = [*writable.writable(entity, key=True).values(), *entity._meta.pk_fields]
    found: dict[str, Any] = {}
    for names in (lambda f: str(f.verbose_name), lambda f: str(f.column), lambda f: f.attname, lambda f: f.name):
        found |= {names(field).lower(): field for field in fields}
    return found


def layout(
    entity: type[SoftDeleted], header: Iterable[str], *, match: str = "", including: Iterable[str] = ()
) -> Layout:
    """Read a header. `match` is `key`, `none`, a unique field, or empty: the key, else the first unique field there is.

    Raises BadColumns, BadMatch, SayIncluding.
    """
    fields = _columns(entity, tuple(header))
    writable.say_including(entity, [field.name for field in fields], including, "including")
    chosen = _match(entity, fields, match)
    constants, fresh, missing = _besides(entity, fields)
    return Layout(entity=entity, fields=fields, match=chosen, constants=constants, fresh=fresh, missing=missing)


def _columns(entity: type[SoftDeleted], header: tuple[str, ...]) -> tuple[Any, ...]:
    known = names_of(entity)
    listed = ", ".join(sorted({field.name for field in known.values()}))
    found: list[Any] = []
    for name in header:
        field = known.get(name.lower())
        reason = None if field is not None else _why_unknown(entity, name)
        if field is None or field in found:
            code = reason or (_twice() if field is not None else "")
            raise BadColumns(field="file", value=short(name), hint=code, known=listed)
        found.append(field)
    return tuple(found)


def _twice() -> str:
    return _("It is there twice.")


def _why_unknown(entity: type[SoftDeleted], name: str) -> str:
    for field in entity._meta.concrete_fields:
        if name.lower() in (field.name, field.attname):
            return writable.why_not(entity, field) or ""
    return ""


def _match(entity: type[SoftDeleted], fields: tuple[Any, ...], wanted: str) -> tuple[Any, ...]:
    possible = ways(entity)
    there = {name: way for name, way in possible.items() if all(field in fields for field in way)}
    if wanted == NEW_ONLY:
        return ()
    if wanted and wanted not in there:
        raise BadMatch(field="match", value=short(wanted), known=", ".join([*there, NEW_ONLY]))
    return there[wanted] if wanted else next(iter(there.values()), ())


def ways(entity: type[SoftDeleted]) -> dict[str, tuple[Any, ...]]:
    """What can find a row, by name: its key, then the unique rules of the model."""
    by_column = {str(field.column): field for field in entity._meta.local_concrete_fields}
    found: dict[str, tuple[Any, ...]] = {KEY: tuple(entity._meta.pk_fields)}
    for unique in uniques(entity):
        columns = [c for c in unique.columns if c != "tenant_id"]
        if columns:
            found.setdefault(",".join(by_column[c].name for c in columns), tuple(by_column[c] for c in columns))
    return found


def _besides(entity: type[SoftDeleted], fields: tuple[Any, ...]) -> tuple[dict[str, str | None], tuple[Any, ...], Any]:
    """Defaults of the columns the file does not have, and those a new row cannot be without."""
    constants: dict[str, str | None] = {}
    fresh, missing = [], []
    insertable, quiet = insertable_columns(table_of(entity)), quiet_columns(entity)
    for field in entity._meta.local_concrete_fields:
        column = str(field.column)
        if field in fields or column in quiet or column not in insertable or column == "tenant_id":
            continue
        if has_db_default(field) or writable.is_serial(field) or getattr(field, "auto_now_add", False):
            continue
        if field.has_default():
            if callable(field.default) and field.get_default() != field.get_default():
                fresh.append(field)
            else:
                constants[column] = writable.as_text(field, field.get_default())
        elif not field.null and not (field.blank and field.empty_strings_allowed):
            missing.append(field)
        elif not field.null:
            constants[column] = ""
    return constants, tuple(fresh), tuple(missing)


def has_db_default(field: Any) -> bool:
    """The database fills the column itself."""
    return field.db_default is not models.NOT_PROVIDED


def _kind(field: Any) -> str:
    return "bigint" if writable.is_serial(field) else writable.kind(field)
