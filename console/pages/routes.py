"""Addresses of Custody's own pages, below /admin/. All of them need a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.pages import (
    amendments,
    archives,
    changes,
    comparison,
    exemptions,
    gallery,
    history,
    importing,
    overview,
    rollback,
    rows,
    rules,
    search,
    snapshots,
    statements,
    steering,
    talking,
    tickets,
    undoing,
    wizard,
)

Route = tuple[str, Callable[..., Any], str]

PAGES: list[Route] = [
    ("search/", search.search, "search"),
    ("running/", overview.running, "running"),
    ("tickets/", tickets.ticket_list, "tickets"),
    ("tickets/<int:ticket_id>/", tickets.ticket, "ticket"),
    ("tickets/<int:ticket_id>/vote/", tickets.vote, "ticket-vote"),
    ("tickets/<int:ticket_id>/withdraw/", tickets.withdraw, "ticket-withdraw"),
    ("tickets/<int:ticket_id>/comment/", talking.comment, "ticket-comment"),
    ("tickets/<int:ticket_id>/comments/<int:comment_id>/edit/", talking.edit, "ticket-comment-edit"),
    ("tickets/<int:ticket_id>/watch/", talking.watch, "ticket-watch"),
    ("tickets/<int:ticket_id>/ask-again/", tickets.ask_again, "ticket-ask-again"),
    ("changes/new/", wizard.choose, "new-change"),
    ("changes/new/count/", wizard.count, "new-change-count"),
    ("changes/import/<str:label>/", importing.send, "new-import"),
    ("changes/<int:change_id>/lines/", importing.lines, "change-lines"),
    ("changes/<int:change_id>/", changes.change, "change"),
    ("changes/<int:change_id>/choose/", wizard.choose, "change-choose"),
    ("changes/<int:change_id>/look/", wizard.look, "change-look"),
    ("changes/<int:change_id>/why/", wizard.why, "change-why"),
    ("changes/<int:change_id>/run/", changes.run, "change-run"),
    ("changes/<int:change_id>/start/", changes.start, "change-start"),
    ("changes/<int:change_id>/discard/", changes.discard, "change-discard"),
    ("changes/<int:change_id>/pause/", changes.pause, "change-pause"),
    ("changes/<int:change_id>/tune/", steering.tune, "change-tune"),
    ("changes/<int:change_id>/retry/", steering.retry, "change-retry"),
    ("changes/<int:change_id>/cancel/", changes.cancel, "change-cancel"),
    ("snapshots/", snapshots.snapshot_list, "snapshots"),
    ("snapshots/new/", snapshots.take, "snapshot-take"),
    ("snapshots/compare/", comparison.compare, "compare"),
    ("snapshots/<int:snapshot_id>/", snapshots.snapshot, "snapshot"),
    ("snapshots/<int:snapshot_id>/measure/", snapshots.measure, "snapshot-measure"),
    ("snapshots/<int:snapshot_id>/rollback/", rollback.roll_back, "snapshot-rollback"),
    ("snapshots/<int:snapshot_id>/keep/", snapshots.keep, "snapshot-keep"),
    ("rules/", rules.rule_list, "rules"),
    ("rules/edit/", rules.edit, "rules-edit"),
    ("amendments/", amendments.amendment_list, "amendments"),
    ("amendments/propose/", amendments.propose, "amendment-propose"),
    ("amendments/<int:amendment_id>/agree/", amendments.agree, "amendment-agree"),
    ("amendments/<int:amendment_id>/refuse/", amendments.refuse, "amendment-refuse"),
    ("amendments/<int:amendment_id>/withdraw/", amendments.withdraw, "amendment-withdraw"),
    ("exemptions/", exemptions.exemption_list, "exemptions"),
    ("exemptions/ask/", exemptions.ask, "exemption-ask"),
    ("exemptions/<int:exemption_id>/agree/", exemptions.agree, "exemption-agree"),
    ("exemptions/<int:exemption_id>/withdraw/", exemptions.withdraw, "exemption-withdraw"),
    ("changes/<int:change_id>/undo/", undoing.undo, "change-undo"),
    ("statements/", statements.statements, "statements"),
    ("statements/undo/", undoing.undo_events, "statements-undo"),
    ("history/<str:label>/<path:key>/", history.record, "history"),
    ("archive/", archives.archive_list, "archives"),
    ("archive/<int:archive_id>/verify/", archives.examine, "archive-verify"),
    ("rows/<str:label>/", rows.rows, "rows"),
    ("rows/<str:label>/<path:key>/", rows.row, "row"),
]


def routes(*, debug: bool) -> list[Route]:
    """(path, view, name); the components page exists in DEBUG only."""
    return [*PAGES, ("ui/", gallery.gallery, "ui")] if debug else list(PAGES)
