"""Cold storage: the files that hold removed rows, as the record knows them."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import registry
from audit.errors import UnknownEntity
from audit.models import ArchiveFile
from console.api import paging
from console.api.base import ApiView, integer
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.serializers import Shown

FILTERS = (
    query("entity", "Only files of this entity (`app.model`)."),
    query("change", "Only files of this change.", int),
)


class ArchiveShown(Shown):
    id = serializers.IntegerField()
    change = serializers.IntegerField(source="change_id")
    part = serializers.IntegerField()
    entity = serializers.CharField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    path = serializers.CharField(help_text="Relative to the archive's directory.")
    verified_at = serializers.DateTimeField(help_text="When it was read back and compared with the table.")


class ArchiveList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"entity", "change"}}

    @operation(
        "listArchives",
        "Files of removed rows, newest first",
        gives=ArchiveShown,
        paged=True,
        parameters=FILTERS,
        errors=(UnknownEntity,),
        tag="record",
    )
    def get(self, request: Request) -> Response:
        self.enforce("archive.browse", "*")
        rows = ArchiveFile.objects.order_by("-pk")
        given = request.query_params
        if "entity" in given:
            rows = rows.filter(entity=registry.entity(given["entity"])._meta.label_lower)
        if "change" in given:
            number = integer(given["change"])
            if number is None:
                raise BadParameter(field="change", value=given["change"][:40], hint="0…")
            rows = rows.filter(change_id=number)
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda one: (one.pk,),
                show=lambda found: list(ArchiveShown(found, many=True).data),
                limit=paging.size(request),
            )
        )
