"""Views, API routes and admin pages: some behind the policy, some not."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView, View
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.openness import declared_open
from approvals import gate
from changes import execution
from console.admin import GovernedAdmin
from console.api.base import ApiView
from console.pages.guards import require
from console.pages.shell import actor_of


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("everything")


def guarded(request: HttpRequest) -> HttpResponse:
    require(request, "entity.browse")
    return HttpResponse("what one may see")


def half(request: HttpRequest) -> HttpResponse:
    if request.GET.get("quick"):
        return HttpResponse("everything")
    require(request, "entity.browse")
    return HttpResponse("what one may see")


@require_POST
def looks_and_writes(request: HttpRequest) -> HttpResponse:
    require(request, "change.browse")
    return HttpResponse("changed")


@require_POST
def steps(request: HttpRequest, change_id: int) -> HttpResponse:
    execution.start(change_id, actor=actor_of(request))
    return HttpResponse("started")


@declared_open("a word of welcome.")
def welcome(request: HttpRequest) -> HttpResponse:
    return HttpResponse("welcome")


class Half(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        require(request, "entity.browse")
        return HttpResponse("")

    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("changed")


@declared_open("a page of words.")
class Words(TemplateView):
    template_name = "x"


class MoreWords(Words):
    """Its base is open; that says nothing about it."""


class NoAction(ApiView):
    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        self.enforce("entity.browse", "*")
        return Response({})

    def patch(self, request: Request) -> Response:
        self.enforce("entity.browse", "*")
        gate.request(self.actor)
        return Response({})


class Foreign(APIView):
    def delete(self, request: Request) -> Response:
        return Response({})

    @declared_open("says hello.")
    def get(self, request: Request) -> Response:
        return Response({})


class Purging(GovernedAdmin):
    actions = ("ask_delete", "purge", "ask")

    def purge(self, request: HttpRequest, queryset: Any) -> None:
        queryset.delete()

    def ask(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return super().ask_delete(request, queryset)


class Deleting(GovernedAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class Plain(admin.ModelAdmin):
    pass


urlpatterns = [
    path("bare/", bare),
    path("guarded/", guarded),
    path("half/", half),
    path("looks/", looks_and_writes),
    path("steps/<int:change_id>/", steps),
    path("welcome/", welcome),
    path("class/", Half.as_view()),
    path("words/", Words.as_view()),
    path("more-words/", MoreWords.as_view()),
    path("api/", NoAction.as_view()),
    path("foreign/", Foreign.as_view()),
]
