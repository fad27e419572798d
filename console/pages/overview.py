"""The first page."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def overview(request: HttpRequest) -> TemplateResponse:
    context = {**admin.site.each_context(request), "title": "Overview"}
    return TemplateResponse(request, "console/page.html", context)
