"""The first page and the search."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from changes.models import Heartbeat
from tests.console.pages.scenes import approve, ask, run, work


def figures(client) -> dict[str, str]:
    return {figure.text: figure.value for figure in client.get("/admin/").context["figures"]}


def test_figures_tell_what_happened(operator, approver, as_):
    run(ask(operator, 4).change, operator)
    ask(operator, 12)
    seen = figures(as_(approver))
    assert seen == {"waiting for you": "1", "running": "0", "rows deleted today": "4", "can still be undone": "1"}
    assert figures(as_(operator))["waiting for you"] == "0"


def test_figures_are_of_this_tenant(operator, persona, as_):
    run(ask(operator, 4).change, operator)
    stranger = persona("approver", name="Stan Ger", tenant=2)
    assert set(figures(as_(stranger)).values()) == {"0"}


def test_the_chart_ends_today_and_says_its_numbers_as_a_table(operator, as_):
    run(ask(operator, 4).change, operator)
    answer = as_(operator).get("/admin/")
    bars = answer.context["chart"].bars
    assert (len(bars), bars[-1].deleted_text, bars[-2].deleted_text) == (14, "4", "0")
    assert "Show numbers as a table" in answer.content.decode()


def test_a_silent_worker_is_said_in_red(operator, as_):
    client = as_(operator)
    assert "No worker has answered yet." in client.get("/admin/").content.decode()
    Heartbeat.objects.create(name="worker", at=timezone.now())
    assert client.get("/admin/").context["worker"] is None
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))
    assert "has not answered since" in client.get("/admin/").content.decode()


def test_the_running_list_is_polled_only_while_something_runs(operator, as_):
    client = as_(operator)
    assert client.get("/admin/running/").status_code == 286
    ask(operator, 4)
    answer = client.get("/admin/running/")
    assert answer.status_code == 200
    assert 'hx-trigger="every 5s"' in answer.content.decode()


def test_activity_names_people_and_links_tickets(operator, approver, as_):
    outcome = ask(operator, 12)
    approve(outcome, approver)
    page = as_(operator).get("/admin/").content.decode()
    assert f'Amir Haddad approved <a href="/admin/tickets/{outcome.ticket.pk}/">T-{outcome.ticket.pk}</a>' in page


def test_the_page_takes_few_queries(operator, approver, as_):
    for _ in range(6):
        ask(operator, 12)
    client = as_(approver)
    client.get("/admin/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/admin/")
    assert len(queries) <= 18, [q["sql"][:90] for q in queries]


def test_who_has_no_role_is_told_so(outsider, as_):
    assert "Your login has no role yet." in as_(outsider).get("/admin/").content.decode()


def test_search_jumps_to_the_one_thing(operator, as_):
    outcome = ask(operator, 12, title="Winter campaign")
    small = ask(operator, 3)
    with work(operator):
        key = outcome.change.parts.get().pk
    client = as_(operator)
    ticket = f"/admin/tickets/{outcome.ticket.pk}/"
    for text in (f"T-{outcome.ticket.pk}", f"t{outcome.ticket.pk}", outcome.change.digest, outcome.change.digest[:12]):
        assert client.get("/admin/search/", {"q": text})["Location"] == ticket, text
    assert (
        client.get("/admin/search/", {"q": f"C-{small.change.pk}"})["Location"] == f"/admin/changes/{small.change.pk}/"
    )
    assert client.get("/admin/search/", {"q": f"shop.order {key}"})["Location"] == f"/admin/history/shop.order/{key}/"


@pytest.mark.parametrize("text", ["winter", "Olivia", "%", "'; --", "\x00", "shop.nothing 1", ""])
def test_search_answers_anything(text, operator, as_):
    ask(operator, 12, title="Winter campaign")
    answer = as_(operator).get("/admin/search/", {"q": text})
    assert answer.status_code == 200
    assert bool(answer.context["rows"]) == (text in ("winter", "Olivia"))


def test_search_shows_nothing_to_who_may_see_nothing(operator, outsider, as_):
    ask(operator, 12, title="Winter campaign")
    assert not as_(outsider).get("/admin/search/", {"q": "winter"}).context["rows"]
