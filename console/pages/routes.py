"""Addresses of Custody's own pages, below /admin/. All of them need a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.pages import (
    archives,
    changes,
    checking,
    comparison,
    evidence,
    exemptions,
    gallery,
    history,
    holds,
    importing,
    overview,
    rollback,
    rows,
    search,
    snapshots,
    statements,
    steering,
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
    ("changes/<int:change_id>/check/", checking.again, "change-check"),
    ("changes/<int:change_id>/evidence/", evidence.download, "change-evidence"),
    ("holds/", holds.hold_list, "holds"),
    ("holds/place/", holds.place, "hold-place"),
    ("holds/<int:hold_id>/lift/", holds.lift, "hold-lift"),
    ("changes/<int:change_id>/exclude/", checking.exclude, "change-exclude"),
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
