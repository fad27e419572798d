"""The button that takes the evidence pack of a change."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.http.request import HttpRequest
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from console import evidence
from console.pages.shell import actor_of
from foundation.errors import Conflict


@require_POST
def download(request: HttpRequest, change_id: int) -> FileResponse | HttpResponse:
    """The zip. A POST, because taking it is written down."""
    try:
        return evidence.download(change_id, actor_of(request))
    except Conflict as error:
        messages.error(request, str(error))
        return redirect("admin:change", change_id=change_id)
