"""Snapshots: take, list, keep; the rows of a state; what differs between two states."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from audit.models import Snapshot
from audit.snapshots import errors, state, taking
from audit.snapshots.browsing import after, rows_at
from audit.snapshots.comparing import CLASSES, Comparison, Difference
from changes.errors import BadSelection, BadValue, UnknownField, UnknownLookup
from changes.selection import Selection
from console import snapshots
from console.api import keys, paging
from console.api.base import ApiView
from console.api.bodies import parse_json
from console.api.describing import operation, query
from console.api.entities import open_entity
from console.api.errors import BadParameter, MalformedJson, TooDeep
from console.api.fields import read
from console.api.snapshot_shapes import (
    KeepRequest,
    MomentShown,
    PastRowShown,
    RowDifferenceShown,
    SnapshotRequest,
    SnapshotShown,
    SnapshotWhole,
    TotalsShown,
)
from console.api.values import plain

STATE_HELP = "The number of a snapshot, a moment (`2026-03-01T14:03:00Z`), or `now`."
STATE_ERRORS = (
    snapshots.BadState,
    errors.SnapshotNotFound,
    errors.NotInSnapshot,
    errors.BeforeRecording,
    errors.NothingRecorded,
)
TWO = (query("a", STATE_HELP, required=True), query("b", f"{STATE_HELP} `now` unless told."))
TAKE_ERRORS = (
    UnknownEntity,
    errors.BadSnapshotName,
    errors.NoEntities,
    errors.BadKeptUntil,
    errors.SnapshotExists,
    errors.BeforeRecording,
    errors.OnStandby,
    errors.EraBusy,
)


class SnapshotList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"kind", "entity"}}

    @operation(
        "listSnapshots",
        "Snapshots, newest first",
        gives=SnapshotShown,
        paged=True,
        parameters=(
            query("kind", "Only this kind.", enum=Snapshot.Kind.values),
            query("entity", "Only snapshots that hold this entity."),
        ),
        errors=(UnknownEntity,),
        tag="snapshots",
    )
    def get(self, request: Request) -> Response:
        self.enforce("snapshot.browse", "*")
        rows = Snapshot.objects.prefetch_related("tables").order_by("-pk")
        given = request.query_params
        if "kind" in given:
            if given["kind"] not in Snapshot.Kind.values:
                raise BadParameter(field="kind", value=given["kind"][:40], hint=", ".join(Snapshot.Kind.values))
            rows = rows.filter(kind=given["kind"])
        if "entity" in given:
            rows = rows.filter(tables__entity=registry.entity(given["entity"])._meta.label_lower)
        start = paging.numbers(request)
        if start is not None:
            rows = rows.filter(pk__lt=start[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda one: (one.pk,),
                show=lambda found: list(SnapshotShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "takeSnapshot",
        "Mark the present state of some tables, all at the same instant",
        takes=SnapshotRequest,
        gives=SnapshotWhole,
        status=201,
        errors=TAKE_ERRORS,
        tag="snapshots",
    )
    def post(self, request: Request) -> Response:
        self.enforce("snapshot.take", "*")
        sent = read(SnapshotRequest, request.data)
        snapshot = snapshots.take(self.actor, **sent)
        address = reverse("api:snapshot", args=[snapshot.pk])
        return Response(SnapshotWhole(snapshot).data, status=201, headers={"Location": address})


class SnapshotDetail(ApiView):
    @operation(
        "getSnapshot",
        "One snapshot with its tables",
        gives=SnapshotWhole,
        errors=(errors.SnapshotNotFound,),
        tag="snapshots",
    )
    def get(self, request: Request, snapshot_id: int) -> Response:
        self.enforce("snapshot.browse", f"S-{snapshot_id}")
        return Response(SnapshotWhole(state.get(snapshot_id)).data)

    @operation(
        "keepSnapshot",
        "Say until when it is kept, and hold it or let it go",
        takes=KeepRequest,
        gives=SnapshotWhole,
        errors=(errors.SnapshotNotFound, errors.BadKeptUntil),
        tag="snapshots",
    )
    def patch(self, request: Request, snapshot_id: int) -> Response:
        self.enforce("snapshot.take", f"S-{snapshot_id}")
        sent = read(KeepRequest, request.data)
        snapshot = state.get(snapshot_id)
        kept_until = sent.get("kept_until", snapshot.kept_until)
        kept = taking.keep(snapshot, kept_until=kept_until, hold=sent.get("hold", snapshot.hold))
        return Response(SnapshotWhole(kept).data)


class SnapshotMeasure(ApiView):
    @operation(
        "measureSnapshot",
        "Have its rows counted and its checksums computed by a worker",
        gives=SnapshotWhole,
        status=202,
        errors=(errors.SnapshotNotFound, snapshots.WorkersUnreachable),
        tag="snapshots",
    )
    def post(self, request: Request, snapshot_id: int) -> Response:
        self.enforce("snapshot.take", f"S-{snapshot_id}")
        snapshot = state.get(snapshot_id)
        snapshots.measure(snapshot)
        return Response(SnapshotWhole(snapshot).data, status=202)


class Moment(ApiView):
    parameters = {"GET": frozenset({"at"})}

    @operation(
        "getMoment",
        "Which moment is really answered when this one is asked for",
        gives=MomentShown,
        parameters=(query("at", "A moment, `2026-03-01T14:03:00Z`.", required=True),),
        errors=(snapshots.BadState, errors.BeforeRecording, errors.NothingRecorded),
        tag="snapshots",
    )
    def get(self, request: Request) -> Response:
        self.enforce("snapshot.browse", "*")
        return Response(MomentShown(snapshots.meant(request.query_params.get("at", ""), field="at").state).data)


class RowsAt(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"as_of", "where", "deleted"}}

    @operation(
        "listRowsAt",
        "The rows of an entity as they were, in key order",
        gives=PastRowShown,
        paged=True,
        parameters=(
            query("as_of", STATE_HELP, required=True),
            query("where", 'Conditions on the values then: `[{"field": …, "op": …, "value": …}]`.'),
            query("deleted", "1: the recycle bin of then.", int, enum=[0, 1]),
        ),
        errors=(UnknownEntity, *STATE_ERRORS, errors.BaselineOpen, MalformedJson, TooDeep, BadSelection, UnknownField,
                UnknownLookup, BadValue),
        tag="snapshots",
    )  # fmt: skip
    def get(self, request: Request, label: str) -> Response:
        model = open_entity(self, label, "snapshot.browse")
        given = request.query_params
        if given.get("deleted", "0") not in ("0", "1"):
            raise BadParameter(field="deleted", value=given["deleted"][:40], hint="0, 1")
        meant = snapshots.meant(given.get("as_of", ""), field="as_of", model=model)
        rows = rows_at(model, meant.state, tenant_id=self.actor.tenant_id, deleted=given.get("deleted") == "1")
        rows = _narrowed(rows, model, given.get("where", ""))
        start = paging.start(request, parts=len(model._meta.pk_fields))
        if start is not None:
            rows = rows.filter(after(model, _key(start, model)))
        return Response(
            paging.page(
                request,
                rows,
                key=lambda row: [getattr(row, field.attname) for field in model._meta.pk_fields],
                show=lambda found: [_past_row(model, row) for row in found],
                limit=paging.size(request),
            )
        )


class Compare(ApiView):
    parameters = {"GET": frozenset({"a", "b"})}

    @operation(
        "compareStates",
        "How many rows differ between two states, by class and by field",
        gives=TotalsShown,
        parameters=TWO,
        errors=(UnknownEntity, *STATE_ERRORS),
        tag="snapshots",
    )
    def get(self, request: Request, label: str) -> Response:
        comparison = _comparison(self, request, label)
        totals = comparison.totals()
        return Response(
            TotalsShown(
                {
                    "a": comparison.a.at,
                    "b": comparison.b.at,
                    "only_a": totals.only_a,
                    "only_b": totals.only_b,
                    "changed": totals.changed,
                    "changed_fields": totals.fields,
                }
            ).data
        )


class Differences(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"a", "b", "kind", "changed"}}

    @operation(
        "listDifferences",
        "The rows that differ between two states, in key order",
        gives=RowDifferenceShown,
        paged=True,
        parameters=(
            *TWO,
            query("kind", "Only this class.", enum=CLASSES),
            query("changed", "Only rows in which this field differs."),
        ),
        errors=(UnknownEntity, *STATE_ERRORS, errors.UnknownDifference),
        tag="snapshots",
    )
    def get(self, request: Request, label: str) -> Response:
        comparison = _comparison(self, request, label)
        model, given = comparison.model, request.query_params
        start = paging.start(request, parts=len(model._meta.pk_fields))
        limit = paging.size(request)
        found = comparison.page(
            after=None if start is None else _key(start, model),
            limit=limit + 1,
            kind=given.get("kind", ""),
            field=given.get("changed", ""),
        )
        return Response(
            paging.page(
                request,
                found,
                key=lambda one: one.key,
                show=lambda shown: _differences(model, shown),
                limit=limit,
            )
        )


def _comparison(view: ApiView, request: Request, label: str) -> Comparison:
    model = open_entity(view, label, "snapshot.browse")
    given = request.query_params
    a = snapshots.meant(given.get("a", ""), field="a", model=model)
    b = snapshots.meant(given.get("b", snapshots.PRESENT), field="b", model=model)
    return Comparison(model=model, a=a.state, b=b.state, tenant_id=view.actor.tenant_id)


def _key(start: list[Any], model: type[SoftDeleted]) -> tuple[Any, ...]:
    key = keys.after(start, model)
    return key if isinstance(key, tuple) else (key,)


def _narrowed(rows: Any, model: type[SoftDeleted], text: str) -> Any:
    """Conditions of a selection, on historical rows: they have the model's fields."""
    if not text:
        return rows
    data = parse_json(text, place="where")
    if isinstance(data, list):
        data = {"where": data}
    if isinstance(data, dict) and "keys" in data:
        raise BadSelection(field="where")
    return Selection.parse(data, model).narrow(rows)


