"""Undo by API: by rules, of a part, of statements that no change made."""

from __future__ import annotations

from typing import Any

import pytest

from shop.models import Order
from tests import personas
from tests.changes.test_undo_events import sql
from tests.console.api.asking import REASON, assert_problem, delete_orders, laying_out, run

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/undo/"
EVENTS_PREVIEW = "/api/v1/events/undo-preview/"


@pytest.fixture
def slip(db: None, operator: Any) -> tuple[list[Any], list[int]]:
    """Two orders, note and total set by one statement; then somebody changed the note of the first."""
    with laying_out():
        made = personas.orders(2, note="as it was", total="1.00")
    events = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0")
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {made[0].pk}")
    return made, events


def content(rows: list[Any]) -> list[tuple[str, str]]:
    with laying_out():
        return [(row.note, str(row.total)) for row in Order.objects.filter(pk__in=[r.pk for r in rows]).order_by("pk")]


def test_a_statement_is_looked_at_and_undone(slip, operator, client_of):
    made, events = slip
    client = client_of(operator)
    seen = client.post(EVENTS_PREVIEW, {"events": events}).json()
    assert (seen["rows"], seen["conflicts"], seen["approvals"]) == (1, 1, 0)
    assert seen["parts"] == [{"entity": "shop.order", "effect": "revert", "rows": 1, "conflicts": 1}]
    assert seen["classes"] == [
        {
            "entity": "shop.order",
            "reason": "changed_since",
            "rows": 1,
            "rules": ["skip", "keep_theirs", "force", "abort"],
        }
    ]
    assert seen["scope"] == [{"entity": "shop.order", "fields": ["total", "note"]}]
    answer = client.post(EVENTS, {"events": events, "reason": REASON})
    assert answer.status_code == 202, answer.content
    assert answer.json()["options"] == {"source": {"events": events, "transaction": False}}
    run(answer.json()["id"])
    assert content(made) == [("by hand", "0.00"), ("as it was", "1.00")]


def test_keep_theirs_is_a_rule_of_the_request(slip, operator, client_of):
    made, events = slip
    asked = {"events": events, "options": {"conflicts": {"changed_since": "keep_theirs"}}}
    client = client_of(operator)
    assert client.post(EVENTS_PREVIEW, asked).json()["rows"] == 2
    run(client.post(EVENTS, asked | {"reason": REASON}).json()["id"])
    assert content(made) == [("by hand", "1.00"), ("as it was", "1.00")]


def test_force_waits_for_another_person(slip, operator, client_of):
    _, events = slip
    asked = {"events": events, "options": {"conflicts": {"changed_since": "force"}}}
    client = client_of(operator)
    assert client.post(EVENTS_PREVIEW, asked).json()["approvals"] == 1
    answer = client.post(EVENTS, asked | {"reason": REASON})
    assert (answer.status_code, answer.json()["state"]) == (201, "waiting")


def test_stop_is_an_answer_that_names_the_rule(slip, operator, client_of):
    _, events = slip
    asked = {"events": events, "options": {"conflicts": {"changed_since": "abort"}}}
    client = client_of(operator)
    for address, body in ((EVENTS_PREVIEW, asked), (EVENTS, asked | {"reason": REASON})):
        body = assert_problem(client.post(address, body), 409, "conflicts_found", "options.conflicts.changed_since")
        assert body["facts"]["rows"] == 1


def test_a_part_of_a_change_is_undone_by_rows_and_by_fields(operator, client_of):
    with laying_out():
        made = personas.orders(3)
    client = client_of(operator)
    change = delete_orders(client, [row.pk for row in made]).json()
    run(change["id"])
    part = {"options": {"only": {"rows": {"shop.order": {"keys": [made[0].pk]}}}}}
    seen = client.post(change["links"]["undo_preview"], part).json()
    assert (seen["rows"], seen["scope"]) == (1, [{"entity": "shop.order", "fields": ["is_deleted"]}])
    undo = client.post(change["links"]["undo"], part | {"reason": REASON}).json()
    assert undo["options"] == part["options"]
    run(undo["id"])
    with laying_out():
        assert set(Order.objects.values_list("pk", flat=True)) == {made[0].pk}
    assert client.get(change["links"]["undo_preview"]).json()["rows"] == 2


