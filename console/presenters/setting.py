"""Which fields become what, in words: fields, inputs by kind, the place of an error. Pure over model metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from audit.entity import SoftDeleted
from changes import writable
from console.pages.setting import Settings
from console.presenters.choice import Option
from foundation.errors import Invalid

PLACE = "options.set."


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLine:
    """One field with its new value; `input` is the type of the input, or `select`, or `textarea`."""

    number: int
    remove: str
    fields: tuple[Option, ...]
    input: str
    choices: tuple[Option, ...]
    value: str
    hint: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class SetForm:
    """The card of step 1."""

    lines: tuple[SetLine, ...]
    error: str


def form(lines: Settings, entity: type[SoftDeleted], error: Invalid | None = None) -> SetForm:
    """The card with the typed values, and the error beside the line it is about."""
    place = str(error.facts.get("field", "")) if error is not None else ""
    name = place.removeprefix(PLACE) if place.startswith(PLACE) else ""
    beside = name and any(line.field == name for line in lines)
    shown = tuple(
        _line(n, line.field, line.value, entity, str(error) if beside and line.field == name else "")
        for n, line in enumerate(lines)
    )
    general = str(error) if place.startswith("options") and not beside else ""
    return SetForm(shown, general)


def is_about(error: Invalid) -> bool:
    """Whether an error belongs to this card."""
    return str(error.facts.get("field", "")).startswith("options")


def _line(number: int, name: str, value: str, entity: type[SoftDeleted], error: str) -> SetLine:
    known: dict[str, Any] = writable.writable(entity)
    field = known.get(name)
    return SetLine(
        number=number,
        remove=f"set:remove.{number}",
        fields=tuple(Option(one, _name(entity, f), one == name) for one, f in known.items()),
        input=_input(field),
        choices=_choices(field, value),
        value=value,
        hint=_hint(field),
        error=error,
    )


def _name(entity: type[SoftDeleted], field: Any) -> str:
    name = str(field.verbose_name)
    if field.name in entity.governance.sensitive:
        return _("%(field)s (sensitive)") % {"field": name}
    if field.name in entity.governance.untracked:
        return _("%(field)s (cannot be undone)") % {"field": name}
    return name


def _input(field: Any) -> str:
    if field is None:
        return "text"
    if field.choices or isinstance(field, models.BooleanField):
        return "select"
    if writable.is_structure(field) or field.get_internal_type() == "TextField":
        return "textarea"
    return "date" if isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField) else "text"


def _choices(field: Any, value: str) -> tuple[Option, ...]:
    if field is None or _input(field) != "select":
        return ()
    pairs = list(field.flatchoices) if field.choices else [("true", _("yes")), ("false", _("no"))]
    if field.null or field.blank:
        pairs = [("", _("– empty –")), *pairs]
    return tuple(Option(str(key), str(text), str(key) == value) for key, text in pairs)


def _hint(field: Any) -> str:
    if isinstance(field, models.DateTimeField):
        return _("2025-12-31 or 2025-12-31 14:00")
    if isinstance(field, models.ForeignKey):
        return _("the key")
    if field is not None and writable.is_structure(field):
        return _("as JSON")
    return _("nothing typed: emptied") if field is not None and (field.null or field.blank) else ""
