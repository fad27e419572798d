"""Imports: a file is sent and judged line by line; `changes/` then asks for what it would do."""

from __future__ import annotations

from typing import Any, BinaryIO

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from access.enforcement import allowed
from approvals import gate
from audit import registry
from audit.errors import UnknownEntity
from changes import errors as engine
from changes import import_diff, staging
from changes.models import Change
from changes.states import Verdict
from console.api import paging
from console.api.base import ApiView
from console.api.changes import open_change
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.import_shown import ImportLineShown, ImportShown

FAULTS_SHOWN = 100
FILE_ERRORS = (
    UnknownEntity,
    engine.EmptyFile,
    engine.NotUtf8,
    engine.BrokenCsv,
    engine.FileTooLarge,
    engine.TooManyLines,
    engine.BadColumns,
    engine.BadMatch,
    engine.SayIncluding,
    engine.UnknownField,
)
SENT = (
    query("entity", "`app.model`", required=True),
    query("match", "What finds a row: `key`, `none`, or a unique field. The key unless told, else what is unique."),
    query("including", "Sensitive or unrecorded fields the file writes, with commas."),
    query("name", "The file's name, for the title."),
)
BODY: dict[str, Any] = {
    "text/csv": OpenApiTypes.BINARY,
    "multipart/form-data": inline_serializer("ImportFile", {"file": serializers.FileField()}),
}


class CsvParser(BaseParser):
    """The body as it comes, to be read line by line."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class ImportList(ApiView):
    parser_classes = (CsvParser, MultiPartParser)  # type: ignore[assignment]
    parameters = {"POST": frozenset({"entity", "match", "including", "name"})}

    @operation(
        "sendImport",
        "Send a CSV file; nothing is touched. The answer says what each kind of line would do",
        takes=BODY,
        gives=ImportShown,
        status=201,
        parameters=SENT,
        errors=FILE_ERRORS,
        tag="imports",
    )
    def post(self, request: Request) -> Response:
        given = request.query_params
        self.enforce("change.request", given.get("entity", ""))
        stream, name = _file(request)
        draft = staging.stage(
            self.actor,
            entity=given.get("entity", ""),
            stream=stream,
            name=given.get("name", name),
            match=given.get("match", ""),
            including=[one for one in given.get("including", "").split(",") if one],
        )
        body = _shown(self, draft)
        return Response(body, status=201, headers={"Location": body["links"]["self"]})


class ImportDetail(ApiView):
    @operation(
        "getImport",
        "One import: what its lines would do, and the first hundred that are wrong",
        gives=ImportShown,
        errors=(engine.ChangeNotFound, engine.ImportNotFound),
        tag="imports",
    )
    def get(self, request: Request, change_id: int) -> Response:
        return Response(_shown(self, _upload(self, change_id)))


class ImportLines(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"verdict"}}

    @operation(
        "listImportLines",
        "The lines of an import, field by field before and after",
        gives=ImportLineShown,
        paged=True,
        parameters=(query("verdict", "Only these lines.", enum=Verdict.values),),
        errors=(engine.ChangeNotFound, engine.ImportNotFound),
        tag="imports",
    )
    def get(self, request: Request, change_id: int) -> Response:
        change = _upload(self, change_id)
        verdict = request.query_params.get("verdict", "")
        if verdict and verdict not in Verdict.values:
            raise BadParameter(field="verdict", value=verdict[:40], hint=", ".join(Verdict.values))
        after = paging.numbers(request)
        return Response(
            paging.page(
                request,
                import_diff.lines(change, verdict=verdict, after=after[0] if after else 0),
                key=lambda row: (row.line,),
                show=lambda found: _lines(self, change, found),
                limit=paging.size(request),
            )
        )


def _file(request: Request) -> tuple[BinaryIO, str]:
    """The file of the request, and its name where it has one."""
    data: Any = request.data
    if hasattr(data, "readline"):
        return data, ""
    upload: Any = request.FILES.get("file") if request.content_type.startswith("multipart/") else None
    if upload is None:
        raise engine.EmptyFile(field="file")
    return upload.file, upload.name or ""


def _upload(view: ApiView, change_id: int) -> Change:
    open_change(view, change_id)
    return staging.get(change_id)


def _lines(view: ApiView, change: Change, rows: list[Any]) -> list[Any]:
    hidden: tuple[str, ...] = ()
    if not allowed(view.actor, "entity.edit", change.entity):
        hidden = registry.entity(change.entity).governance.sensitive
    return list(ImportLineShown(import_diff.diff(change, rows, hidden=hidden), many=True).data)


def _shown(view: ApiView, change: Change) -> dict[str, Any]:
    counted, file = staging.counts(change), change.options["file"]
    rows = counted[Verdict.NEW] + counted[Verdict.CHANGED]
    wrong = list(import_diff.lines(change, verdict=Verdict.WRONG)[:FAULTS_SHOWN])
    found = {
        "id": change.pk,
        "entity": change.entity,
        "state": change.state,
        "name": file["name"],
        "separator": file["separator"],
        "columns": file["columns"],
        "match": file["match"],
        "counts": counted,
        "approvals": gate.foreseen(change.operation, [(change.entity, rows)]).approvals,
        "wrong": _lines(view, change, wrong),
        "links": {
            "self": reverse("api:import", args=[change.pk]),
            "lines": reverse("api:import-lines", args=[change.pk]),
            "change": reverse("api:change", args=[change.pk]),
            "ask": reverse("api:changes"),
        },
    }
    return dict(ImportShown(found).data)
