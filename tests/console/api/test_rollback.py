"""Going back to a snapshot by API: looked at, asked for, refused."""

from __future__ import annotations

from typing import Any

import pytest

from audit.snapshots.taking import take
from changes.models import Change
from shop.models import Customer, Order
from tests import personas
from tests.changes.test_undo_events import sql
from tests.console.api.asking import REASON, assert_problem, laying_out, run


@pytest.fixture
def past(real_db: Any, engineer: Any) -> tuple[list[Any], int]:
    """Three orders and a snapshot of them; then one changed, one archived, one new."""
    with laying_out():
        made = personas.orders(3, note="as it was")
        number = take("monday", entities=[Order, Customer], actor=engineer).pk
        new = personas.order(customer_=made[0].customer)
    sql(
        engineer,
        f"UPDATE shop_order SET note = 'slip' WHERE id = {made[0].pk}",
        f"UPDATE shop_order SET is_deleted = true, deleted_at = now() WHERE id = {made[1].pk}",
    )
    return [*made, new], number


def address(number: int, name: str = "rollback") -> str:
    return f"/api/v1/snapshots/{number}/{name}/"


def nothing_asked() -> bool:
    with laying_out():
        return not Change.objects.exists()


def content() -> list[tuple[int, str]]:
    with laying_out():
        return list(Order.objects.order_by("pk").values_list("pk", "note"))


def test_it_is_looked_at_before_anything_is_asked(past, engineer, client_of):
    _, number = past
    seen = client_of(engineer).post(address(number, "rollback-preview"), {}).json()
    assert (seen["rows"], seen["conflicts"], seen["approvals"]) == (3, 0, 0)
    assert [(p["entity"], p["effect"], p["rows"]) for p in seen["parts"]] == [
        ("shop.order", "recall", 2),
        ("shop.order", "delete", 1),
    ]
    assert [one["entity"] for one in seen["scope"]] == ["shop.order"]
    assert "note" in seen["scope"][0]["fields"]
    assert nothing_asked()


def test_everything_goes_back_and_a_second_time_nothing_differs(past, engineer, client_of):
    made, number = past
    client = client_of(engineer)
    answer = client.post(address(number), {"reason": REASON})
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["operation"], body["title"]) == ("rollback", "Roll back to monday")
    assert body["options"] == {"snapshot": number, "entities": ["shop.customer", "shop.order"]}
    run(body["id"])
    assert content() == [(row.pk, "as it was") for row in made[:3]]
    again = client.post(address(number), {"reason": REASON})
    assert (again.status_code, again.json()) == (200, {"change": None})
    assert client.post(address(number, "rollback-preview"), {}).json()["rows"] == 0


def test_a_rollback_is_undone_like_any_change(past, engineer, client_of):
    _, number = past
    before, client = content(), client_of(engineer)
    done = client.post(address(number), {"reason": REASON}).json()
    run(done["id"])
    undo = client.post(done["links"]["undo"], {"reason": REASON}).json()
    run(undo["id"])
    assert content() == before


def test_a_part_of_it_goes_back_alone(past, engineer, client_of):
    made, number = past
    options = {"entities": ["shop.order"], "only": {"rows": {"shop.order": {"keys": [made[0].pk]}}}}
    client = client_of(engineer)
    assert client.post(address(number, "rollback-preview"), {"options": options}).json()["rows"] == 1
    run(client.post(address(number), {"reason": REASON, "options": options}).json()["id"])
    assert content() == [(made[0].pk, "as it was"), (made[2].pk, "as it was"), (made[3].pk, made[3].note)]


def test_over_the_threshold_it_waits_for_another_person(real_db, engineer, client_of):
    with laying_out():
        personas.orders(12, note="as it was")
        number = take("monday", entities=[Order], actor=engineer).pk
    for half in ("< 7", ">= 7"):
        sql(engineer, f"UPDATE shop_order SET note = 'slip' WHERE (id - (SELECT min(id) FROM shop_order)) {half}")
    client = client_of(engineer)
    assert client.post(address(number, "rollback-preview"), {}).json()["approvals"] == 1
    answer = client.post(address(number), {"reason": REASON, "title": "Back to Monday"})
    assert (answer.status_code, answer.json()["state"], answer.json()["title"]) == (201, "waiting", "Back to Monday")
    assert answer.json()["ticket"]


