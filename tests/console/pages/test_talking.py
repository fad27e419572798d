"""Comments and watching on a ticket's page."""

from __future__ import annotations

import pytest

from tests.console.pages.scenes import ask, work


@pytest.fixture
def asked(operator):
    return ask(operator, title="Twelve duplicates")


def url(outcome, verb: str = "") -> str:
    return f"/admin/tickets/{outcome.ticket.pk}/{verb}"


def test_a_comment_stands_in_the_activity_with_its_earlier_wording(asked, operator, approver, as_):
    client = as_(approver)
    assert client.post(url(asked, "comment/"), {"text": "Which <b>import</b>?"}).status_code == 302
    line = client.get(url(asked)).context["lines"][-1]
    assert (line.who, line.what, line.quote) == ("Amir Haddad", "commented", "Which <b>import</b>?")
    client.post(url(asked, f"comments/{line.comment_id}/edit/"), {"text": "Which import, please?"})
    page = client.get(url(asked))
    line = page.context["lines"][-1]
    assert (line.what, line.quote, line.earlier[0][1]) == (
        "commented (edited)",
        "Which import, please?",
        "Which <b>import</b>?",
    )
    text = page.content.decode()
    assert "Earlier wording" in text
    assert "<b>import</b>" not in text
    assert "Edit this comment" in text
    assert "Edit this comment" not in as_(operator).get(url(asked)).content.decode()


def test_nothing_said_is_said(asked, approver, as_):
    answer = as_(approver).post(url(asked, "comment/"), {"text": " "}, follow=True)
    assert [str(one) for one in answer.context["messages"]] == ["Write something, in at most 4000 characters."]


def test_one_watches_and_stops(asked, auditor, as_):
    client = as_(auditor)
    assert client.get(url(asked)).context["watches"] is False
    client.post(url(asked, "watch/"), {"watch": "1"})
    page = client.get(url(asked))
    assert page.context["watches"] is True
    assert "Stop watching" in page.content.decode()
    client.post(url(asked, "watch/"), {"watch": "0"})
    assert client.get(url(asked)).context["watches"] is False


def test_another_tenant_finds_no_ticket_to_comment_on(asked, operator, persona, as_):
    from approvals.models import Comment

    stranger = persona("operator", name="Otto Elsewhere", tenant=2)
    assert as_(stranger).post(url(asked, "comment/"), {"text": "hello"}).status_code == 404
    with work(operator):
        assert not Comment.objects.exists()
