"""The whole job by API: ask, decide, run, look, undo."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction

from shop.models import Order
from tests import personas
from tests.console.api.asking import REASON, assert_problem, delete_orders, laying_out, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders(db: None) -> list[Any]:
    with laying_out():
        return personas.orders(12)


def _live() -> int:
    with laying_out():
        return Order.objects.count()


def test_a_bulk_delete_waits_for_a_person_runs_and_is_undone(operator, approver, client_of, orders):
    asking, deciding = client_of(operator), client_of(approver)
    answer = delete_orders(asking, [one.pk for one in orders])
    assert answer.status_code == 201, answer.content
    change = answer.json()
    assert answer["Location"] == change["links"]["self"]
    assert change["state"] == "waiting"
    assert change["rows_total"] == 12
    ticket = deciding.get("/api/v1/tickets/?waiting_for_me=1").json()["results"][0]
    assert ticket["id"] == change["ticket"]
    assert asking.get("/api/v1/tickets/?waiting_for_me=1").json()["results"] == []

    vote = {"decision": "approve", "digest": ticket["digest"]}
    voted = deciding.post(f"/api/v1/tickets/{ticket['id']}/votes/", vote)
    assert voted.status_code == 201, voted.content
    assert voted.json()["state"] == "approved"
    assert voted.json()["votes"][0]["who"] == approver.name
    assert _live() == 12

    started = asking.post(change["links"]["start"])
    assert started.status_code == 202
    assert started.json()["state"] == "running"
    run(change["id"])
    done = asking.get(change["links"]["self"]).json()
    assert (done["state"], done["applied"], done["progress"]["percent"]) == ("done", 12, 100)
    assert done["verification"]["equal"]
    assert _live() == 0

    preview = asking.get(change["links"]["undo_preview"]).json()
    assert (preview["rows"], preview["conflicts"]) == (12, 0)
    undo = asking.post(change["links"]["undo"], {"reason": REASON}).json()
    assert undo["undo_of"] == change["id"]
    ticket = deciding.get(undo["links"]["ticket"]).json()
    deciding.post(ticket["links"]["votes"], {"decision": "approve", "digest": ticket["digest"]})
    asking.post(undo["links"]["start"])
    run(undo["id"])
    assert _live() == 12


def test_a_small_change_runs_at_once(operator, client_of, orders):
    answer = delete_orders(client_of(operator), [orders[0].pk])
    assert answer.status_code == 202
    assert answer.json()["state"] == "running"
    assert answer.json()["ticket"] is None


def test_a_preview_keeps_nothing(operator, client_of, orders):
    client = client_of(operator)
    body = {
        "entity": "shop.order",
        "operation": "delete",
        "selection": {"where": [{"field": "number", "op": "eq", "value": orders[0].number}]},
    }
    answer = client.post("/api/v1/changes/preview/", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["rows_total"] == 1
    assert client.get("/api/v1/changes/").json()["results"] == []


def test_the_same_key_gives_the_same_change(operator, client_of, orders):
    client = client_of(operator)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = delete_orders(client, [one.pk for one in orders], headers=key)
    second = delete_orders(client, [one.pk for one in orders], headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["ticket"] == second.json()["ticket"]


def test_any_text_is_an_idempotency_key(operator, client_of, orders):
    client = client_of(operator)
    made = {delete_orders(client, [orders[0].pk], headers={"Idempotency-Key": "job 7"}).json()["id"] for _ in range(2)}
    assert len(made) == 1


def test_a_key_is_not_used_for_another_request(operator, client_of, orders):
    client = client_of(operator)
    key = {"Idempotency-Key": "job 8"}
    delete_orders(client, [orders[0].pk], headers=key)
    assert_problem(delete_orders(client, [orders[1].pk], headers=key), 409, "request_key_reused")


def test_a_key_of_one_undo_does_not_answer_for_another(operator, client_of, orders):
    client = client_of(operator)
    done = [delete_orders(client, [one.pk]).json()["id"] for one in orders[:2]]
    for change_id in done:
        run(change_id)
    key = {"Idempotency-Key": "undo"}
    first = client.post(f"/api/v1/changes/{done[0]}/undo/", {"reason": REASON}, headers=key)
    second = client.post(f"/api/v1/changes/{done[1]}/undo/", {"reason": REASON}, headers=key)
    assert first.status_code == 202
    assert_problem(second, 409, "request_key_reused")


def test_frozen_and_skipped_rows_are_listed(operator, approver, client_of, orders):
    client = client_of(operator)
    change = delete_orders(client, [one.pk for one in orders]).json()
    page = client.get(f"{change['links']['rows']}?page_size=5").json()
    keys = [row["key"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        keys += [row["key"] for row in page["results"]]
    assert keys == [str(one.pk) for one in orders]
    ticket = client_of(approver).get(change["links"]["ticket"]).json()
    client_of(approver).post(ticket["links"]["votes"], {"decision": "approve", "digest": ticket["digest"]})
    with laying_out(), transaction.atomic():  # a transaction of its own, as far as a row's xmin tells
        Order.objects.filter(pk=orders[0].pk).update(note="changed since")
    drift = client.get(change["links"]["drift"]).json()
    assert (drift["rows"], drift["changed"], drift["new_dependants"]) == (1, 1, [])
    client.post(change["links"]["start"])
    run(change["id"])
    skipped = client.get(change["links"]["skipped"]).json()["results"]
    assert [(row["key"], row["reason"]) for row in skipped] == [(str(orders[0].pk), "changed_since")]


def test_a_stale_digest_a_second_vote_and_a_decided_ticket_are_conflicts(
    operator, approver, second_approver, client_of, orders
):
    change = delete_orders(client_of(operator), [one.pk for one in orders]).json()
    votes = f"/api/v1/tickets/{change['ticket']}/votes/"
    client = client_of(approver)
    assert_problem(client.post(votes, {"decision": "approve", "digest": "0" * 64}), 409, "digest_moved")
    assert_problem(client.post(votes, {"decision": "maybe", "digest": change["digest"]}), 400, "unknown_decision")
    assert_problem(
        client.post(votes, {"decision": "reject", "digest": change["digest"]}), 400, "rejection_needs_reason"
    )
    approve = {"decision": "approve", "digest": change["digest"]}
    assert client.post(votes, approve).status_code == 201
    assert_problem(client_of(second_approver).post(votes, approve), 409, "ticket_not_pending")


def test_nobody_approves_their_own_request(operator, persona, client_of, orders):
    change = delete_orders(client_of(operator), [one.pk for one in orders]).json()
    twin = persona("approver", name="Olivia Park", person=operator.person_id)
    approve = {"decision": "approve", "digest": change["digest"]}
    assert_problem(client_of(twin).post(f"/api/v1/tickets/{change['ticket']}/votes/", approve), 403, "self_approval")


def test_a_request_is_withdrawn_by_who_asked(operator, engineer, client_of, orders):
    change = delete_orders(client_of(operator), [one.pk for one in orders]).json()
    address = f"/api/v1/tickets/{change['ticket']}/withdraw/"
    assert_problem(client_of(engineer).post(address, {}), 403, "not_yours")
    assert client_of(operator).post(address, {"reason": "not needed"}).json()["state"] == "withdrawn"
    assert_problem(client_of(operator).post(change["links"]["start"]), 409, "wrong_state")


def test_a_run_is_stopped(operator, client_of, orders):
    client = client_of(operator)
    change = delete_orders(client, [orders[0].pk]).json()
    assert client.post(change["links"]["cancel"]).json()["state"] == "cancelling"
    assert_problem(client.post(change["links"]["cancel"]), 409, "wrong_state")


def test_an_agreed_change_is_called_off(operator, approver, client_of, orders):
    client = client_of(operator)
    change = delete_orders(client, [one.pk for one in orders]).json()
    assert_problem(client.post(change["links"]["discard"]), 409, "wrong_state")
    approve = {"decision": "approve", "digest": change["digest"]}
    client_of(approver).post(f"/api/v1/tickets/{change['ticket']}/votes/", approve)
    assert client.post(change["links"]["discard"]).json()["state"] == "refused"
    assert_problem(client.post(change["links"]["start"]), 409, "wrong_state")


def test_a_run_is_paused_and_goes_on(operator, approver, client_of, orders):
    client = client_of(operator)
    links = delete_orders(client, [orders[0].pk]).json()["links"]
    assert client.post(links["pause"]).json()["state"] == "paused"
    assert_problem(client.post(links["pause"]), 409, "wrong_state")
    assert_problem(client_of(approver).post(links["pause"]), 403, "not_allowed")
    assert client.post(links["start"]).json()["state"] == "running"


def test_a_row_is_restored_from_the_bin(operator, client_of, orders):
    client = client_of(operator)
    run(delete_orders(client, [orders[0].pk]).json()["id"])
    assert [row["key"] for row in client.get("/api/v1/entities/shop.order/rows/?deleted=1").json()["results"]] == [
        str(orders[0].pk)
    ]
    run(delete_orders(client, [orders[0].pk], operation="restore").json()["id"])
    assert _live() == 12
