"""The evidence pack of a change, as a zip."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from approvals.evidence.packing import NothingToProve
from changes import errors as engine
from console import evidence
from console.api.base import ApiView
from console.api.changes import open_change
from console.api.describing import operation
from console.api.fields import read
from console.api.runs import Nothing


class ZipRenderer(BaseRenderer):
    """Lets a client ask for a zip; the view answers with it itself."""

    media_type, format, charset = "application/zip", "zip", None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        return data


class ChangeEvidence(ApiView):
    renderer_classes = (JSONRenderer, ZipRenderer)

    @operation(
        "downloadEvidence",
        "Everything the record holds about a change, as one zip with a manifest; taking it is an event",
        takes=Nothing,
        gives=OpenApiTypes.BINARY,
        errors=(engine.ChangeNotFound, NothingToProve),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Any:
        read(Nothing, request.data)
        return evidence.download(open_change(self, change_id).pk, self.actor)
