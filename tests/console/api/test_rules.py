"""Rules and amendments through the API."""

from __future__ import annotations

import pytest

WHY = "agreed in the weekly meeting"
RULES = [{"name": "all", "stages": [{"group": "approver", "need": 2}]}]


def send(client_of, actor, path, body):
    return client_of(actor).post(f"/api/v1/{path}", body, format="json")


def test_rules_are_read_tried_proposed_and_agreed_to(client_of, administrator, approver):
    before = client_of(approver).get("/api/v1/rules/").json()
    assert before["version"] == 0
    tried = send(client_of, administrator, "rules/preview/", {"rules": RULES})
    assert (tried.status_code, tried.json()["changes"]) == (200, 0)
    made = send(client_of, administrator, "amendments/", {"kind": "rules", "payload": {"rules": RULES}, "reason": WHY})
    assert made.status_code == 201, made.json()
    key = made.json()["id"]
    own = send(client_of, administrator, f"amendments/{key}/agree/", {})
    assert (own.status_code, own.json()["code"]) == (403, "own_amendment")
    agreed = send(client_of, approver, f"amendments/{key}/agree/", {})
    assert (agreed.status_code, agreed.json()["state"]) == (200, "agreed")
    assert client_of(approver).get("/api/v1/rules/").json()["version"] == 1
    again = send(client_of, approver, f"amendments/{key}/agree/", {})
    assert (again.status_code, again.json()["code"]) == (409, "amendment_not_open")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "all", "payload": {}, "reason": WHY}, "unknown_kind"),
        ({"kind": "rules", "payload": {"rules": [{}]}, "reason": WHY}, "unreadable_rule"),
        ({"kind": "rules", "payload": {"rules": RULES}, "reason": "x"}, "reason_too_short"),
        ({"kind": "group", "payload": {}, "reason": WHY}, "bad_amendment"),
    ],
)
def test_what_cannot_be_proposed_is_named(client_of, administrator, body, code):
    answer = send(client_of, administrator, "amendments/", body)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == code


def test_a_refusal_needs_a_reason_and_a_withdrawal_its_author(client_of, administrator, approver):
    body = {"kind": "group", "payload": {"name": "security"}, "reason": WHY}
    key = send(client_of, administrator, "amendments/", body).json()["id"]
    assert send(client_of, approver, f"amendments/{key}/refuse/", {"answer": "no"}).json()["code"] == "reason_too_short"
    refused = send(client_of, approver, f"amendments/{key}/refuse/", {"answer": "we have no such people"})
    assert refused.json()["state"] == "refused"
    key = send(client_of, administrator, "amendments/", body).json()["id"]
    assert send(client_of, administrator, f"amendments/{key}/withdraw/", {}).json()["state"] == "withdrawn"


def test_the_list_goes_by_key_and_by_state(client_of, administrator, approver):
    for number in range(3):
        send(
            client_of, administrator, "amendments/", {"kind": "group", "payload": {"name": f"g{number}"}, "reason": WHY}
        )
    first = client_of(approver).get("/api/v1/amendments/?page_size=2").json()
    assert [one["payload"]["name"] for one in first["results"]] == ["g2", "g1"]
    rest = client_of(approver).get(first["next"]).json()
    assert [one["payload"]["name"] for one in rest["results"]] == ["g0"]
    assert client_of(approver).get("/api/v1/amendments/?state=agreed").json()["results"] == []
    assert client_of(approver).get("/api/v1/amendments/?state=lost").status_code in (400, 422)


def test_an_operator_reads_rules_and_no_amendments(client_of, operator):
    assert client_of(operator).get("/api/v1/rules/").status_code == 200
    assert client_of(operator).get("/api/v1/amendments/").status_code == 403
