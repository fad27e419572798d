"""Addresses of the API. Whatever else begins with /api/ answers with a problem, too."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from access.openness import declared_open
from console.api import (
    accounts,
    amendments,
    archives,
    changes,
    conversations,
    docs,
    entities,
    evidence,
    exemptions,
    histories,
    holds,
    imports,
    notices,
    preflights,
    problems,
    receivers,
    rollback,
    rows,
    runs,
    snapshots,
    step_up,
    tickets,
    undoing,
)


@declared_open("answers 404 as a problem.")
@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Also where an address lacks its closing slash: a redirect would lose what was posted."""
    return problems.response(problems.plain(404), request)


V1 = [
    path("entities/", entities.EntityList.as_view(), name="entities"),
    path("entities/<str:label>/", entities.EntityDetail.as_view(), name="entity"),
    path("entities/<str:label>/rows/", rows.RowList.as_view(), name="rows"),
    path("entities/<str:label>/rows/<path:key>/history/", histories.RowHistory.as_view(), name="row-history"),
    path("entities/<str:label>/rows/<path:key>/", rows.RowDetail.as_view(), name="row"),
    path("entities/<str:label>/state/", snapshots.RowsAt.as_view(), name="rows-at"),
    path("entities/<str:label>/compare/", snapshots.Compare.as_view(), name="compare"),
    path("entities/<str:label>/differences/", snapshots.Differences.as_view(), name="differences"),
    path("snapshots/", snapshots.SnapshotList.as_view(), name="snapshots"),
    path("snapshots/moment/", snapshots.Moment.as_view(), name="moment"),
    path("snapshots/<int:snapshot_id>/", snapshots.SnapshotDetail.as_view(), name="snapshot"),
    path("snapshots/<int:snapshot_id>/measure/", snapshots.SnapshotMeasure.as_view(), name="snapshot-measure"),
    path("snapshots/<int:snapshot_id>/rollback/", rollback.Rollback.as_view(), name="snapshot-rollback"),
    path(
        "snapshots/<int:snapshot_id>/rollback-preview/",
        rollback.RollbackPreview.as_view(),
        name="snapshot-rollback-preview",
    ),
    path("changes/", changes.ChangeList.as_view(), name="changes"),
    path("changes/preview/", changes.ChangePreview.as_view(), name="change-preview"),
    path("imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/<int:change_id>/", imports.ImportDetail.as_view(), name="import"),
    path("imports/<int:change_id>/lines/", imports.ImportLines.as_view(), name="import-lines"),
    path("changes/<int:change_id>/", changes.ChangeDetail.as_view(), name="change"),
    path("changes/<int:change_id>/rows/", runs.FrozenRows.as_view(), name="change-rows"),
    path("changes/<int:change_id>/skipped/", runs.SkippedRows.as_view(), name="change-skipped"),
    path("changes/<int:change_id>/start/", runs.ChangeStart.as_view(), name="change-start"),
    path("changes/<int:change_id>/discard/", runs.ChangeDiscard.as_view(), name="change-discard"),
    path("changes/<int:change_id>/pause/", runs.ChangePause.as_view(), name="change-pause"),
    path("changes/<int:change_id>/tune/", runs.ChangeTune.as_view(), name="change-tune"),
    path("changes/<int:change_id>/retry/", runs.ChangeRetry.as_view(), name="change-retry"),
    path("changes/<int:change_id>/cancel/", runs.ChangeCancel.as_view(), name="change-cancel"),
    path("changes/<int:change_id>/undo/", undoing.ChangeUndo.as_view(), name="change-undo"),
    path("changes/<int:change_id>/undo-preview/", undoing.ChangeUndoPreview.as_view(), name="change-undo-preview"),
    path("changes/<int:change_id>/preflight/", preflights.Preflights.as_view(), name="change-preflight"),
    path("changes/<int:change_id>/exclude/", preflights.Exclude.as_view(), name="change-exclude"),
    path("changes/<int:change_id>/evidence/", evidence.ChangeEvidence.as_view(), name="change-evidence"),
    path("holds/", holds.HoldList.as_view(), name="holds"),
    path("holds/<int:hold_id>/lift/", holds.HoldLift.as_view(), name="hold-lift"),
    path("changes/<int:change_id>/drift/", runs.ChangeDrift.as_view(), name="change-drift"),
    path("tickets/", tickets.TicketList.as_view(), name="tickets"),
    path("tickets/<int:ticket_id>/", tickets.TicketDetail.as_view(), name="ticket"),
    path("tickets/<int:ticket_id>/votes/", tickets.TicketVotes.as_view(), name="ticket-votes"),
    path("tickets/<int:ticket_id>/withdraw/", tickets.TicketWithdraw.as_view(), name="ticket-withdraw"),
    path("rules/", amendments.Rules.as_view(), name="rules"),
    path("rules/preview/", amendments.RulesPreview.as_view(), name="rules-preview"),
    path("amendments/", amendments.AmendmentList.as_view(), name="amendments"),
    path("amendments/<int:amendment_id>/agree/", amendments.AmendmentAgree.as_view(), name="amendment-agree"),
    path("amendments/<int:amendment_id>/refuse/", amendments.AmendmentRefuse.as_view(), name="amendment-refuse"),
    path("amendments/<int:amendment_id>/withdraw/", amendments.AmendmentWithdraw.as_view(), name="amendment-withdraw"),
    path("tickets/<int:ticket_id>/comments/", conversations.TicketComments.as_view(), name="ticket-comments"),
    path("comments/<int:comment_id>/edit/", conversations.CommentEdit.as_view(), name="comment-edit"),
    path("tickets/<int:ticket_id>/watch/", conversations.TicketWatch.as_view(), name="ticket-watch"),
    path("tickets/<int:ticket_id>/send-back/", tickets.TicketSendBack.as_view(), name="ticket-send-back"),
    path("tickets/<int:ticket_id>/ask-again/", tickets.TicketAskAgain.as_view(), name="ticket-ask-again"),
    path("exemptions/", exemptions.ExemptionList.as_view(), name="exemptions"),
    path("exemptions/<int:exemption_id>/agree/", exemptions.ExemptionAgree.as_view(), name="exemption-agree"),
    path("exemptions/<int:exemption_id>/withdraw/", exemptions.ExemptionWithdraw.as_view(), name="exemption-withdraw"),
    path("notices/", notices.NoticeList.as_view(), name="notices"),
    path("notices/read/", notices.NoticesRead.as_view(), name="notices-read"),
    path("notices/preferences/", notices.NoticePreferences.as_view(), name="notice-preferences"),
    path("notices/<int:notice_id>/read/", notices.NoticeRead.as_view(), name="notice-read"),
    path("receivers/", receivers.ReceiverList.as_view(), name="receivers"),
    path("receivers/<int:receiver_id>/on/", receivers.ReceiverOn.as_view(), name="receiver-on"),
    path("receivers/<int:receiver_id>/off/", receivers.ReceiverOff.as_view(), name="receiver-off"),
    path("receivers/<int:receiver_id>/secret/", receivers.ReceiverSecret.as_view(), name="receiver-secret"),
    path("receivers/<int:receiver_id>/test/", receivers.ReceiverTest.as_view(), name="receiver-test"),
    path("deliveries/", receivers.DeliveryList.as_view(), name="deliveries"),
    path("deliveries/<int:delivery_id>/again/", receivers.DeliveryAgain.as_view(), name="delivery-again"),
    path("events/", histories.EventList.as_view(), name="events"),
    path("archives/", archives.ArchiveList.as_view(), name="archives"),
    path("events/undo/", undoing.EventsUndo.as_view(), name="events-undo"),
    path("events/undo-preview/", undoing.EventsUndoPreview.as_view(), name="events-undo-preview"),
    path("me/", accounts.Me.as_view(), name="me"),
    path("step-up/", step_up.StepUp.as_view(), name="step-up"),
    path("tokens/", accounts.Tokens.as_view(), name="tokens"),
    path("tokens/mine/", accounts.TokenRevoke.as_view(), name="token-mine"),
]
app_name = "api"
urlpatterns = [
    path("v1/", include(V1)),
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.Browser.as_view(), name="docs"),
    re_path("", nothing_here),
]
