"""Which fields of an entity a change may write, and how a value for one is read from untrusted input.

A value goes three ways: as JSON in the options of a change (`stored`), as the text that PostgreSQL reads (`as_text`), and
in words (`in_words`). What the database, governance or a key keeps is never written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import BinaryField, BooleanField, Field, FileField, ForeignKey, IntegerField, JSONField
from django.utils.translation import gettext as _
from psycopg.adapt import PyFormat, Transformer

from audit.entity import ARCHIVED, SoftDeleted
from changes.errors import BadValue, NotWritable, SayIncluding, UnknownField
from changes.selection import scalar, short

KEPT = frozenset({"is_deleted", "deleted_at", "retention_policy", "tenant_id"})
LINE_BREAKS = re.compile(r"[\r\n]+")


def why_not(entity: type[SoftDeleted], field: Any, *, key: bool = False) -> str | None:
    """Why a field cannot be written, None when it can; with `key` a key that no sequence makes may be given."""
    if field.name in KEPT or field.column in KEPT:
        return _("Custody keeps this column.")
    if getattr(field, "generated", False):
        return _("The database computes this column.")
    if field in entity._meta.pk_fields and not (key and not is_serial(field)):
        return _("The key of a row never changes.")
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return _("Every save writes this column itself.")
    if isinstance(field, (BinaryField, FileField)):
        return _("Files and bytes cannot be written this way.")
    if not field.editable and field not in entity._meta.pk_fields:
        return _("This column is not for editing.")
    return None


def is_serial(field: Any) -> bool:
    """The database numbers this key."""
    return str(field.get_internal_type()).endswith("AutoField")


def writable(entity: type[SoftDeleted], *, key: bool = False) -> dict[str, Field]:  # type: ignore[type-arg]
    """Fields by name."""
    return {f.name: f for f in entity._meta.concrete_fields if f.column and why_not(entity, f, key=key) is None}


def field_of(entity: type[SoftDeleted], name: str, place: str) -> Any:
    """The field of this name. Raises UnknownField, NotWritable."""
    known = {field.name: field for field in entity._meta.concrete_fields if field.column}
    field = known.get(name)
    if field is None:
        names = ", ".join(sorted(writable(entity)))
        raise UnknownField(field=place, value=short(name), entity=str(entity.governance.label), known=names)
    reason = why_not(entity, field)
    if reason is not None:
        raise NotWritable(field=place, name=name, hint=reason)
    return field


def say_including(entity: type[SoftDeleted], names: Iterable[str], including: Iterable[str], place: str) -> list[str]:
    """Sensitive and unrecorded fields are written only where the request says so. Return those it said.

    Raises SayIncluding, UnknownField for a name that is not written.
    """
    written, said = list(names), list(including)
    for name in said:
        if name not in written:
            known = ", ".join(written) or "-"
            raise UnknownField(field=place, value=short(name), entity=str(entity.governance.label), known=known)
    for name in written:
        if name in said:
            continue
        if name in entity.governance.sensitive:
            raise SayIncluding(field=place, name=name, hint=_("It is sensitive: not everybody may see it."))
        if name in entity.governance.untracked:
            raise SayIncluding(
                field=place, name=name, hint=_("History leaves it out, so an undo cannot bring it back.")
            )
    return sorted(set(said))


# -- reading -----------------------------------------------------------------------------------------


def typed(entity: type[SoftDeleted], field: Any, value: Any, place: str) -> Any:
    """The value in the field's own type, through the field's own validators. Raises BadValue.

    Whether a foreign key points to a living row is asked of the database, see `living`.
    """
    if value is None:
        if field.null:
            return None
        raise _bad(field, value, place, _("This column is never empty."))
    read = _structure(field, value, place) if is_structure(field) else scalar(field, value, place)
    try:
        if not isinstance(field, ForeignKey):  # its own validation takes deleted rows for living ones
            field.validate(read, None)
        field.run_validators(read)
    except ValidationError as error:
        raise _bad(field, value, place, " ".join(error.messages) + _choices(field)) from error
    if field.name == "status" and entity.governance.status and read == ARCHIVED:
        raise _bad(field, value, place, _("Ask for a delete instead."))
    return read


def from_cell(entity: type[SoftDeleted], field: Any, cell: str, place: str) -> Any:
    """The value of a cell of text: an empty one is an empty text, or no value where the field may be empty."""
    if not cell:
        return None if field.null else typed(entity, field, cell if _takes_empty(field) else None, place)
    if isinstance(field, BooleanField):
        return _boolean(field, cell, place)
    if not is_structure(field):
        return typed(entity, field, cell, place)
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise _bad(field, cell, place, _("Write it as JSON.")) from error
    return typed(entity, field, value, place)


def living(field: Any, value: Any, place: str) -> None:
    """Raise BadValue unless the foreign key points to a living row of this tenant."""
    if not isinstance(field, ForeignKey) or value is None:
        return
    model: Any = field.related_model
    rows = model.objects if issubclass(model, SoftDeleted) else model._base_manager
    if not rows.filter(**{field.target_field.name: value}).exists():
        raise _bad(field, value, place, no_such_parent(field))


def no_such_parent(field: Any) -> str:
    """What is said about a link to nothing."""
    return _("There is no living row of %(entity)s with this key.") % {
        "entity": str(
            getattr(getattr(field.related_model, "governance", None), "label", field.related_model._meta.label)
        )
    }


def is_structure(field: Any) -> bool:
    """Fields whose values are lists or objects."""
    kind = field.get_internal_type()
    return isinstance(field, (JSONField, ArrayField)) or kind == "HStoreField" or kind.endswith("RangeField")


def _structure(field: Any, value: Any, place: str) -> Any:
    if not _storable(value):
        raise _bad(field, value, place, _("It holds a character that PostgreSQL cannot store."))
    try:
        text = value if isinstance(field, JSONField) else json.dumps(value)
        return field.to_python(text)
    except ValidationError as error:
        raise _bad(field, value, place, " ".join(error.messages)) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise _bad(field, value, place, str(error)) from error


def _storable(value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False)
    return "\\u0000" not in text and text.encode(errors="replace").decode() == text


def _boolean(field: Any, cell: str, place: str) -> bool:
    known = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
    if cell.strip().lower() not in known:
        raise _bad(field, cell, place, _("Use true or false."))
    return known[cell.strip().lower()]


def _takes_empty(field: Any) -> bool:
    return bool(field.empty_strings_allowed) and not is_structure(field)


def _choices(field: Any) -> str:
    if not field.choices:
        return ""
    return " " + _("Use one of: %s.") % ", ".join(str(value) for value, _label in field.flatchoices)


def _bad(field: Any, value: Any, place: str, hint: str) -> BadValue:
    return BadValue(field=place, name=field.name, value=short(value), hint=hint)


# -- writing -----------------------------------------------------------------------------------------


def stored(field: Any, value: Any) -> Any:
    """The value as the options of a change keep it; `typed` reads it again as the same value."""
    if value is None or isinstance(field, JSONField):
        return value
    target = field.target_field if isinstance(field, ForeignKey) else field
    if isinstance(value, bool) or (isinstance(target, IntegerField) and isinstance(value, int)):
        return value
    text = field.value_to_string(SimpleNamespace(**{field.attname: value}))
    return json.loads(text) if is_structure(field) else str(text)


def as_text(field: Any, value: Any) -> str | None:
    """The value as PostgreSQL reads it from a text."""
    prepared = field.get_db_prep_save(value, connection)
    if prepared is None or isinstance(prepared, str):
        return prepared
    connection.ensure_connection()
    dumper = Transformer(connection.connection).get_dumper(prepared, PyFormat.TEXT)
    dumped = dumper.dump(prepared)
    return None if dumped is None else bytes(dumped).decode()


def kind(field: Any) -> str:
    """The column's type for a cast."""
    return str(field.db_type(connection))


def in_words(entity: type[SoftDeleted], name: str, value: Any) -> str:
    """What a field becomes, in words of the current language. A sensitive value is not told."""
    field: Any = entity._meta.get_field(name)
    name = str(field.verbose_name)
    if field.name in entity.governance.sensitive:
        return _("%(field)s becomes a value that is not shown here") % {"field": name}
    if value is None or value == "":
        return _("%(field)s is emptied") % {"field": name}
    if isinstance(value, bool):
        shown = _("yes") if value else _("no")
    elif isinstance(value, (dict, list)):
        shown = json.dumps(value, ensure_ascii=False)
    else:
        shown = str(dict(field.flatchoices).get(value, value)) if field.choices else str(value)
    return _("%(field)s becomes %(value)s") % {"field": name, "value": LINE_BREAKS.sub(" ", shown)[:200]}


def assignments(entity: type[SoftDeleted], values: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Column -> (type, text) of values as `stored` gives them."""
    found = {}
    for name, value in values.items():
        field: Any = entity._meta.get_field(name)
        found[str(field.column)] = (kind(field), as_text(field, typed(entity, field, value, f"options.set.{name}")))
    return found
