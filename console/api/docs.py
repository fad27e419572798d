"""The schema, and a page to browse and try it: Swagger UI from our own files, without inline script."""

from __future__ import annotations

from typing import Any

from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from access.openness import declared_open
from console.api.problems import handle


@declared_open("describes the API; names no entity and no row.")
class Schema(SpectacularAPIView):
    """OpenAPI, for everybody: it names no entity and no row."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_exception_handler(self) -> Any:
        return handle


@declared_open("a page that shows the schema.")
class Browser(TemplateView):
    """The page keeps the console's policy: Swagger UI sets styles by script, never inline."""

    template_name = "console/api/docs.html"
