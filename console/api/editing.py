"""Writing single rows: the model's own validation, never the columns that governance keeps.

Deleting and restoring are changes; nothing here sets what they set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.entity import ARCHIVED, SoftDeleted
from console.api.errors import InvalidFields, RowNotFound
from foundation import context

GOVERNED = frozenset({"is_deleted", "deleted_at", "retention_policy", "tenant_id", "created_at", "updated_at"})
TEXTS = frozenset({"CharField", "TextField", "EmailField", "SlugField", "URLField", "UUIDField"})
STRUCTURES = frozenset({"JSONField", "ArrayField", "HStoreField"})
NOT_WRITABLE, WRONG_TYPE = "not_writable", "wrong_type"


def create(entity: type[SoftDeleted], values: dict[str, Any], *, reason: str = "") -> Any:
    """Add a row. Raises InvalidFields with every fault at once."""
    row = entity()
    _assign(row, _typed(entity, values, creating=True))
    with context.inside(reason=reason or None), transaction.atomic():
        _validate(row, exclude=set())
        row.save(force_insert=True)
        row.refresh_from_db()
    return row


def update(entity: type[SoftDeleted], key: Any, values: dict[str, Any], *, reason: str = "") -> Any:
    """Write the given columns of a live row, and no others. Raises RowNotFound, InvalidFields."""
    typed = _typed(entity, values, creating=False)
    live: Any = entity.objects
    with context.inside(reason=reason or None), transaction.atomic():
        row = live.select_for_update(of=("self",)).filter(pk=key).first()
        if row is None:
            raise RowNotFound(entity=str(entity.governance.label))
        if not typed:
            return row
        _assign(row, typed)
        others = {field.name for field in entity._meta.concrete_fields if field.name not in typed}
        _validate(row, exclude=others)
        row.save(update_fields=[*typed, *_touched(entity)])
        row.refresh_from_db()
    return row


def not_writable(entity: type[SoftDeleted], field: Any, *, creating: bool = False) -> str | None:
    """Why a column cannot be written here, None when it can."""
    if field.name in GOVERNED:
        return _("Custody keeps this column.")
    if getattr(field, "generated", False):
        return _("The database computes this column.")
    if not field.editable:
        return _("This column is not for editing.")
    is_key = field in entity._meta.pk_fields
    if is_key and (not creating or field.get_internal_type().endswith("AutoField")):
        return _("The key of a row never changes.")
    return None


def _typed(entity: type[SoftDeleted], values: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """Values by field name, refused where the column or the JSON type does not fit."""
    fields = {field.name: field for field in entity._meta.concrete_fields}
    errors, typed = [], {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            errors.append(_fault(name[:60], "unknown_field", _("Unknown. Fields: %s.") % ", ".join(fields)))
            continue
        why = not_writable(entity, field, creating=creating)
        code = NOT_WRITABLE
        if why is None and entity.governance.status and name == "status" and value == ARCHIVED:
            why = _("Ask for a delete instead.")
        if why is None:
            why, code = _mismatch(field, value), WRONG_TYPE
        if why is not None:
            errors.append(_fault(name, code, why))
        else:
            typed[name] = value
    _refuse(errors)
    return typed


def _mismatch(field: Any, value: Any) -> str | None:
    """What is wrong with the JSON type; Django's fields would turn a list into text."""
    target = field.target_field if field.many_to_one or field.one_to_one else field
    kind = target.get_internal_type()
    if value is None:
        return None if field.null else _("This column is never empty.")
    if kind in STRUCTURES or kind.endswith("RangeField"):
        return None
    if isinstance(value, (dict, list)):
        return _("Give a single value.")
    if kind in TEXTS and not isinstance(value, str):
        return _("Give a text.")
    if (kind == "BooleanField") != isinstance(value, bool):
        return _("Give true or false.") if kind == "BooleanField" else _("This is neither true nor false.")
    return None


def _assign(row: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, row._meta.get_field(name).attname, value)


def _validate(row: Any, *, exclude: set[str]) -> None:
    """full_clean, whose constraints are checked even where a column of theirs was not given."""
    errors: list[dict[str, str]] = []
    _clean_columns(row, exclude, errors)
    _refuse(errors)
    for check in (row.clean, row.validate_unique, row.validate_constraints):
        try:
            check()
        except ValidationError as error:
            errors += _faults(error)
    errors += _deleted_parents(row, exclude)
    _refuse(errors)


def _clean_columns(row: Any, exclude: set[str], errors: list[dict[str, str]]) -> None:
    own = {f.name for f in row._meta.concrete_fields if f.name in GOVERNED or not f.editable}
    try:
        row.clean_fields(exclude=exclude | own)
    except ValidationError as error:
        errors += _faults(error)
    except (TypeError, ValueError, ArithmeticError, OverflowError) as error:
        errors.append(_fault("", "invalid", str(error)))
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, datetime) and timezone.is_naive(value):
            setattr(row, field.attname, timezone.make_aware(value, timezone.get_current_timezone()))


def _deleted_parents(row: Any, exclude: set[str]) -> list[dict[str, str]]:
    """A live row cannot be put under a deleted one."""
    faults = []
    for field in row._meta.concrete_fields:
        parent = field.related_model
        if field.name in exclude or not parent or not issubclass(parent, SoftDeleted):
            continue
        value = getattr(row, field.attname)
        target = field.target_field.name
        if value is not None and not parent.objects.filter(**{target: value}).exists():
            faults.append(_fault(field.name, "parent_deleted", _("The row it would belong to is deleted.")))
    return faults


def _touched(entity: type[SoftDeleted]) -> list[str]:
    """Columns that every save brings up to date."""
    return [field.name for field in entity._meta.concrete_fields if getattr(field, "auto_now", False)]


def _faults(error: ValidationError) -> list[dict[str, str]]:
    if not hasattr(error, "error_dict"):
        return [_fault("", one.code or "invalid", " ".join(one.messages)) for one in error.error_list]
    return [
        _fault("" if name == "__all__" else name, one.code or "invalid", " ".join(one.messages))
        for name, inner in error.error_dict.items()
        for one in inner
    ]


def _fault(name: str, code: str, message: str) -> dict[str, str]:
    return {"field": f"values.{name}" if name else "values", "code": code, "message": message}


def _refuse(errors: list[dict[str, str]]) -> None:
    if errors:
        raise InvalidFields(field=errors[0]["field"], errors=errors)
