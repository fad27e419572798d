"""Running a change: start, stop, and what stands in the way; its rows, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from access.errors import StepUpNeeded
from approvals import gate, starting
from approvals.errors import AskedAtOnce, BackToVoting, NotAPerson, RowsInAnotherTicket
from changes import drift, execution, pacing
from changes import errors as engine
from changes.models import Change, FrozenRow, SkippedRow
from console.api import keys, paging
from console.api.base import ApiView
from console.api.changes import IdempotencyKey, asked, open_change, whole
from console.api.describing import IDEMPOTENCY, operation
from console.api.errors import BadParameter
from console.api.fields import Body, read
from console.api.requests import RetryRequest, TuneRequest
from console.api.serializers import ChangeWhole, DriftShown, FrozenRowShown, SkippedRowShown

Verb = Callable[..., Change]


class Nothing(Body):
    """An empty body."""


class ChangeStart(ApiView):
    @operation(
        "startChange",
        "Start an approved change, or go on with a paused or failed one",
        takes=Nothing,
        gives=ChangeWhole,
        status=202,
        errors=(
            engine.ChangeNotFound,
            engine.WrongState,
            engine.NotVerified,
            engine.NewDependants,
            engine.SchemaMoved,
            engine.ColumnsMissing,
            engine.OutsideWindow,
            engine.TooMuchDrift,
            engine.PreflightBlocks,
            BackToVoting,
            StepUpNeeded,
        ),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        return _step(self, request, change_id, starting.start)


class ChangeDiscard(ApiView):
    @operation(
        "discardChange",
        "Throw a draft away, or call off a change that is ready to start",
        takes=Nothing,
        gives=ChangeWhole,
        errors=(engine.ChangeNotFound, engine.WrongState, engine.NotTheRequester),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        return _step(self, request, change_id, execution.discard, status=200)


class ChangePause(ApiView):
    @operation(
        "pauseChange",
        "Hold a running change after the chunks in work; start lets it go on",
        takes=Nothing,
        gives=ChangeWhole,
        status=202,
        errors=(engine.ChangeNotFound, engine.WrongState),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        return _step(self, request, change_id, execution.pause)


class ChangeTune(ApiView):
    @operation(
        "tuneChange",
        "Set the size of chunks and the rate; the next chunk follows them",
        takes=TuneRequest,
        gives=ChangeWhole,
        errors=(engine.ChangeNotFound, engine.WrongState, engine.BadPace),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        sent = read(TuneRequest, request.data)
        open_change(self, change_id)
        pacing.tune(change_id, actor=self.actor, **sent)
        return Response(whole(execution.get(change_id)))


class ChangeRetry(ApiView):
    @operation(
        "retryChange",
        "Ask for the rows that a change left alone to be tried once more, as a change of its own",
        takes=RetryRequest,
        gives=ChangeWhole,
        status=(201, 202),
        parameters=(IDEMPOTENCY,),
        errors=(
            engine.ChangeNotFound,
            engine.WrongState,
            engine.UnknownReason,
            engine.NothingToRetry,
            engine.RetryExists,
            engine.ReasonMissing,
            engine.EmptySelection,
            engine.RequestKeyReused,
            NotAPerson,
            RowsInAnotherTicket,
            AskedAtOnce,
            BadParameter,
        ),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        sent = read(RetryRequest, request.data)
        open_change(self, change_id)
        key = IdempotencyKey.of(request)
        return asked(gate.request_retry(change_id, actor=self.actor, request_key=key, **sent))


class ChangeCancel(ApiView):
    @operation(
        "cancelChange",
        "Stop after the chunks in work; what is done stays done and can be undone",
        takes=Nothing,
        gives=ChangeWhole,
        status=202,
        errors=(engine.ChangeNotFound, engine.WrongState),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        return _step(self, request, change_id, execution.cancel)


class ChangeDrift(ApiView):
    @operation(
        "getDrift",
        "What has happened to the frozen rows since they were frozen",
        gives=DriftShown,
        errors=(engine.ChangeNotFound,),
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        change = open_change(self, change_id)
        found = drift.measure(change)
        shown = {
            "rows": found.rows,
            "changed": found.changed,
            "gone": found.gone,
            "recreated": found.recreated,
            "limit": drift.limit(change),
            "sample": found.sample,
            "new_dependants": drift.new_dependants(change),
        }
        return Response(DriftShown(shown).data)


class FrozenRows(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation(
        "listFrozenRows",
        "The rows that were approved, in the order they are worked off",
        gives=FrozenRowShown,
        paged=True,
        errors=(engine.ChangeNotFound,),
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        change = open_change(self, change_id)
        rows = FrozenRow.objects.filter(tenant_id=change.tenant_id, change_id=change.pk)
        after = paging.numbers(request, parts=2)
        if after is not None:
            part, position = after
            rows = rows.filter(Q(part=part, position__gt=position) | Q(part__gt=part))
        return Response(
            paging.page(
                request,
                rows.order_by("part", "position"),
                key=lambda row: (row.part, row.position),
                show=lambda found: _with_parts(change, found, FrozenRowShown),
                limit=paging.size(request),
            )
        )


class SkippedRows(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation(
        "listSkippedRows",
        "Rows the change left alone, and why",
        gives=SkippedRowShown,
        paged=True,
        errors=(engine.ChangeNotFound,),
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        change = open_change(self, change_id)
        rows = SkippedRow.objects.filter(change_id=change.pk).order_by("pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__gt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda row: (row.pk,),
                show=lambda found: _with_parts(change, found, SkippedRowShown),
                limit=paging.size(request),
            )
        )


def _with_parts(change: Change, rows: list[Any], shown: Any) -> list[Any]:
    """Rows named by entity and key; one query for the parts."""
    parts = {part.part: part for part in change.parts.all()}
    found = []
    for row in rows:
        part = parts.get(row.part)
        found.append(
            {
                "part": row.part,
                "entity": part.entity if part else "",
                "effect": part.effect if part else "",
                "key": str(row.position) if row.key is None else keys.join(row.key),
                "reason": getattr(row, "reason", ""),
                "detail": getattr(row, "detail", ""),
            }
        )
    return list(shown(found, many=True).data)


def _step(view: ApiView, request: Request, change_id: int, verb: Verb, *, status: int = 202) -> Response:
    """Take one step of a change; answered with the change as it stands then."""
    read(Nothing, request.data)
    open_change(view, change_id)
    verb(change_id, actor=view.actor)
    return Response(whole(execution.get(change_id)), status=status)
