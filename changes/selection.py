"""Which rows: a stored, shown and replayed value, parsed from untrusted input by an allow-list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import (
    BooleanField,
    DateField,
    Field,
    ForeignKey,
    IntegerField,
    JSONField,
    Q,
    QuerySet,
    TimeField,
    UUIDField,
)
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from audit.entity import SoftDeleted
from changes.errors import BadSelection, BadValue, EmptySelection, TooManyKeys, UnknownField, UnknownLookup, WholeTable

KEY_LIMIT = 100_000
CONDITION_LIMIT = 50
# More digits before or after the point than PostgreSQL's numeric can hold are a mistake, or an attack.
DIGITS = 1_000

LOOKUPS = {
    "eq": "exact",
    "ne": "exact",
    "lt": "lt",
    "lte": "lte",
    "gt": "gt",
    "gte": "gte",
    "in": "in",
    "contains": "icontains",
    "startswith": "istartswith",
    "isnull": "isnull",
    "between": "range",
}
WORDS = {
    "eq": gettext_lazy("is"),
    "ne": gettext_lazy("is not"),
    "lt": gettext_lazy("less than"),
    "lte": gettext_lazy("at most"),
    "gt": gettext_lazy("more than"),
    "gte": gettext_lazy("at least"),
    "in": gettext_lazy("is one of"),
    "contains": gettext_lazy("contains"),
    "startswith": gettext_lazy("starts with"),
    "isnull": gettext_lazy("is empty"),
    "between": gettext_lazy("between"),
}
# Time has no more or less, only before and after.
WORDS_OF_TIME = WORDS | {
    "lt": pgettext_lazy("comparison", "before"),
    "lte": pgettext_lazy("comparison", "until"),
    "gt": pgettext_lazy("comparison", "after"),
    "gte": pgettext_lazy("comparison", "from"),
}
SIMPLE = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "between", "isnull")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison, values already typed."""

    field: str
    op: str
    value: Any

    def q(self) -> Q:
        q = Q(**{f"{self.field}__{LOOKUPS[self.op]}": self.value})
        return ~q if self.op == "ne" else q