def test_the_same_key_gives_the_same_undo_and_other_rules_are_another_request(slip, operator, client_of):
    _, events = slip
    client, key = client_of(operator), {"Idempotency-Key": "undo of the slip"}
    asked = {"events": events, "reason": REASON}
    first, second = (client.post(EVENTS, asked, headers=key).json()["id"] for _ in range(2))
    assert first == second
    other = asked | {"options": {"conflicts": {"changed_since": "keep_theirs"}}}
    assert_problem(client.post(EVENTS, other, headers=key), 409, "request_key_reused")


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ([], "invalid_fields", "options"),
        ({"nonsense": 1}, "bad_option", "options.nonsense"),
        ({"source": {"events": [1]}}, "bad_option", "options.source"),
        ({"conflicts": {"nonsense": "skip"}}, "unknown_conflict", "options.conflicts"),
        ({"conflicts": {"unique_taken": "force"}}, "bad_rule", "options.conflicts.unique_taken"),
        ({"conflicts": []}, "unknown_conflict", "options.conflicts"),
        ({"only": {"columns": {}}}, "bad_option", "options.only"),
        ({"only": {"rows": {"shop.nothing": {}}}}, "bad_option", "options.only.rows"),
        ({"only": {"rows": {"shop.order": {"keys": ["x"]}}}}, "bad_value", "options.only.rows.shop.order.keys.0"),
        ({"only": {"fields": {"shop.order": ["colour"]}}}, "unknown_field", "options.only.fields.shop.order"),
    ],
)
def test_what_cannot_be_read_names_its_place_in_the_body(slip, operator, client_of, options, code, field):
    made, events = slip
    client = client_of(operator)
    change = delete_orders(client, [made[1].pk]).json()
    run(change["id"])
    for address in (change["links"]["undo"], change["links"]["undo_preview"], EVENTS, EVENTS_PREVIEW):
        body: dict[str, Any] = {"options": options}
        body |= {"events": events} if "/events/" in address else {}
        body |= {} if "preview" in address else {"reason": REASON}
        assert_problem(client.post(address, body), 400, code, field)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid_fields", "events"),
        ({"events": []}, "event_not_found", "events"),
        ({"events": "1"}, "event_not_found", "events"),
        ({"events": [True]}, "event_not_found", "events"),
        ({"events": [2**70]}, "event_not_found", "events"),
        ({"events": [999_999_999]}, "event_not_found", "events"),
        ({"events": list(range(1, 1002))}, "too_many_events", "events"),
        ({"events": [1], "transaction": "yes"}, "bad_option", "transaction"),
    ],
)
def test_events_that_are_none_are_refused_by_name(operator, client_of, body, code, field):
    client = client_of(operator)
    assert_problem(client.post(EVENTS_PREVIEW, body), 400, code, field)
    assert_problem(client.post(EVENTS, body | {"reason": REASON}), 400, code, field)


def test_statements_are_undone_by_who_may_and_only_ones_own(slip, approver, auditor, persona, client_of):
    _, events = slip
    for person in (approver, auditor):
        client = client_of(person)
        assert_problem(client.post(EVENTS_PREVIEW, {"events": events}), 403, "not_allowed")
        assert_problem(client.post(EVENTS, {"events": events, "reason": REASON}), 403, "not_allowed")
    other = client_of(persona("operator", name="Otto Other", tenant=2))
    assert_problem(other.post(EVENTS_PREVIEW, {"events": events}), 400, "event_not_found", "events")
    assert_problem(other.post(EVENTS, {"events": events, "reason": REASON}), 400, "event_not_found", "events")


def test_one_event_stands_for_its_transaction(operator, client_of):
    with laying_out():
        personas.order_with_items(2)
    events = sql(operator, "UPDATE shop_order SET note = 'x'", "UPDATE shop_orderitem SET quantity = 9")
    client = client_of(operator)
    alone = client.post(EVENTS_PREVIEW, {"events": events[:1]}).json()
    assert [part["entity"] for part in alone["parts"]] == ["shop.order"]
    whole = client.post(EVENTS_PREVIEW, {"events": events[:1], "transaction": True}).json()
    # The rows were made in the test's own transaction, which is the same one.
    assert {part["entity"] for part in whole["parts"]} == {"shop.customer", "shop.order", "shop.orderitem"}


def test_the_schema_names_rules_and_refusals(operator):
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    asking = schema["paths"][EVENTS]["post"]
    said = asking["responses"]
    assert "`conflicts_found`" in said["409"]["description"]
    for code in ("bad_rule", "unknown_conflict", "bad_option", "event_not_found", "unknown_field"):
        assert f"`{code}`" in said["400"]["description"]
    name = asking["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    options = schema["components"]["schemas"][name]["properties"]["options"]
    rules = options["properties"]["conflicts"]
    assert rules["properties"]["unique_taken"]["enum"] == ["skip", "abort"]
