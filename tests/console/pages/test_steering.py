"""Steering a run from its page: pace, waiting, windows, trials, another try, and the drift that voters see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from approvals.models import Ticket
from changes.models import Change, Lane
from shop.models import Order
from tests.changes.test_faults import curse
from tests.console.pages.scenes import REASON, approve, ask, only_change, run, work
from tests.personas import orders


@pytest.fixture
def cleared(operator, approver):
    outcome = ask(operator)
    approve(outcome, approver)
    return outcome


def later(hours):
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_the_pace_is_set_on_the_page_and_shown(cleared, operator, as_):
    client, page = as_(operator), f"/admin/tickets/{cleared.ticket.pk}/"
    client.post(f"/admin/changes/{cleared.change.pk}/tune/", {"chunk_rows": "50", "rows_per_second": "200"})
    change = only_change(operator)
    assert (change.chunk_rows, change.rows_per_second) == (50, 200)
    assert 'value="200"' in client.get(page).content.decode()


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "many", "9999999999", "١"])
def test_a_pace_that_is_none_is_told(cleared, operator, as_, typed):
    answer = as_(operator).post(f"/admin/changes/{cleared.change.pk}/tune/", {"chunk_rows": typed}, follow=True)
    assert "is no pace" in answer.content.decode()
    assert only_change(operator).chunk_rows is None


def test_who_may_not_run_sees_no_pace_and_sets_none(cleared, operator, approver, as_):
    assert as_(approver).get(f"/admin/tickets/{cleared.ticket.pk}/").context["pace"] is None
    assert as_(approver).post(f"/admin/changes/{cleared.change.pk}/tune/", {"chunk_rows": "5"}).status_code == 403


def test_the_page_says_for_what_it_waits(cleared, operator, as_):
    as_(operator).post(f"/admin/changes/{cleared.change.pk}/start/")
    with work(operator):
        since = datetime.now(UTC) - timedelta(seconds=12)
        Lane.objects.update(waiting={"signal": "replica_lag", "value": 12, "limit": 5}, waiting_since=since)
    page = as_(operator).get(f"/admin/changes/{cleared.change.pk}/run/").content.decode()
    assert "a replica is 12 s behind" in page


def test_outside_of_its_window_the_page_says_when_it_opens(operator, approver, as_):
    outcome = ask(operator, window={"not_before": later(5)})
    approve(outcome, approver)
    client, page = as_(operator), f"/admin/tickets/{outcome.ticket.pk}/"
    text = client.get(page).content.decode()
    assert "Approved, and waiting for its window." in text
    assert "Window" in text
    answer = client.post(f"/admin/changes/{outcome.change.pk}/start/", follow=True)
    assert "may only run in its window" in answer.content.decode()


def test_a_trial_is_told_in_words(operator, as_):
    outcome = ask(operator, canary={"percent": 5, "watch_s": 90, "on_trouble": "take_back"})
    text = as_(operator).get(f"/admin/tickets/{outcome.ticket.pk}/").content.decode()
    assert "5 % first, watched for 90 s, then it goes on, or takes the rows back" in text


@pytest.mark.parametrize(
    ("held", "facts", "words"),
    [
        ("window", {}, "its window has closed"),
        ("schema_moved", {"moved": ["shop_order: + extra integer"]}, "shop_order: + extra integer"),
        ("canary", {"wrong": [{"what": "errors", "rows": 2}]}, "the database refused 2 rows"),
        ("person", {}, "This change is paused."),
    ],
)
def test_the_banner_says_why_it_is_paused(cleared, operator, as_, held, facts, words):
    as_(operator).post(f"/admin/changes/{cleared.change.pk}/start/")
    with work(operator):
        Change.objects.update(state="paused", held=held, held_facts=facts)
    assert words in as_(operator).get(f"/admin/tickets/{cleared.ticket.pk}/").content.decode()


def test_rows_that_failed_are_asked_for_again_by_a_button(real_db, operator, approver, as_):
    with work(operator):
        rows = orders(12)
    curse(real_db, f"OLD.id = {rows[2].pk}")
    outcome = ask(operator, rows=rows)
    approve(outcome, approver)
    run(outcome.change, operator)
    client, page = as_(operator), f"/admin/tickets/{outcome.ticket.pk}/"
    assert client.get(page).context["again"]["rows"] == 1
    answer = client.post(f"/admin/changes/{outcome.change.pk}/retry/", {"reason": REASON}, follow=True)
    again = only_change(operator, retry_of_id=outcome.change.pk)
    assert again.rows_total == 1
    assert "This tries again" in answer.content.decode()
    assert "Tried again" in client.get(page).content.decode()


def test_without_a_reason_nothing_is_tried_again(real_db, operator, approver, as_):
    with work(operator):
        rows = orders(3)
    curse(real_db, f"OLD.id = {rows[2].pk}")
    change = run(ask(operator, rows=rows).change, operator)
    answer = as_(operator).post(f"/admin/changes/{change.pk}/retry/", {"reason": "no"}, follow=True)
    assert "Say why" in answer.content.decode()


def test_voters_see_the_drift_and_the_earlier_votes(real_db, operator, approver, as_, settings):
    settings.CUSTODY_DRIFT_ROWS = 1
    with work(operator):
        rows = orders(12)
    outcome = ask(operator, rows=rows)
    approve(outcome, approver)
    with work(operator):
        for row in rows[:2]:
            Order.objects.filter(pk=row.pk).update(note="looked at")
    page = f"/admin/tickets/{outcome.ticket.pk}/"
    answer = as_(operator).post(f"/admin/changes/{outcome.change.pk}/start/", follow=True)
    assert "is open again" in answer.content.decode()
    with work(operator):
        assert Ticket.objects.get().round == 2
    shown = as_(approver).get(page)
    text = shown.content.decode()
    assert "2 changed" in text
    assert f"Round 1: {approver.name} approved" in text
    assert (shown.context["panel"].have, shown.context["panel"].may_vote) == (0, True)


def test_the_last_step_of_a_new_change_takes_window_and_trial(operator, as_):
    from changes import drafts

    with work(operator):
        draft = drafts.save(
            operator, entity="shop.order", operation="delete", selection={"keys": [row.pk for row in orders(12)]}
        )
    client, why = as_(operator), f"/admin/changes/{draft.pk}/why/"
    sent = {"reason": REASON, "days": "weekend", "from": "22:00", "to": "05:00", "percent": "2", "do": "ask"}
    wrong = client.post(why, sent | {"zone": "Nowhere"})
    assert wrong.status_code == 400
    assert 'value="22:00"' in wrong.content.decode()
    client.post(why, sent | {"zone": "Europe/Berlin"})
    change = only_change(operator)
    assert change.options["window"] == {"days": ["sat", "sun"], "from": "22:00", "to": "05:00", "zone": "Europe/Berlin"}
    assert change.options["canary"] == {"percent": 2, "watch_s": 60, "on_trouble": "pause"}