@dataclass(frozen=True, slots=True)
class Selection:
    """Either groups of conditions (AND inside `where`, OR between the groups of `any`) without some keys, or keys."""

    entity: type[SoftDeleted]
    where: tuple[Condition, ...] = ()
    any: tuple[tuple[Condition, ...], ...] = ()
    keys: tuple[Any, ...] | None = None
    given: int = 0
    without: tuple[Any, ...] = ()

    @classmethod
    def parse(cls, data: Any, entity: type[SoftDeleted]) -> Selection:
        """Read untrusted data. Raises an Invalid that names the place and the way out."""
        if not isinstance(data, dict) or not set(data) <= {"where", "any", "keys", "without"}:
            raise BadSelection(field="selection")
        if "keys" in data:
            if {"where", "any", "without"} & set(data):
                raise BadSelection(field="selection.keys")
            return _parse_keys(cls, data["keys"], entity)
        where = _parse_group(data.get("where", []), entity, "selection.where")
        groups = data.get("any", [])
        if not isinstance(groups, list) or len(groups) > CONDITION_LIMIT:
            raise BadSelection(field="selection.any")
        any_groups = tuple(
            _parse_group(g.get("where", []) if isinstance(g, dict) else g, entity, f"selection.any.{i}")
            for i, g in enumerate(groups)
        )
        if sum(map(len, any_groups)) + len(where) > CONDITION_LIMIT:
            raise BadSelection(field="selection")
        if not where and (not any_groups or not all(any_groups)):
            raise WholeTable(field="selection")
        without = _keys(data["without"], entity, "selection.without") if data.get("without") else ()
        return cls(entity=entity, where=where, any=any_groups, without=without)

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of `rows` that are selected."""
        if self.keys is not None:
            return rows.filter(pk__in=list(self.keys))
        for condition in self.where:
            rows = rows.filter(condition.q())
        if self.any:
            either = Q()
            for group in self.any:
                both = Q()
                for condition in group:
                    both &= condition.q()
                either |= both
            rows = rows.filter(either)
        return rows.exclude(pk__in=list(self.without)) if self.without else rows

    def describe(self) -> str:
        """The selection in words of the current language."""
        plural = str(self.entity.governance.label)
        if self.keys is not None:
            shown = ", ".join(_key_text(key) for key in self.keys[:5])
            more = _("%(entity)s with the keys %(keys)s and %(more)s more")
            return (more if len(self.keys) > 5 else _("%(entity)s with the keys %(keys)s")) % {
                "entity": plural,
                "keys": shown,
                "more": len(self.keys) - 5,
            }
        texts = [self._words(condition) for condition in self.where]
        if self.any:
            joiner = " " + _("or") + " "
            inner = " " + _("and") + " "
            texts.append("(" + joiner.join(inner.join(map(self._words, group)) for group in self.any) + ")")
        if self.without:
            texts.append(_("without %(count)s rows") % {"count": len(self.without)})
        return _("%(entity)s where %(conditions)s") % {
            "entity": plural,
            "conditions": (" " + _("and") + " ").join(texts),
        }

    def _words(self, condition: Condition) -> str:
        field: Any = self.entity._meta.get_field(condition.field)
        if condition.op == "isnull":
            return f"{field.verbose_name} {_('is empty') if condition.value else _('is not empty')}"
        names = dict(getattr(field, "flatchoices", ()))
        values = condition.value if isinstance(condition.value, (list, tuple)) else [condition.value]
        text = ", ".join(str(names.get(value, value)) for value in values)
        return f"{field.verbose_name} {word(field, condition.op)} {text}"


def word(field: Any, op: str) -> str:
    """How a comparison of this field is called."""
    target = field.target_field if isinstance(field, ForeignKey) else field
    return str((WORDS_OF_TIME if isinstance(target, (DateField, TimeField)) else WORDS)[op])


def filterable(entity: type[SoftDeleted]) -> dict[str, Field]:  # type: ignore[type-arg]
    """Fields a selection may name."""
    return {
        field.name: field
        for field in entity._meta.concrete_fields
        if field.name not in ("is_deleted", "deleted_at", "tenant_id")
    }


def lookups_for(field: Any) -> tuple[str, ...]:
    """Comparisons that make sense for the field."""
    if isinstance(field, (BooleanField,)):
        return ("eq", "isnull")
    if isinstance(field, (JSONField, ArrayField)):
        return ("isnull",)
    if isinstance(field, ForeignKey):
        return ("eq", "ne", "in", "isnull")
    if field.get_internal_type() in ("CharField", "TextField", "EmailField", "SlugField"):
        return (*SIMPLE, "contains", "startswith")
    return SIMPLE


def _parse_group(data: Any, entity: type[SoftDeleted], place: str) -> tuple[Condition, ...]:
    if not isinstance(data, list) or len(data) > CONDITION_LIMIT:
        raise BadSelection(field=place)
    return tuple(_parse_condition(item, entity, f"{place}.{i}") for i, item in enumerate(data))


def _parse_condition(item: Any, entity: type[SoftDeleted], place: str) -> Condition:
    if not isinstance(item, dict) or not isinstance(item.get("field"), str):
        raise BadSelection(field=place)
    fields = filterable(entity)
    field = fields.get(item["field"])
    if field is None:
        raise UnknownField(
            field=f"{place}.field",
            value=short(item["field"]),
            entity=str(entity.governance.label),
            known=", ".join(sorted(fields)),
        )
    op = item.get("op", "eq")
    if not isinstance(op, str) or op not in lookups_for(field):
        raise UnknownLookup(field=f"{place}.op", value=str(op)[:60], known=", ".join(lookups_for(field)))
    return Condition(field.name, op, _typed(field, op, item.get("value"), place))


def _typed(field: Any, op: str, value: Any, place: str) -> Any:
    place = f"{place}.value"
    if op == "isnull":
        if not isinstance(value, bool):
            raise BadValue(field=place, name=field.name, value=short(value), hint=_("Use true or false."))
        return value
    if op in ("in", "between"):
        if not isinstance(value, list) or not value or (op == "between" and len(value) != 2):
            hint = _("Give a list of two values.") if op == "between" else _("Give a list of values.")
            raise BadValue(field=place, name=field.name, value=short(value), hint=hint)
        if len(value) > KEY_LIMIT:
            raise TooManyKeys(field=place, given=len(value), limit=KEY_LIMIT)
        return [scalar(field, one, place) for one in value]
    return scalar(field, value, place)


def scalar(field: Any, value: Any, place: str) -> Any:
    """The value in the field's own type, as PostgreSQL could store it."""
    target = field.target_field if isinstance(field, ForeignKey) else field
    hint = _("Leave the condition out or compare with “is empty”.")
    if value is None:
        raise BadValue(field=place, name=field.name, value=short(value), hint=hint)
    if isinstance(value, (dict, list)) or _is_foreign(target, value):
        wanted = _("It holds values of another kind.")
        raise BadValue(field=place, name=field.name, value=short(value), hint=wanted)
    try:
        typed = target.to_python(value)
        if isinstance(target, IntegerField):
            target.run_validators(typed)
    except ValidationError as error:
        hint = " ".join(error.messages)
        raise BadValue(field=place, name=field.name, value=short(value), hint=hint) from error
    except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
        raise BadValue(field=place, name=field.name, value=short(value), hint=str(error)) from error
    if typed is None or (isinstance(typed, Decimal) and typed.is_finite() and abs(typed.adjusted()) > DIGITS):
        raise BadValue(field=place, name=field.name, value=short(value), hint=hint)
    if isinstance(typed, datetime) and timezone.is_naive(typed):
        typed = timezone.make_aware(typed)
    return typed


