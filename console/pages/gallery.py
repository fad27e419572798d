"""The components page (DEBUG only): every part in its states, with made-up values. Browser tests run on it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from access.openness import declared_open
from console.pages import checking
from console.presenters import activity, chart, decision, diff, impact, progress, states
from console.presenters.fingerprint import Print
from console.presenters.notes import Note
from console.presenters.sample import sample

NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)
DIGEST = "7f3a91c20be4d85e" * 4
STATES = ("draft", "waiting", "cleared", "running", "paused", "cancelling", "done", "cancelled", "failed", "refused")


@declared_open("exists in DEBUG only; shows made-up values.")
def gallery(request: HttpRequest) -> HttpResponse:
    """All components, open to everybody who is logged in to a development server."""
    context = {**admin.site.each_context(request), "title": "Components", **_parts(), **_flows()}
    return render(request, "console/ui.html", context)


def _parts() -> dict[str, Any]:
    days = [chart.Day(date(2026, 2, 27) + timedelta(days=n), d, r) for n, (d, r) in enumerate(_FIGURES)]
    return {
        "pills": [states.state_pill(state) for state in STATES]
        + [states.state_pill("refused", ticket) for ticket in ("rejected", "withdrawn", "expired")],
        "impact": impact.impact(_IMPACT, operation="delete"),
        "checks": checking.lines(_FINDINGS),
        "chart": chart.chart(days),
        "chart_small": chart.chart(days[-7:], width=340, height=180),
        "notes": [
            Note(
                "bad", "drift", "17 rows changed after the selection was frozen at 13:38.", "They will be left alone."
            ),
            Note("warn", "warn", "The worker has not answered since 14:02.", "Running changes do not move."),
            Note("ok", "ok", "53,563 rows deleted and verified."),
            Note("acc", "info", "Approved. An operator can start it now."),
        ],
        "print_same": Print(
            DIGEST, live_mark="is-ok", live_icon="ok", live_title="Live data", live_text="same as frozen"
        ),
        "print_moved": Print(
            DIGEST,
            live_mark="is-bad",
            live_icon="drift",
            live_title="17 rows differ",
            live_text="changed after the freeze; they will be left alone",
        ),
        "sample": sample(["key", "name", "plan"], [_SAMPLE[0], _SAMPLE[1], _SAMPLE[2]]),
        "diff": diff.record_diff(_LABELS, _BEFORE, _AFTER),
    }


def _ticket() -> decision.TicketFacts:
    return decision.TicketFacts(
        id=2041,
        state="pending",
        required=2,
        digest=DIGEST,
        requester="Lin Wei",
        requester_person=1,
        expires_at=NOW + timedelta(hours=3, minutes=18),
        votes=[
            decision.VoteFacts(name="Tomás Ortega", decision="approve", at=NOW - timedelta(minutes=39), digest=DIGEST)
        ],
    )


def _flows() -> dict[str, Any]:
    def stage(**facts: Any) -> Any:
        return states.stages(states.Standing(operation="delete", **facts))

    def run(**facts: Any) -> Any:
        return progress.run_card(progress.RunFacts(operation="delete", total=53_563, parts=_RUN_PARTS, **facts))

    ticket = _ticket()
    return {
        "stage_lines": [
            stage(state="waiting", ticket="pending", approvals=1, required=2, warnings=1),
            stage(state="running", ticket="approved", approvals=2, required=2),
            stage(state="done", ticket="approved", approvals=2, required=2, verified=True),
            stage(state="refused", ticket="rejected", required=2),
        ],
        "runs": [
            run(state="running", applied=30_519, skipped=0, rate=4120.0, eta_s=55.0),
            run(state="cancelling", applied=30_519, skipped=3, rate=4120.0),
            run(state="done", applied=53_511, skipped=52, started_at=NOW, finished_at=NOW + timedelta(seconds=128)),
            run(state="failed", applied=35_500, skipped=0, error="lock timeout on shop_order"),
        ],
        "panels": [
            decision.panel(ticket, decision.Viewer(person=2, votes=True), now=NOW),
            decision.panel(ticket, decision.Viewer(person=1, votes=True, withdraws=True), now=NOW),
        ],
        "lines": [
            activity.line(
                act="asked", who="Lin Wei", at=NOW, facts={"reason": "These trials ended more than two years ago."}
            ),
            activity.line(act="change.frozen", who="", at=NOW, facts={}),
            activity.line(act="ticket.vote", who="Tomás Ortega", at=NOW, facts={"reason": "Spot-checked 20 rows."}),
            activity.line(
                act="ticket.rejected", who="Mei Zhang", at=NOW, facts={"reason": "<script>alert(1)</script>"}
            ),
        ],
        "marks": (True, False),
    }


_FIGURES = (
    (8200, 0),
    (12100, 90),
    (4300, 0),
    (2100, 0),
    (900, 0),
    (15400, 2300),
    (9800, 0),
    (11200, 0),
    (3200, 310),
    (1700, 0),
    (800, 0),
    (22400, 0),
    (18100, 6011),
    (31240, 5120),
)
_IMPACT = [
    impact.Part(name="customers", table="shop_customer", effect="delete", depth=0, rows=1204),
    impact.Part(name="orders", table="shop_order", effect="delete", depth=1, rows=8331),
    impact.Part(name="order items", table="shop_orderitem", effect="delete", depth=2, rows=40112),
    impact.Part(name="invoices", table="billing_invoice", effect="block", depth=2, rows=12),
    impact.Part(name="user tags", table="shop_usertag", effect="delete", depth=1, rows=3916),
    impact.Part(name="behaviour logs", table="shop_behaviourlog", effect="clear", depth=1, rows=277),
]
_RUN_PARTS = [
    progress.PartFacts(name="User tags", rows=3916, done=3916, order=0),
    progress.PartFacts(name="Order items", rows=40112, done=22084, order=1),
    progress.PartFacts(name="Orders", rows=8331, done=0, order=2),
    progress.PartFacts(name="Customers", rows=1204, done=0, order=3),
]
_FINDINGS: list[dict[str, Any]] = [
    {
        "check": "protected_rows",
        "level": "block",
        "code": "protected_rows",
        "facts": {
            "relations": [
                {"entity": "invoices", "relation": "billing.invoice.order", "rows": 12, "sample": ["88120", "88133"]}
            ]
        },
    },
    {
        "check": "threshold",
        "level": "warn",
        "code": "over_threshold",
        "facts": {"over": [{"entity": "orders", "rows": 8331, "threshold": 10}]},
    },
    {"check": "size", "level": "warn", "code": "size", "facts": {"rows": 53563, "limit": 10000}},
    {"check": "whole_table", "level": "pass", "code": "part_of_table", "facts": {"rows": 100000}},
    {
        "check": "keys",
        "level": "warn",
        "code": "keys",
        "facts": {"given": 1300, "found": 1204, "unknown": 90, "repeated": 6, "unknown_sample": ["7", "9"]},
    },
]
_SAMPLE: list[Any] = [
    ("10007", None, False, ["10007", "Harbor & Pine Ltd", "trial"]),
    ("10442", None, True, ["10442", "北京云帆科技", "trial"]),
    ("10061", None, False, ["10061", "<b>Fjord</b> Studio", None]),
]
_LABELS = {
    "status": "status",
    "address": "shipping address",
    "note": "note",
    "window": "delivery window",
    "prefs": "preferences",
    "total": "total",
    "name": "name",
}
_BEFORE = {
    "status": "paid",
    "address": "12 Harbour Street Bristol BS1 4DJ",
    "note": None,
    "window": "2026-03-12 09:00",
    "prefs": {"mail": True, "tags": ["a", "b"]},
    "total": 5,
    "name": "Óscar",
}
_AFTER = {
    "status": "packed",
    "address": "12 Harbour Street Flat 3 Bristol BS1 4DJ",
    "note": "",
    "window": None,
    "prefs": {"mail": False, "tags": ["a"]},
    "total": 5,
    "name": "Óscar",
}
