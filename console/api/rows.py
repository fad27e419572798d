"""Rows of an entity: browse, look, write one; a delete goes the governed way."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import gate
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from changes.errors import (
    BadSelection,
    BadValue,
    ProtectedRows,
    ReasonMissing,
    RequestKeyReused,
    UnknownField,
    UnknownLookup,
)
from changes.selection import Selection
from changes.states import Operation
from console.api import editing, keys, paging, values
from console.api.base import ApiView
from console.api.bodies import parse_json
from console.api.changes import IdempotencyKey, asked
from console.api.describing import IDEMPOTENCY, operation, query
from console.api.entities import open_entity
from console.api.errors import BadParameter, ConstraintViolated, MalformedJson, RowNotFound, TooDeep
from console.api.fields import read
from console.api.requests import ReasonRequest, RowRequest
from console.api.serializers import ChangeWhole, RowShown

WHERE = query(
    "where", 'A selection as JSON: `[{"field": …, "op": …, "value": …}]`, or an object with `where` and `any`.'
)
DELETED = query("deleted", "1: the recycle bin instead of the live rows.", int, enum=[0, 1])
WRITE_ERRORS = (UnknownEntity, ConstraintViolated)


class RowList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"where", "deleted"}}

    @operation(
        "listRows",
        "Live rows, or the recycle bin, in key order",
        gives=RowShown,
        paged=True,
        parameters=(WHERE, DELETED),
        errors=(UnknownEntity, MalformedJson, TooDeep, BadSelection, UnknownField, UnknownLookup, BadValue),
        tag="rows",
    )
    def get(self, request: Request, label: str) -> Response:
        model: Any = open_entity(self, label)
        rows = _selected(request, model, model.deleted if _bin(request) else model.objects)
        after = paging.start(request, parts=len(model._meta.pk_fields))
        if after is not None:
            rows = rows.filter(pk__gt=keys.after(after, model))
        return Response(
            paging.page(
                request,
                rows.order_by("pk"),
                key=lambda row: row.pk if isinstance(row.pk, tuple) else (row.pk,),
                show=partial(_show, model),
                limit=paging.size(request),
            )
        )

    @operation("createRow", "Add a row", takes=RowRequest, gives=RowShown, status=201, errors=WRITE_ERRORS, tag="rows")
    def post(self, request: Request, label: str) -> Response:
        model = open_entity(self, label, "entity.edit")
        sent = read(RowRequest, request.data)
        row = editing.create(model, sent["values"], reason=sent["reason"])
        shown = _shown(model, row)
        return Response(shown, status=201, headers={"Location": shown["url"]})


class RowDetail(ApiView):
    parameters = {"DELETE": frozenset({"reason"})}

    @operation("getRow", "One row, also a deleted one", gives=RowShown, errors=(UnknownEntity, RowNotFound), tag="rows")
    def get(self, request: Request, label: str, key: str) -> Response:
        model: Any = open_entity(self, label)
        return Response(_shown(model, _get(model, model.objects_and_deleted, key)))

    @operation(
        "updateRow",
        "Write some columns of a live row",
        takes=RowRequest,
        gives=RowShown,
        errors=(*WRITE_ERRORS, RowNotFound),
        tag="rows",
    )
    def patch(self, request: Request, label: str, key: str) -> Response:
        model = open_entity(self, label, "entity.edit")
        sent = read(RowRequest, request.data)
        row = editing.update(model, keys.parse(key, model), sent["values"], reason=sent["reason"])
        return Response(_shown(model, row))

    @operation(
        "deleteRow",
        "Ask for the row to be deleted, with what hangs on it",
        takes=ReasonRequest,
        gives=ChangeWhole,
        status=202,
        parameters=(IDEMPOTENCY, query("reason", "Why; in the body or here.")),
        errors=(UnknownEntity, RowNotFound, ReasonMissing, ProtectedRows, RequestKeyReused, *IdempotencyKey.ERRORS),
        tag="rows",
    )
    def delete(self, request: Request, label: str, key: str) -> Response:
        model: Any = open_entity(self, label)
        sent = read(ReasonRequest, request.data)
        row = _get(model, model.objects_and_deleted, key)
        pk = list(row.pk) if isinstance(row.pk, tuple) else row.pk
        outcome = gate.request(
            self.actor,
            entity=model,
            operation=Operation.DELETE,
            selection={"keys": [values.plain(pk)]},
            reason=sent["reason"] or request.query_params.get("reason", ""),
            request_key=IdempotencyKey.of(request),
        )
        return asked(outcome, status=202)


def _bin(request: Request) -> bool:
    text = request.query_params.get("deleted", "0")
    if text not in ("0", "1"):
        raise BadParameter(field="deleted", value=text[:40], hint="0, 1")
    return text == "1"


def _selected(request: Request, model: type[SoftDeleted], rows: Any) -> Any:
    """Rows narrowed by `where`, in the language of selections."""
    text = request.query_params.get("where", "")
    if not text:
        return rows.all()
    data = parse_json(text, place="where")
    if isinstance(data, list):
        data = {"where": data}
    return Selection.parse(data, model).narrow(rows.all())


def _get(model: Any, rows: Any, key: str) -> Any:
    row = rows.filter(pk=keys.parse(key, model)).first()
    if row is None:
        raise RowNotFound(entity=str(model.governance.label))
    return row


def _show(model: Any, rows: list[Any]) -> list[Any]:
    return [_shown(model, row) for row in rows]


def _shown(model: Any, row: Any) -> dict[str, Any]:
    key = keys.text_of(row)
    return {
        "key": key,
        "url": reverse("api:row", args=[model._meta.label_lower, key]),
        "deleted": row.is_deleted,
        "values": values.of_row(row, model._meta.concrete_fields),
    }