def test_a_rule_to_stop_is_an_answer_that_names_it(past, engineer, client_of):
    made, number = past
    sql(engineer, f"UPDATE shop_order SET number = 'MOVED' WHERE id = {made[0].pk}")
    with laying_out():
        personas.order(number=made[0].number, customer_=made[0].customer)
    options = {"conflicts": {"unique_taken": "abort"}}
    client = client_of(engineer)
    for name in ("rollback", "rollback-preview"):
        body = {"options": options} | ({"reason": REASON} if name == "rollback" else {})
        assert_problem(
            client.post(address(number, name), body), 409, "conflicts_found", "options.conflicts.unique_taken"
        )
    assert client.post(address(number, "rollback-preview"), {}).json()["classes"][0]["reason"] == "unique_taken"


def test_the_same_key_gives_the_same_rollback_and_another_wish_is_another_request(past, engineer, client_of):
    _, number = past
    client, key = client_of(engineer), {"Idempotency-Key": "back to monday"}
    asked = {"reason": REASON}
    first, second = (client.post(address(number), asked, headers=key).json()["id"] for _ in range(2))
    assert first == second
    other = asked | {"options": {"entities": ["shop.order"]}}
    assert_problem(client.post(address(number), other, headers=key), 409, "request_key_reused")


@pytest.mark.parametrize("role", ["operator", "approver", "auditor"])
@pytest.mark.parametrize("name", ["rollback", "rollback-preview"])
def test_only_engineers_go_back(past, role, name, request, client_of):
    _, number = past
    body = {"reason": REASON} if name == "rollback" else {}
    client = client_of(request.getfixturevalue(role))
    assert_problem(client.post(address(number, name), body), 403, "not_allowed")
    assert nothing_asked()


@pytest.mark.parametrize("name", ["rollback", "rollback-preview"])
def test_another_tenants_snapshot_is_not_there(past, name, persona, outsider, engineer, client_of):
    _, number = past
    body = {"reason": REASON} if name == "rollback" else {}
    stranger = persona("engineer", name="Lena Vogt", tenant=2)
    assert_problem(client_of(stranger).post(address(number, name), body), 404, "snapshot_not_found")
    assert_problem(client_of(outsider).post(address(number, name), body), 403, "not_allowed")
    assert_problem(client_of(engineer).post(address(99_999, name), body), 404, "snapshot_not_found")


@pytest.mark.parametrize(
    ("options", "status", "code", "field"),
    [
        ([], 400, "invalid_fields", "options"),
        ({"nonsense": 1}, 400, "bad_option", "options.nonsense"),
        ({"snapshot": 1}, 400, "bad_option", "options.snapshot"),
        ({"at": "2026-01-01T00:00:00Z"}, 400, "bad_option", "options.at"),
        ({"entities": []}, 400, "bad_option", "options.entities"),
        ({"entities": "shop.order"}, 400, "bad_option", "options.entities"),
        ({"entities": ["auth.user"]}, 400, "bad_option", "options.entities"),
        ({"entities": ["shop.orderitem"]}, 400, "not_in_snapshot", "options.entities"),
        ({"conflicts": {"unique_taken": "force"}}, 400, "bad_rule", "options.conflicts.unique_taken"),
        ({"only": {"fields": {"shop.order": ["colour"]}}}, 400, "unknown_field", "options.only.fields.shop.order"),
    ],
)
def test_what_cannot_be_meant_names_its_place(past, engineer, client_of, options, status, code, field):
    _, number = past
    client = client_of(engineer)
    for name, more in (("rollback", {"reason": REASON}), ("rollback-preview", {})):
        assert_problem(client.post(address(number, name), {"options": options, **more}), status, code, field)
    assert nothing_asked()


def test_a_reason_is_needed(past, engineer, client_of):
    _, number = past
    assert_problem(client_of(engineer).post(address(number), {"reason": "no"}), 400, "reason_missing", "reason")


def test_the_list_of_changes_says_where_a_rollback_is_asked_for(past, engineer, client_of):
    body = {"entity": "shop.order", "operation": "rollback", "selection": {"keys": [1]}, "reason": REASON}
    answer = assert_problem(client_of(engineer).post("/api/v1/changes/", body), 400, "own_address", "operation")
    assert "/snapshots/{id}/rollback/" in answer["detail"]
