"""The schema, and a page to browse and try it: Swagger UI from our own files, without inline script."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from console.api.problems import handle


class Schema(SpectacularAPIView):
    """OpenAPI, for everybody: it names no entity and no row."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_exception_handler(self) -> Any:
        return handle


@method_decorator(csp_update({"style-src": ["'unsafe-inline'"]}), name="dispatch")
class Browser(TemplateView):
    """Swagger UI writes style attributes, so this one page allows inline styles; scripts stay 'self' only."""

    template_name = "console/api/docs.html"
