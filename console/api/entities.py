"""The governed entities: what there is, what may be compared, written and how much needs approval."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from changes.relations import dependants
from changes.selection import filterable, lookups_for
from console.api.base import ApiView
from console.api.describing import operation
from console.api.editing import not_writable
from console.api.serializers import EntityShown, EntityWhole
from console.api.values import plain

LABEL_LIMIT = 160


class EntityList(ApiView):
    @operation("listEntities", "All governed entities", gives=EntityShown(many=True), tag="entities")
    def get(self, request: Request) -> Response:
        self.enforce("entity.browse", "*")
        return Response(EntityShown([_short(model) for model in registry.entities()], many=True).data)


class EntityDetail(ApiView):
    @operation(
        "getEntity",
        "One entity: fields, comparisons, relations, threshold",
        gives=EntityWhole,
        errors=(UnknownEntity,),
        tag="entities",
    )
    def get(self, request: Request, label: str) -> Response:
        model = open_entity(self, label)
        whole = {
            **_short(model),
            "key": [field.name for field in model._meta.pk_fields],
            "fields": [_field(model, field) for field in model._meta.concrete_fields],
            "relations": [{"relation": one.name, "rule": str(one.rule)} for one in dependants(model)],
        }
        return Response(EntityWhole(whole).data)


def open_entity(view: ApiView, label: str, action: str = "entity.browse") -> type[SoftDeleted]:
    """The entity of an address, after the policy's answer. Raises NotAllowed before UnknownEntity."""
    view.enforce(action, label)
    return registry.entity(label[:LABEL_LIMIT])


def _short(model: type[SoftDeleted]) -> dict[str, Any]:
    label = model._meta.label_lower
    return {
        "entity": label,
        "label": str(model.governance.label),
        "threshold": registry.threshold(model),
        "url": reverse("api:entity", args=[label]),
    }


def _field(model: type[SoftDeleted], field: Any) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": str(field.verbose_name),
        "type": field.get_internal_type(),
        "null": field.null,
        "writable": not_writable(model, field) is None,
        "references": field.related_model._meta.label_lower if field.related_model else None,
        "choices": [plain(value) for value, _ in field.flatchoices] or None,
        "lookups": list(lookups_for(field)) if field.name in filterable(model) else [],
    }