def _is_foreign(target: Any, value: Any) -> bool:
    """Values that Python would bend into the field's type, or that PostgreSQL cannot hold in any text."""
    if isinstance(value, str):
        return "\x00" in value or not _encodable(value)
    if isinstance(value, bool):
        return not isinstance(target, BooleanField)
    if isinstance(target, UUIDField):
        return not isinstance(value, UUID)
    return isinstance(value, float) and isinstance(target, IntegerField)


def _encodable(text: str) -> bool:
    """Whether the text has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse_keys(cls: type[Selection], data: Any, entity: type[SoftDeleted]) -> Selection:
    keys = _keys(data, entity, "selection.keys")
    return cls(entity=entity, keys=keys, given=len(data))


def _keys(data: Any, entity: type[SoftDeleted], place: str) -> tuple[Any, ...]:
    """Typed keys, each once."""
    if not isinstance(data, list):
        raise BadSelection(field=place)
    if not data:
        raise EmptySelection(field=place)
    if len(data) > KEY_LIMIT:
        raise TooManyKeys(field=place, given=len(data), limit=KEY_LIMIT)
    fields = entity._meta.pk_fields
    return tuple(dict.fromkeys(_typed_key(fields, key, f"{place}.{i}") for i, key in enumerate(data)))


def _typed_key(fields: Sequence[Any], key: Any, place: str) -> Any:
    if len(fields) == 1:
        return _key_scalar(fields[0], key[0] if isinstance(key, list) and len(key) == 1 else key, place)
    if not isinstance(key, (list, tuple)) or len(key) != len(fields):
        names = ", ".join(field.name for field in fields)
        raise BadValue(field=place, name="pk", value=short(key), hint=_("Give a list: %(names)s.") % {"names": names})
    return tuple(_key_scalar(field, one, place) for field, one in zip(fields, key, strict=True))


def _key_scalar(field: Any, value: Any, place: str) -> Any:
    typed = scalar(field, value, place)
    if isinstance(typed, int) and not -(2**63) <= typed < 2**63:
        raise BadValue(field=place, name=field.name, value=short(value), hint=_("The number is too large."))
    return typed


def short(value: Any) -> str:
    text = value[:80] if isinstance(value, str) else json.dumps(value, default=str)[:80]
    return text.encode(errors="replace").decode()


def _key_text(key: Any) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
