"""The admin site: Custody's own pages and Django's model pages under one roof, one menu, one permission."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy as _

from access.openness import declared_open
from console.pages.login import Entrance, choose_language
from console.pages.overview import overview
from console.pages.routes import routes
from console.pages.shell import shell_context


class CustodyAdminSite(AdminSite):
    """Whoever can log in may open it; what one sees and does there, the policy decides."""

    site_title = "Custody"
    site_header = "Custody"
    index_title = _("Overview")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_authenticated)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        return context | shell_context(request, context["available_apps"])

    @declared_open("where one logs in; wrong passwords are counted.")
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's own insists on `is_staff`; here a role decides, page by page."""
        return Entrance.as_view()(request)

    @declared_open("everybody's first page: who may see no change gets a word about roles instead.")
    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return overview(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages = [path(route, self.admin_view(view), name=name) for route, view, name in routes(debug=settings.DEBUG)]
        return [path("language/", choose_language, name="language"), *pages, *super().get_urls()]
