"""A ticket sent back on its page: the reason on top, the form for whoever asked, the three steps for other rows."""

from __future__ import annotations

import pytest

from approvals.models import Ticket
from changes.models import Change
from tests.console.pages.scenes import ask, work

WHY = "Leave out the open ones"


@pytest.fixture
def asked(operator):
    return ask(operator, title="Twelve duplicates")


def url(outcome, verb: str = "") -> str:
    return f"/admin/tickets/{outcome.ticket.pk}/{verb}"


def send_back(client, outcome, **more):
    form = {"decision": "send_back", "digest": outcome.ticket.digest, "reason": WHY}
    return client.post(url(outcome, "vote/"), form | more)


def ticket_of(actor, outcome) -> Ticket:
    with work(actor):
        return Ticket.objects.select_related("change").get(pk=outcome.ticket.pk)


def test_the_reason_stands_on_top_and_the_requester_gets_a_form(asked, operator, approver, as_):
    assert send_back(as_(approver), asked).status_code == 302
    page = as_(operator).get(url(asked))
    assert (page.context["banner"].title, page.context["banner"].text) == ("Amir Haddad sent this back.", WHY)
    assert page.context["pill"].text == "Sent back"
    assert page.context["retold"]["title"] == "Twelve duplicates"
    assert page.context["panel"].may_withdraw
    assert "Edit and ask again" in page.content.decode()
    assert "Edit and ask again" not in as_(approver).get(url(asked)).content.decode()


def test_it_waits_for_its_requester_and_stands_among_the_open_ones(asked, operator, engineer, approver, as_):
    send_back(as_(approver), asked)
    code = str(asked.ticket)

    def codes(actor, tab):
        return [row.code for row in as_(actor).get("/admin/tickets/", {"tab": tab}).context["rows"]]

    assert codes(operator, "waiting") == codes(approver, "open") == [code]
    assert codes(approver, "waiting") == codes(engineer, "waiting") == []


def test_without_a_reason_the_panel_says_so(asked, approver, as_):
    page = send_back(as_(approver), asked, reason=" ")
    assert page.status_code == 400
    assert "Say what has to change" in page.content.decode()


def test_a_fingerprint_that_moved_is_a_409_with_the_typed_reason_kept(asked, approver, as_):
    page = send_back(as_(approver), asked, digest="0" * 64)
    assert page.status_code == 409
    assert WHY in page.content.decode()
    assert "Look again before you decide" in page.content.decode()


def test_after_another_round_the_old_page_is_a_409_with_the_new_panel(asked, operator, approver, as_):
    """Somebody keeps a tab open over the whole of it."""
    send_back(as_(approver), asked)
    as_(operator).post(url(asked, "ask-again/"), {"title": "Eleven", "reason": "asked in other words"})
    form = {"decision": "approve", "digest": asked.ticket.digest, "reason": "looks right to me"}
    page = as_(approver).post(url(asked, "vote/"), form, headers={"HX-Request": "true"})
    assert page.status_code == 409
    text = page.content.decode()
    assert "looks right to me" in text
    assert ticket_of(operator, asked).digest in text
    assert asked.ticket.digest not in text
    assert "<html" not in text


def test_other_words_are_asked_for_on_the_page(asked, operator, approver, as_):
    send_back(as_(approver), asked)
    form = {"title": "Eleven duplicates", "reason": "the open one is left out"}
    assert as_(operator).post(url(asked, "ask-again/"), form).status_code == 302
    ticket = ticket_of(operator, asked)
    assert (ticket.title, ticket.round, ticket.change.reason) == ("Eleven duplicates", 2, "the open one is left out")


def test_a_reason_too_short_keeps_what_was_typed(asked, operator, approver, as_):
    send_back(as_(approver), asked)
    page = as_(operator).post(url(asked, "ask-again/"), {"title": "Eleven", "reason": "no"})
    assert page.status_code == 400
    assert page.context["retold"]["title"] == "Eleven"


def test_other_rows_are_chosen_in_the_three_steps(asked, operator, approver, as_):
    send_back(as_(approver), asked)
    client = as_(operator)
    assert client.get(url(asked)).context["retold"]["rows_url"] == f"/admin/changes/{asked.change.pk}/choose/"
    assert client.get(f"/admin/changes/{asked.change.pk}/choose/").status_code == 200
    why = f"/admin/changes/{asked.change.pk}/why/"
    key = client.get(why).context["request_key"]
    form = {"title": "Again", "reason": "asked in other words", "request_key": key}
    assert client.post(why, form).url == url(asked)
    ticket = ticket_of(operator, asked)
    assert (ticket.state, ticket.round) == ("pending", 2)
    with work(operator):
        assert Change.objects.count() == 1


def test_the_stages_and_activity_tell_it(asked, operator, approver, as_):
    send_back(as_(approver), asked)
    as_(operator).post(url(asked, "ask-again/"), {"title": "Eleven", "reason": "asked in other words"})
    said = [line.what for line in as_(operator).get(url(asked)).context["lines"]]
    assert "sent it back to be put another way" in said
    assert "edited it and asked again: a new round of votes" in said
