"""The list of tickets, and deciding one."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import Ticket, Vote
from tests.console.pages.scenes import approve, ask, run, work

LIST = "/admin/tickets/"


@pytest.fixture
def asked(operator):
    return ask(operator, title="Twelve duplicates")


def url(outcome, verb: str = "") -> str:
    return f"{LIST}{outcome.ticket.pk}/{verb}"


def decide(client, outcome, decision="approve", digest=None, **more):
    form = {"decision": decision, "digest": digest or outcome.ticket.digest, "reason": ""}
    return client.post(url(outcome, "vote/"), form | more)


def state(actor, outcome) -> str:
    with work(actor):
        return Ticket.objects.get(pk=outcome.ticket.pk).state


def codes(client, tab: str) -> list[str]:
    return [row.code for row in client.get(LIST, {"tab": tab}).context["rows"]]


def counts(client) -> dict[str, int]:
    return {tab.name: tab.count for tab in client.get(LIST).context["tabs"]}


def test_waiting_lists_only_what_one_can_decide(asked, operator, approver, second_approver, auditor, as_):
    code = str(asked.ticket)
    assert codes(as_(approver), "waiting") == [code]
    assert codes(as_(operator), "waiting") == [], "one's own"
    assert codes(as_(auditor), "waiting") == [], "no approver"
    approve(asked, approver)
    assert codes(as_(second_approver), "waiting") == [], "decided"


def test_an_approved_change_waits_for_who_may_start_it(asked, operator, engineer, approver, as_):
    approve(asked, approver)
    assert codes(as_(operator), "waiting") == codes(as_(engineer), "waiting") == [str(asked.ticket)]
    assert codes(as_(approver), "waiting") == []


def test_tabs_agree_with_their_counts(asked, operator, approver, as_):
    small = ask(operator, 3)
    run(small.change, operator)
    rejected = ask(operator)
    decide(as_(approver), rejected, "reject", reason="Not these")
    client = as_(operator)
    assert counts(client) == {"waiting": 0, "mine": 3, "open": 1, "done": 1, "closed": 1}
    for tab, amount in counts(client).items():
        assert len(codes(client, tab)) == amount


def test_the_list_goes_on_by_key_with_few_queries(operator, as_):
    for _ in range(30):
        ask(operator, 11)
    client = as_(operator)
    first = client.get(LIST + "?tab=mine")
    assert len(first.context["rows"]) == 25
    second = client.get(LIST + first.context["older"])
    assert len(second.context["rows"]) == 5
    assert second.context["older"] == ""
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST + "?tab=mine")
    assert len(queries) <= 10, [q["sql"][:90] for q in queries]


def test_the_badge_is_the_number_of_the_tab(asked, approver, as_):
    page = as_(approver).get(LIST)
    link = next(link for group in page.context["menu"] for link in group.links if link.url == LIST)
    assert link.count == 1


def test_the_page_takes_few_queries(asked, approver, as_):
    client = as_(approver)
    client.get(url(asked))
    with CaptureQueriesContext(connection) as queries:
        client.get(url(asked))
    assert len(queries) <= 26, [q["sql"][:90] for q in queries]


def test_all_numbers_of_the_page_are_one_count(asked, approver, as_):
    page = as_(approver).get(url(asked))
    assert page.context["impact"].total == "12"
    assert page.context["impact"].rows[0].rows == "12"
    assert "of 12, picked at random" in page.content.decode()


def test_approving_starts_nothing(asked, operator, approver, as_):
    answer = decide(as_(approver), asked)
    assert answer["Location"] == url(asked)
    assert state(operator, asked) == "approved"
    with work(operator):
        asked.change.refresh_from_db()
    assert asked.change.state == "cleared"


def test_the_requester_sees_why_not_and_is_refused(asked, operator, persona, as_):
    both = persona("operator", "approver", name="Olivia Twice", person=operator.person_id)
    page = as_(both).get(url(asked)).content.decode()
    assert "You asked for this, so someone else must decide." in page
    assert 'name="decision"' not in page
    assert decide(as_(both), asked).status_code == 403
    assert state(operator, asked) == "pending"


def test_who_is_no_approver_is_refused(asked, operator, auditor, as_):
    assert decide(as_(auditor), asked).status_code == 403
    assert state(operator, asked) == "pending"


def test_a_stale_page_is_answered_with_the_panel_drawn_anew(asked, approver, operator, as_):
    answer = decide(as_(approver), asked, digest="0" * 64, reason="I looked at all twelve")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Look again before you decide." in page
    assert ">I looked at all twelve</textarea>" in page
    assert f'value="{asked.ticket.digest}"' in page
    assert state(operator, asked) == "pending"


def test_htmx_gets_only_the_panel(asked, approver, as_):
    client = as_(approver)
    form = {"decision": "approve", "digest": "0" * 64, "reason": "typed"}
    answer = client.post(url(asked, "vote/"), form, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "<html" not in answer.content.decode()
    assert 'id="panel"' in answer.content.decode()
    good = client.post(url(asked, "vote/"), form | {"digest": asked.ticket.digest}, headers={"HX-Request": "true"})
    assert (good.status_code, good["HX-Redirect"]) == (204, url(asked))


def test_a_rejection_needs_a_reason(asked, approver, operator, as_):
    answer = decide(as_(approver), asked, "reject")
    assert answer.status_code in (400, 422)
    assert "Say why you reject this" in answer.content.decode()
    assert state(operator, asked) == "pending"
    decide(as_(approver), asked, "reject", reason="<b>Wrong</b> rows")
    assert state(operator, asked) == "rejected"
    page = as_(operator).get(url(asked)).content.decode()
    assert "&lt;b&gt;Wrong&lt;/b&gt; rows" in page


def test_a_second_vote_changes_nothing(asked, approver, operator, as_):
    client = as_(approver)
    decide(client, asked)
    assert decide(client, asked, "reject", reason="No, wait").status_code == 409
    assert state(operator, asked) == "approved"
    with work(operator):
        assert Vote.objects.count() == 1


def test_the_requester_can_withdraw(asked, operator, engineer, as_):
    assert as_(engineer).post(url(asked, "withdraw/")).status_code == 403
    as_(operator).post(url(asked, "withdraw/"), {"reason": "Found them again"})
    assert state(operator, asked) == "withdrawn"
    assert "Found them again" in as_(operator).get(url(asked)).content.decode()


def test_a_vote_is_not_a_link(asked, approver, as_):
    assert as_(approver).get(url(asked, "vote/")).status_code == 405


def test_a_ticket_of_another_tenant_does_not_exist(asked, persona, as_):
    stranger = persona("approver", name="Stan Ger", tenant=2)
    assert as_(stranger).get(url(asked)).status_code == 404
    assert decide(as_(stranger), asked).status_code == 404