def _values(model: type[SoftDeleted], row: Any) -> dict[str, Any]:
    """Recorded values by field name; a field that history leaves out is not there."""
    fields = [field for field in model._meta.concrete_fields if hasattr(row, field.attname)]
    return {field.name: plain(getattr(row, field.attname)) for field in fields}


def _past_row(model: type[SoftDeleted], row: Any) -> dict[str, Any]:
    values = _values(model, row)
    return {"key": keys.text_of(row), "version": row.history_id, "deleted": row.is_deleted, "values": values}


def _differences(model: type[SoftDeleted], shown: list[Difference]) -> list[dict[str, Any]]:
    """Rows with both values of each field that differs; one query for all versions of the page."""
    history: Any = registry.history_of(model)
    versions = history.objects.in_bulk([i for one in shown for i in (one.a_id, one.b_id) if i is not None])
    rows = []
    for one in shown:
        a, b = (_values(model, versions[i]) if i is not None else {} for i in (one.a_id, one.b_id))
        pairs = [{"field": name, "before": a.get(name), "after": b.get(name)} for name in one.fields]
        rows.append(
            {"key": keys.join(one.key), "kind": one.kind, "changed_fields": list(one.fields), "differences": pairs}
        )
    return list(RowDifferenceShown(rows, many=True).data)
