"""One's own notices and how one is told."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import NotAPerson
from approvals.notices import errors as refusals
from approvals.notices import inbox, preferences
from approvals.notices.kinds import CHOSEN
from approvals.notices.models import Preference
from console.api import paging
from console.api.base import ApiView
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.notice_shown import NoticeShown, PreferenceShown, ReadShown
from console.api.requests import PreferenceRequest, ReadRequest

UNREAD = query("unread", "`1`: only what is unread.", enum=["0", "1"])


class NoticeList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"unread"}}

    @operation(
        "listNotices",
        "Your notices, newest first",
        gives=NoticeShown,
        paged=True,
        parameters=(UNREAD,),
        tag="notices",
    )
    def get(self, request: Request) -> Response:
        self.enforce("notice.browse", "own")
        rows = inbox.of(self.actor)
        unread = request.query_params.get("unread", "0")
        if unread not in ("0", "1"):
            raise BadParameter(field="unread", value=unread[:40], hint="0, 1")
        if unread == "1":
            rows = rows.filter(read_at=None)
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda notice: (notice.pk,),
                show=lambda found: list(NoticeShown(found, many=True).data),
                limit=paging.size(request),
            )
        )


class NoticeRead(ApiView):
    @operation(
        "readNotice",
        "Mark a notice read",
        gives=NoticeShown,
        errors=(refusals.NoticeNotFound,),
        tag="notices",
    )
    def post(self, request: Request, notice_id: int) -> Response:
        self.enforce("notice.settle", "own")
        return Response(NoticeShown(inbox.read(notice_id, actor=self.actor)).data)


class NoticesRead(ApiView):
    @operation(
        "readNotices",
        "Mark everything read up to a notice you have seen",
        takes=ReadRequest,
        gives=ReadShown,
        tag="notices",
    )
    def post(self, request: Request) -> Response:
        self.enforce("notice.settle", "own")
        count = inbox.read_all(read(ReadRequest, request.data)["up_to"], actor=self.actor)
        return Response(ReadShown({"read": count, "unread": inbox.unread_count(self.actor)}).data)


class NoticePreferences(ApiView):
    @operation("getNoticePreferences", "How you are told", gives=PreferenceShown, tag="notices")
    def get(self, request: Request) -> Response:
        self.enforce("notice.browse", "own")
        return Response(_shown(preferences.of(self.actor.person_id)))

    @operation(
        "setNoticePreferences",
        "Choose how you are told",
        takes=PreferenceRequest,
        gives=PreferenceShown,
        errors=(
            NotAPerson,
            refusals.UnknownKind,
            refusals.UnknownWay,
            refusals.UnknownLanguage,
            refusals.UnknownZone,
            refusals.WrongQuietHours,
            refusals.ChatAddressUnusable,
            refusals.AddressRefused,
        ),
        tag="notices",
    )
    def put(self, request: Request) -> Response:
        self.enforce("notice.settle", "own")
        wanted = preferences.Wanted(**read(PreferenceRequest, request.data))
        return Response(_shown(preferences.choose(wanted, actor=self.actor)))


def _shown(stored: Preference | None) -> dict[str, Any]:
    kept = stored or Preference()
    ways = {kind.value: sorted(preferences.ways_of(stored, kind)) for kind in CHOSEN}
    shown = {
        "ways": ways,
        "language": kept.language,
        "chat": kept.chat_hint,
        "quiet_from": kept.quiet_from,
        "quiet_to": kept.quiet_to,
        "zone": kept.zone,
    }
    return dict(PreferenceShown(shown).data)
