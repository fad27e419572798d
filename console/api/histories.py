"""The record: the versions of one row with their differences, and the events of everything."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from audit.models import Event
from console.api import keys, paging
from console.api.base import ApiView, integer
from console.api.describing import operation, query
from console.api.entities import open_entity
from console.api.errors import BadParameter, RowNotFound
from console.api.serializers import EventShown, VersionShown
from console.api.values import plain

EVENT_FILTERS = (
    query("entity", "Only events of this entity (`app.model`)."),
    query("change", "Only events of this change.", int),
    query("action", "Only this action, for example `update` or `change.started`."),
    query("operator", "Only events by this account.", int),
)


class RowHistory(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation(
        "listVersions",
        "The versions of one row, newest first, each with what it changed",
        gives=VersionShown,
        paged=True,
        errors=(UnknownEntity, RowNotFound),
        tag="record",
    )
    def get(self, request: Request, label: str, key: str) -> Response:
        model = open_entity(self, label, "history.browse")
        rows = _versions(model, keys.parse(key, model))
        after = paging.numbers(request)
        if after is None and not rows.exists():
            _refuse_unknown(model, key)
        if after is not None:
            rows = rows.filter(history_id__lt=after[0])
        limit = paging.size(request)
        # One more than the page: it tells whether there is a next page, and the page's last version from its predecessor.
        found = list(rows[: limit + 1])
        return Response(
            paging.page(
                request,
                found,
                key=lambda version: (version.history_id,),
                show=lambda shown: _shown(model, shown, found),
                limit=limit,
            )
        )


class EventList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"entity", "change", "action", "operator"}}

    @operation(
        "listEvents",
        "Every statement and every act, newest first",
        gives=EventShown,
        paged=True,
        parameters=EVENT_FILTERS,
        errors=(UnknownEntity,),
        tag="record",
    )
    def get(self, request: Request) -> Response:
        self.enforce("history.browse", "*")
        rows = _filtered(request, Event.objects.filter(tenant_id=self.actor.tenant_id)).order_by("-pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda event: (event.pk,),
                show=lambda found: list(EventShown(found, many=True).data),
                limit=paging.size(request),
            )
        )


def _versions(model: type[SoftDeleted], key: Any) -> Any:
    history: Any = registry.history_of(model)
    parts = key if isinstance(key, tuple) else (key,)
    fields = model._meta.pk_fields
    named = {field.attname: part for field, part in zip(fields, parts, strict=True)}
    return history.objects.filter(**named).order_by("-history_id")


def _refuse_unknown(model: Any, key: str) -> None:
    """A row without history is still a row; a key nobody has is not."""
    if not model.objects_and_deleted.filter(pk=keys.parse(key, model)).exists():
        raise RowNotFound(entity=str(model.governance.label))


def _shown(model: type[SoftDeleted], shown: list[Any], found: list[Any]) -> list[Any]:
    events = Event.objects.in_bulk([version.event_id for version in shown if version.event_id])
    names = [field.name for field in model._meta.concrete_fields if hasattr(found[0], field.attname)] if found else []
    columns = [(name, model._meta.get_field(name).attname) for name in names]  # type: ignore[union-attr]
    rows = []
    for index, version in enumerate(shown):
        before = found[index + 1] if index + 1 < len(found) else None
        rows.append(_version(version, before, events.get(version.event_id), columns))
    return list(VersionShown(rows, many=True).data)


def _version(version: Any, before: Any, event: Event | None, columns: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "id": version.history_id,
        "at": version.history_date,
        "type": version.history_type,
        "operator": version.history_user_id,
        "operator_name": event.operator_name if event else None,
        "channel": event.channel if event else None,
        "action": event.action if event else None,
        "reason": version.history_change_reason,
        "change": version.change_id,
        "event": version.event_id,
        "differences": _differences(version, before, columns),
    }


def _differences(version: Any, before: Any, columns: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Columns that differ from the version before, as JSON values."""
    found = []
    for name, attname in columns:
        new = plain(getattr(version, attname))
        old = None if before is None else plain(getattr(before, attname))
        if before is None or old != new or type(old) is not type(new):
            found.append({"field": name, "before": old, "after": new})
    return found


def _filtered(request: Request, rows: Any) -> Any:
    given = request.query_params
    if "entity" in given:
        rows = rows.filter(entity=registry.entity(given["entity"])._meta.label_lower)
    if "action" in given:
        rows = rows.filter(action=given["action"])
    for name, column in (("change", "change_id"), ("operator", "operator_id")):
        if name in given:
            number = integer(given[name])
            if number is None:
                raise BadParameter(field=name, value=given[name][:40], hint="0…")
            rows = rows.filter(**{column: number})
    return rows
