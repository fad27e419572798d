"""The page of a change while and after it runs."""

from __future__ import annotations

import pytest

from shop.models import Order
from tests.console.pages.scenes import approve, ask, only_change, run, work


@pytest.fixture
def cleared(operator, approver):
    outcome = ask(operator)
    approve(outcome, approver)
    return outcome


@pytest.fixture
def done(operator):
    """A small change that needed no ticket, finished."""
    return run(ask(operator, 4).change, operator)


def test_a_change_without_a_ticket_has_the_same_page(done, operator, as_):
    page = as_(operator).get(f"/admin/changes/{done.pk}/")
    assert page.context["code"] == f"C-{done.pk}"
    assert page.context["panel"] is None
    assert "4 rows deleted and verified" in page.content.decode()


def test_a_change_with_a_ticket_is_shown_there(cleared, operator, as_):
    answer = as_(operator).get(f"/admin/changes/{cleared.change.pk}/")
    assert answer["Location"] == f"/admin/tickets/{cleared.ticket.pk}/"


def test_start_is_for_who_may(cleared, operator, approver, as_):
    start, page = f"/admin/changes/{cleared.change.pk}/start/", f"/admin/tickets/{cleared.ticket.pk}/"
    assert "Only an operator starts it." in as_(approver).get(page).content.decode()
    assert as_(approver).post(start).status_code == 403
    assert as_(operator).get(page).context["may_start"]
    assert as_(operator).post(start)["Location"] == page
    assert only_change(operator).state == "running"


def test_starting_twice_is_told_and_harmless(cleared, operator, as_):
    client = as_(operator)
    client.post(f"/admin/changes/{cleared.change.pk}/start/")
    answer = client.post(f"/admin/changes/{cleared.change.pk}/start/", follow=True)
    assert "this can only be done while it is" in answer.content.decode()
    assert only_change(operator).state == "running"


def test_progress_is_polled_until_the_end_loads_the_page(cleared, operator, as_):
    client, poll = as_(operator), f"/admin/changes/{cleared.change.pk}/run/"
    client.post(f"/admin/changes/{cleared.change.pk}/start/")
    answer = client.get(poll)
    assert answer.status_code == 200
    assert 'hx-trigger="every 2s"' in answer.content.decode()
    assert "<html" not in answer.content.decode()
    run(cleared.change, operator)
    answer = client.get(poll)
    assert (answer.status_code, answer["HX-Refresh"]) == (286, "true")


def test_stopping_asks_first_and_then_stops(cleared, operator, approver, as_):
    client, cancel = as_(operator), f"/admin/changes/{cleared.change.pk}/cancel/"
    client.post(f"/admin/changes/{cleared.change.pk}/start/")
    assert "Rows that are done stay done" in client.get(cancel).content.decode()
    assert as_(approver).post(cancel).status_code == 403
    client.post(cancel)
    assert only_change(operator).state == "cancelling"


def test_what_was_agreed_to_can_be_called_off(cleared, operator, approver, as_):
    client, address = as_(operator), f"/admin/changes/{cleared.change.pk}/"
    page = client.get(f"/admin/tickets/{cleared.ticket.pk}/").content.decode()
    assert "Call off" in page
    assert as_(approver).post(f"{address}discard/").status_code == 403
    assert "Called off. Nothing was touched." in client.post(f"{address}discard/", follow=True).content.decode()
    assert only_change(operator).state == "refused"
    assert "this can only be done while it is" in client.post(f"{address}discard/", follow=True).content.decode()


def test_a_run_is_paused_and_goes_on(cleared, operator, approver, as_):
    client, address = as_(operator), f"/admin/changes/{cleared.change.pk}/"
    assert "this can only be done while it is" in client.post(f"{address}pause/", follow=True).content.decode()
    client.post(f"{address}start/")
    assert as_(approver).post(f"{address}pause/").status_code == 403
    page = client.post(f"{address}pause/", follow=True).content.decode()
    assert "This change is paused." in page
    assert "Go on" in page
    assert "Stop after this batch" in page
    assert "hx-get" not in page.partition('id="run"')[2].partition(">")[0]
    client.post(f"{address}start/")
    run(cleared.change, operator)
    assert only_change(operator).state == "done"


def test_drift_is_counted_before_the_run_and_left_alone_by_it(real_db, cleared, operator, as_):
    with work(operator):
        touched = Order.objects.order_by("pk").first()
        Order.objects.filter(pk=touched.pk).update(note="touched")
    page = as_(operator).get(f"/admin/tickets/{cleared.ticket.pk}/").content.decode()
    assert "1 row changed after the selection was frozen." in page
    assert "1 row differs" in page
    run(cleared.change, operator)
    page = as_(operator).get(f"/admin/tickets/{cleared.ticket.pk}/").content.decode()
    assert "11 rows deleted and verified" in page
    assert "1 row was left alone" in page
    assert f"/admin/history/shop.order/{touched.pk}/" in page


def test_activity_tells_people_and_system_apart(cleared, operator, as_):
    run(cleared.change, operator)
    lines = as_(operator).get(f"/admin/tickets/{cleared.ticket.pk}/").context["lines"]
    assert [(line.who, line.what) for line in lines] == [
        ("Olivia Park", "asked for this"),
        ("System", "froze the selection"),
        ("System", "opened the ticket"),
        ("Amir Haddad", "approved"),
        ("System", "counted enough approvals"),
        ("Olivia Park", "started the change"),
        ("System", "finished and verified the change"),
    ]
