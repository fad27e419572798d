"""Comments beside a ticket, and who watches it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import commenting, tickets, watching
from approvals import errors as refusals
from approvals.models import Comment
from console.api import paging
from console.api.base import ApiView
from console.api.describing import operation
from console.api.fields import read
from console.api.requests import CommentRequest
from console.api.serializers import Shown


class WordingShown(Shown):
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class CommentShown(Shown):
    """A comment in its last wording."""

    id = serializers.IntegerField()
    who = serializers.CharField(source="name")
    user = serializers.IntegerField(source="user_id")
    created_at = serializers.DateTimeField()
    text = serializers.SerializerMethodField()
    mentions = serializers.SerializerMethodField(help_text="Names of the persons it names.")
    earlier = serializers.SerializerMethodField(help_text="Wordings before the last, oldest first.")

    def get_text(self, comment: Comment) -> str:
        return str(_wordings(comment)[-1].text)

    def get_mentions(self, comment: Comment) -> list[str]:
        return [name for _, name in _wordings(comment)[-1].mentions]

    def get_earlier(self, comment: Comment) -> list[dict[str, Any]]:
        return list(WordingShown(_wordings(comment)[:-1], many=True).data)


class WatchShown(Shown):
    watching = serializers.BooleanField()
    watchers = serializers.ListField(child=serializers.CharField())


class TicketComments(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation(
        "listComments",
        "Comments beside a ticket, oldest first",
        gives=CommentShown,
        paged=True,
        errors=(refusals.TicketNotFound,),
        tag="tickets",
    )
    def get(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        rows = tickets.get(ticket_id).comments.filter(edit_of__isnull=True).prefetch_related("edits").order_by("pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__gt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda comment: (comment.pk,),
                show=lambda found: list(CommentShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "comment",
        "Say something beside a ticket; whoever it mentions watches it",
        takes=CommentRequest,
        gives=CommentShown,
        status=201,
        errors=(refusals.TicketNotFound, refusals.NothingSaid, refusals.NotAPerson),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        made = commenting.comment(ticket_id, actor=self.actor, text=read(CommentRequest, request.data)["text"])
        return Response(dict(CommentShown(made).data), status=201)


class CommentEdit(ApiView):
    @operation(
        "editComment",
        "Put one's own comment another way, within five minutes",
        takes=CommentRequest,
        gives=CommentShown,
        errors=(
            refusals.CommentNotFound,
            refusals.NothingSaid,
            refusals.CommentNotYours,
            refusals.CommentStays,
            refusals.NotAPerson,
        ),
        tag="tickets",
    )
    def post(self, request: Request, comment_id: int) -> Response:
        self.enforce("change.browse", f"comment {comment_id}")
        commenting.edit(comment_id, actor=self.actor, text=read(CommentRequest, request.data)["text"])
        first = Comment.objects.prefetch_related("edits").get(pk=comment_id)
        return Response(dict(CommentShown(first).data))


class TicketWatch(ApiView):
    @operation(
        "watchTicket",
        "Be told about a ticket from now on",
        gives=WatchShown,
        errors=(refusals.TicketNotFound, refusals.NotAPerson),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        watching.watch(ticket_id, actor=self.actor)
        return Response(self._shown(ticket_id))

    @operation(
        "unwatchTicket",
        "Not to be told any more",
        gives=WatchShown,
        errors=(refusals.TicketNotFound, refusals.NotAPerson),
        tag="tickets",
    )
    def delete(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        watching.unwatch(ticket_id, actor=self.actor)
        return Response(self._shown(ticket_id))

    def _shown(self, ticket_id: int) -> dict[str, Any]:
        found = watching.persons(tickets.get(ticket_id))
        return {"watching": self.actor.person_id in found, "watchers": list(found.values())}


def _wordings(comment: Comment) -> list[Comment]:
    return [comment, *sorted(comment.edits.all(), key=lambda edit: edit.pk)]
