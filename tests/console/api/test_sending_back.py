"""Sending back and asking again by API."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.actor import Actor
from tests.console.api.asking import assert_problem, delete_orders, laying_out
from tests.personas import orders

WHY = "leave out the open ones"


@pytest.fixture
def keys(db: None) -> list[int]:
    with laying_out():
        return [row.pk for row in orders(14)]


@pytest.fixture
def ticket(client_of: Any, operator: Actor, keys: list[int]) -> dict[str, Any]:
    client = client_of(operator)
    made = delete_orders(client, keys[:12])
    shown: dict[str, Any] = client.get(f"/api/v1/tickets/{made.json()['ticket']}/").json()
    return shown


def test_it_is_sent_back_edited_and_approved(
    client_of: Any, operator: Actor, approver: Actor, ticket: dict[str, Any], keys: list[int]
) -> None:
    voter, asker = client_of(approver), client_of(operator)
    back = voter.post(ticket["links"]["send_back"], {"digest": ticket["digest"], "reason": WHY})
    assert (back.status_code, back.json()["state"]) == (200, "sent_back")
    assert voter.get(ticket["links"]["change"]).json()["state"] == "draft", "everybody who may browse still sees it"
    again = asker.post(
        ticket["links"]["ask_again"], {"reason": "without the open ones", "selection": {"keys": keys[:11]}}
    )
    shown = again.json()
    assert (again.status_code, shown["state"], shown["round"], shown["rows_total"]) == (200, "pending", 2, 11)
    assert shown["digest"] != ticket["digest"]
    stale = voter.post(ticket["links"]["votes"], {"decision": "approve", "digest": ticket["digest"]})
    assert_problem(stale, 409, "digest_moved")
    done = voter.post(ticket["links"]["votes"], {"decision": "approve", "digest": shown["digest"]})
    assert done.json()["state"] == "approved"


def test_refusals_name_themselves(client_of: Any, operator: Actor, approver: Actor, ticket: dict[str, Any]) -> None:
    voter, asker = client_of(approver), client_of(operator)
    back, again = ticket["links"]["send_back"], ticket["links"]["ask_again"]
    assert_problem(asker.post(back, {"digest": ticket["digest"], "reason": WHY}), 403, "not_allowed")
    assert_problem(voter.post(back, {"digest": ticket["digest"]}), 400, "sending_back_needs_reason", "reason")
    assert_problem(voter.post(back, {"digest": "0" * 64, "reason": WHY}), 409, "digest_moved")
    assert_problem(asker.post(again, {"reason": "asked in other words"}), 409, "ticket_not_sent_back")
    voter.post(back, {"digest": ticket["digest"], "reason": WHY})
    assert_problem(asker.post(again, {"reason": "no"}), 400, "reason_missing", "reason")
    assert_problem(voter.post(again, {"reason": "asked in other words"}), 403, "not_allowed")
    sent_back = voter.get("/api/v1/tickets/", {"state": "sent_back"}).json()
    assert [one["id"] for one in sent_back["results"]] == [ticket["id"]]


def test_a_second_ticket_on_its_rows_names_it(
    client_of: Any, engineer: Actor, ticket: dict[str, Any], keys: list[int]
) -> None:
    problem = assert_problem(delete_orders(client_of(engineer), keys[3:]), 409, "rows_in_another_ticket")
    assert problem["facts"]["other"] == f"T-{ticket['id']}"
