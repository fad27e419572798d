"""Pills, stages, banners and the run card."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from changes.states import Operation, SkipReason, State
from console.presenters.banner import banner
from console.presenters.fingerprint import fingerprint
from console.presenters.overview import worker_note
from console.presenters.progress import PartFacts, RunFacts, run_card
from console.presenters.states import Standing, stages, state_pill, verb
from console.presenters.undo import reason_word, rule_hint, rule_word

NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)


def marks(**facts) -> list[str]:
    return [stage.mark for stage in stages(Standing(operation="delete", **facts))]


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_words_of_its_own(state):
    assert state_pill(state).text != state


@pytest.mark.parametrize("operation", Operation.values)
def test_every_operation_has_a_verb_of_its_own(operation):
    assert verb(operation) != operation


def test_every_class_of_conflict_and_every_rule_has_words():
    from changes.conflicts import RULES

    assert all(reason_word(reason) != reason for reason in SkipReason.values)
    rules = {rule for rules in RULES.values() for rule in rules}
    assert all(rule_word(rule) != rule and rule_hint(rule) for rule in rules)


def test_a_rejected_ticket_speaks_before_its_change():
    assert state_pill("refused", "rejected").text == "Rejected"
    assert state_pill("refused", "expired").text == "Expired"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"state": "draft"}, ["ok", "now", "", "", "", ""]),
        ({"state": "waiting", "ticket": "pending", "required": 1}, ["ok", "ok", "ok", "now", "", ""]),
        ({"state": "cleared", "ticket": "approved", "required": 1}, ["ok", "ok", "ok", "ok", "now", ""]),
        ({"state": "running"}, ["ok", "ok", "ok", "ok", "now", ""]),
        ({"state": "done", "verified": True}, ["ok", "ok", "ok", "ok", "ok", "ok"]),
        ({"state": "failed", "verified": False}, ["ok", "ok", "ok", "ok", "bad", "bad"]),
        ({"state": "refused", "ticket": "rejected"}, ["ok", "ok", "ok", "bad", "", ""]),
    ],
)
def test_stages_tell_where_a_change_stands(facts, expected):
    assert marks(**facts) == expected


def test_the_worst_problem_is_the_only_banner():
    assert banner(state="failed", drifted=3, error="x").tone == "bad"
    assert "3 rows changed" in banner(state="cleared", drifted=3, error="").title
    assert banner(state="waiting", drifted=0, error="") is None


def run(**facts):
    return run_card(RunFacts(operation="delete", total=100, **facts))


def test_a_run_is_never_a_hundred_percent_before_it_is_done():
    assert run(state="running", applied=100, skipped=0).percent == 99
    assert run(state="done", applied=98, skipped=2).percent == 100


def test_a_run_of_nothing_does_not_divide_by_zero():
    assert run_card(RunFacts(operation="delete", state="running", total=0, applied=0, skipped=0)).percent == 0


@pytest.mark.parametrize("state", ["running", "paused", "cancelling", "done", "cancelled", "failed"])
def test_an_undo_that_archives_does_not_say_that_rows_came_back(state):
    card = run_card(RunFacts(operation="undo", state=state, total=4, applied=4, skipped=0, archives=True))
    assert "back" not in card.title


def test_rows_left_alone_are_said():
    assert "2 rows left alone" in run(state="done", applied=98, skipped=2).extras


def test_only_one_table_is_worked_on_at_a_time():
    parts = [
        PartFacts(name=n, rows=10, done=done, order=i) for i, (n, done) in enumerate([("a", 10), ("b", 3), ("c", 0)])
    ]
    assert [box.mark for box in run(state="running", applied=13, skipped=0, parts=parts).boxes] == ["ok", "now", ""]


def test_progress_is_announced_by_quarters_only():
    assert run(state="running", applied=26, skipped=0).news == run(state="running", applied=49, skipped=0).news


def test_a_silent_worker_is_loud():
    assert worker_note(None, now=NOW).tone == "bad"
    assert worker_note(NOW - timedelta(seconds=61), now=NOW).title.startswith("The worker has not answered since")
    assert worker_note(NOW - timedelta(seconds=59), now=NOW) is None


def test_a_fingerprint_is_never_called_equal_when_it_was_not_compared():
    assert fingerprint("ab" * 32, drifted=None, started=False).live_mark == ""
    assert fingerprint("ab" * 32, drifted=0, started=False).live_mark == "is-ok"
    assert fingerprint("ab" * 32, drifted=17, started=False).live_title == "17 rows differ"
