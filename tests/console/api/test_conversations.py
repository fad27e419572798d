"""Comments and watching by API."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.actor import Actor
from tests.console.api.asking import assert_problem, delete_orders, laying_out
from tests.personas import orders, user_of


@pytest.fixture
def place(client_of: Any, operator: Actor, db: None) -> str:
    with laying_out():
        keys = [row.pk for row in orders(12)]
    return f"/api/v1/tickets/{delete_orders(client_of(operator), keys).json()['ticket']}/"


def test_comments_are_listed_by_key_in_their_last_wording(
    client_of: Any, operator: Actor, approver: Actor, place: str
) -> None:
    client = client_of(operator)
    made = [client.post(f"{place}comments/", {"text": f"number {n}"}).json() for n in range(3)]
    text = f"the first, @{user_of(approver).username}"
    edited = client.post(f"/api/v1/comments/{made[0]['id']}/edit/", {"text": text}).json()
    assert (edited["text"], edited["mentions"], edited["earlier"][0]["text"]) == (text, ["Amir Haddad"], "number 0")
    first = client.get(f"{place}comments/", {"page_size": 2}).json()
    assert [one["text"] for one in first["results"]] == [text, "number 1"]
    rest = client.get(first["next"]).json()
    assert [one["text"] for one in rest["results"]] == ["number 2"]


def test_refusals_name_themselves(client_of: Any, operator: Actor, approver: Actor, place: str) -> None:
    client, other = client_of(operator), client_of(approver)
    made = client.post(f"{place}comments/", {"text": "mine"}).json()
    edit = f"/api/v1/comments/{made['id']}/edit/"
    assert_problem(client.post(f"{place}comments/", {"text": " "}), 400, "nothing_said", "text")
    assert_problem(other.post(edit, {"text": "yours"}), 403, "comment_not_yours")
    assert_problem(client.post("/api/v1/comments/999/edit/", {"text": "x"}), 404, "comment_not_found")
    assert_problem(client.post("/api/v1/tickets/999/comments/", {"text": "x"}), 404, "ticket_not_found")


def test_watching_begins_and_ends(client_of: Any, auditor: Actor, place: str) -> None:
    client = client_of(auditor)
    assert client.post(f"{place}watch/").json() == {"watching": True, "watchers": ["Ingrid Solberg"]}
    assert client.delete(f"{place}watch/").json() == {"watching": False, "watchers": []}
