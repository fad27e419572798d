"""What may stand in the way of an undo later: told before, because afterwards it is too late."""

from __future__ import annotations

from typing import Any

from django.db.models import UniqueConstraint
from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Part, Subject
from changes.relations import governed_parents
from changes.states import Effect


def ask(subject: Subject) -> Finding | None:
    if subject.brings_back:
        return None
    risks = [risk for part in subject.parts if part.rows for risk in _risks(part)]
    if not risks:
        return Finding("undo_later", PASS, "undo_is_free")
    lost = any(risk["kind"] == "unrecorded" for risk in risks)
    return Finding("undo_later", WARN if lost else PASS, "undo_risks", {"risks": risks})


def _risks(part: Part) -> list[dict[str, Any]]:
    """kind → what of the table: unique values another row may take, keys used again, parents, columns without a record."""
    entity, found = part.entity._meta.label_lower, []
    gone = part.effect in (Effect.DELETE, Effect.REMOVE)
    if gone and (unique := _reusable(part.entity)):
        found.append({"entity": entity, "kind": "unique", "columns": unique})
    if part.effect == Effect.REMOVE:
        found.append({"entity": entity, "kind": "removed", "columns": []})
    if gone and (parents := [str(field.column) for field in governed_parents(part.entity)]):
        found.append({"entity": entity, "kind": "parents", "columns": parents})
    if unrecorded := sorted({*part.columns} & _untracked(part.entity)):
        found.append({"entity": entity, "kind": "unrecorded", "columns": unrecorded})
    return found


def _reusable(model: Any) -> list[str]:
    """Columns whose values are free for other rows once a row is in the recycle bin."""
    named = {
        field
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and constraint.condition is not None
        for field in constraint.fields
    }
    return sorted(named - {"tenant_id"})


def _untracked(model: Any) -> set[str]:
    return {str(model._meta.get_field(name).column) for name in model.governance.untracked}


CHECK = Check(name="undo_later", label=_("Undo later"), ask=ask, planned=True)
