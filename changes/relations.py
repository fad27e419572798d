"""What hangs on the rows of an entity: the relations a delete has to follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import models

from audit.entity import SoftDeleted
from audit.names import quote


class Rule(StrEnum):
    CASCADE = "cascade"
    CLEAR = "clear"
    PROTECT = "protect"


@dataclass(frozen=True, slots=True)
class Dependant:
    """A foreign key of another governed entity to this one."""

    child: type[SoftDeleted]
    field: Any
    rule: Rule

    @property
    def name(self) -> str:
        """How `cascade_also` and the ticket call it: app.model.field."""
        return f"{self.child._meta.label_lower}.{self.field.name}"

    def points_to_key(self) -> bool:
        return bool(self.field.target_field.primary_key)

    def column(self) -> str:
        return quote(self.field.column)

    def target_column(self) -> str:
        return quote(self.field.target_field.column)


def dependants(model: type[SoftDeleted], *, cascade_also: frozenset[str] = frozenset()) -> tuple[Dependant, ...]:
    """Foreign keys to `model` from governed entities, with the rule that applies to each; hidden ones too.

    A protecting relation named in `cascade_also` cascades instead.
    """
    found = []
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ManyToOneRel):
            continue
        child, field = relation.related_model, relation.field
        if isinstance(field, models.ForeignKey) and isinstance(child, type) and issubclass(child, SoftDeleted):
            dependant = Dependant(child, field, _rule(field.remote_field.on_delete))
            if dependant.rule is Rule.PROTECT and dependant.name in cascade_also:
                dependant = Dependant(child, field, Rule.CASCADE)
            found.append(dependant)
    return tuple(sorted(found, key=lambda d: d.name))


def governed_parents(model: type[SoftDeleted]) -> tuple[Any, ...]:
    """Foreign key fields of `model` that point to governed entities."""
    return tuple(
        field
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey) and issubclass(field.remote_field.model, SoftDeleted)
    )


def _rule(on_delete: Any) -> Rule:
    if on_delete is models.CASCADE:
        return Rule.CASCADE
    if on_delete in (models.PROTECT, models.RESTRICT):
        return Rule.PROTECT
    if on_delete is models.DO_NOTHING:
        return Rule.PROTECT
    return Rule.CLEAR
