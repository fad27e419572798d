"""All addresses: pages under /admin/, the API under /api/, and whether this process answers."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from access.openness import declared_open

handler400 = "console.pages.errors.bad_request"
handler403 = "console.pages.errors.permission_denied"
handler404 = "console.pages.errors.not_found"
handler500 = "console.pages.errors.server_error"


@declared_open("says that the process answers, and nothing else.")
def alive(request: HttpRequest) -> HttpResponse:
    """This process takes requests; says nothing about the servers behind it."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("", declared_open("leads to the first page.")(RedirectView.as_view(pattern_name="admin:index"))),
    path("healthz", alive),
    path("admin/", admin.site.urls),
    path("account/", include("console.pages.security")),
    path("api/", include("console.api.routes")),
]
