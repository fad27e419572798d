"""Entities and their rows: browse, filter, page, write one, delete one."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import quote

import pytest
from django.test.utils import CaptureQueriesContext

from shop.models import Order
from tests import personas
from tests.console.api.asking import assert_problem, delete_orders, laying_out, run

pytestmark = pytest.mark.django_db
ROWS = "/api/v1/entities/shop.order/rows/"


@pytest.fixture
def client(operator, client_of):
    return client_of(operator)


def _where(*conditions: object) -> str:
    return f"{ROWS}?where={quote(json.dumps(conditions))}"


def test_entities_say_what_can_be_done_with_them(client):
    listed = {one["entity"]: one for one in client.get("/api/v1/entities/").json()}
    assert listed["shop.order"]["threshold"] == 10
    entity = client.get(listed["shop.order"]["url"]).json()
    assert entity["key"] == ["id"]
    fields = {field["name"]: field for field in entity["fields"]}
    assert fields["number"]["lookups"][-2:] == ["contains", "startswith"]
    assert fields["customer"]["references"] == "shop.customer"
    assert fields["is_deleted"]["writable"] is False
    assert fields["is_deleted"]["lookups"] == []
    assert {"relation": "shop.orderitem.order", "rule": "cascade"} in entity["relations"]
    assert_problem(client.get("/api/v1/entities/auth.user/"), 404, "unknown_entity")


def test_pages_follow_the_key_and_miss_nothing(client):
    with laying_out():
        made = [str(row.pk) for row in personas.orders(7)]
    page = client.get(f"{ROWS}?page_size=3").json()
    keys, pages = [row["key"] for row in page["results"]], 1
    while page["next"]:
        page = client.get(page["next"]).json()
        keys += [row["key"] for row in page["results"]]
        pages += 1
    assert keys == made
    assert pages == 3
    assert page["next_cursor"] is None


def test_rows_are_filtered_in_the_language_of_selections(client):
    with laying_out():
        made = personas.orders(3)
        Order.objects.filter(pk=made[1].pk).update(total=Decimal("99.50"))
    found = client.get(_where({"field": "total", "op": "gt", "value": "50"})).json()["results"]
    assert [row["values"]["total"] for row in found] == ["99.50"]
    either = json.dumps({"any": [[{"field": "id", "value": made[0].pk}], [{"field": "id", "value": made[2].pk}]]})
    assert len(client.get(f"{ROWS}?where={quote(either)}").json()["results"]) == 2
    assert_problem(client.get(f"{ROWS}?where=%7B"), 400, "malformed_json", "where")
    assert_problem(client.get(_where({"field": "nope", "value": 1})), 400, "unknown_field")
    assert_problem(client.get(f"{ROWS}?where=%5B%5D"), 422, "whole_table")
    assert_problem(client.get(f"{ROWS}?deleted=maybe"), 400, "bad_parameter", "deleted")


def test_values_lose_nothing(client):
    from shop.models import Customer

    with laying_out():
        customer = personas.customer(
            name="Ελένη 陈 🙂", credit_limit=Decimal("12345678901234567890.0123456789"), labels=["a", "b"]
        )
        Customer.objects.filter(pk=customer.pk).update(score=float("nan"), preferences={"a": {"b": [1, None]}})
    values = client.get(f"/api/v1/entities/shop.customer/rows/{customer.pk}/").json()["values"]
    assert values["credit_limit"] == "12345678901234567890.0123456789"
    assert (values["name"], values["labels"], values["score"]) == ("Ελένη 陈 🙂", ["a", "b"], "nan")
    assert values["preferences"] == {"a": {"b": [1, None]}}


@pytest.mark.parametrize("key", ["abc", str(10**30), "-1", "1,2", "%00", "1%2F2", "١"])
def test_a_key_nobody_has(client, key):
    answer = client.get(f"{ROWS}{key}/")
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] in ("row_not_found", "unstorable_text")


def test_a_row_is_added_and_changed(client):
    with laying_out():
        customer = personas.customer()
    values = {"customer": customer.pk, "number": "A-1", "placed_at": "2024-05-06T07:08:09Z", "total": "5.50"}
    answer = client.post(ROWS, {"values": values})
    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert row["url"] == answer["Location"]
    assert row["values"]["total"] == "5.50"
    answer = client.patch(row["url"], {"values": {"note": "paid by cheque", "placed_at": "2024-05-06T00:00:00"}})
    assert answer.status_code == 200, answer.content
    assert answer.json()["values"]["note"] == "paid by cheque"
    assert answer.json()["values"]["updated_at"] > row["values"]["updated_at"]
    assert client.patch(row["url"], {"values": {}}).status_code == 200


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"is_deleted": True}, "values.is_deleted", "not_writable"),
        ({"deleted_at": None}, "values.deleted_at", "not_writable"),
        ({"retention_policy": "x"}, "values.retention_policy", "not_writable"),
        ({"tenant_id": 2}, "values.tenant_id", "not_writable"),
        ({"id": 7}, "values.id", "not_writable"),
        ({"status": "archived"}, "values.status", "not_writable"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "values.created_at", "not_writable"),
        ({"nope": 1}, "values.nope", "unknown_field"),
        ({"number": None}, "values.number", "wrong_type"),
        ({"number": 5}, "values.number", "wrong_type"),
        ({"number": ["x"]}, "values.number", "wrong_type"),
        ({"total": True}, "values.total", "wrong_type"),
        ({"total": "many"}, "values.total", "invalid"),
        ({"total": "1e400"}, "values.total", "max_digits"),
        ({"total": "NaN"}, "values.total", "invalid"),
        ({"placed_at": "soon"}, "values.placed_at", "invalid"),
        ({"customer": 10**12}, "values.customer", "invalid"),
        ({"customer": 10**30}, "values.customer", "invalid"),
        ({"customer": "x"}, "values.customer", "invalid"),
        ({"number": "x" * 5000}, "values.number", "max_length"),
        ({"state": "nope"}, "values.state", "invalid_choice"),
    ],
)
def test_a_write_that_cannot_be_used(client, values, field, code):
    with laying_out():
        order = personas.order()
    problem = assert_problem(client.patch(f"{ROWS}{order.pk}/", {"values": values}), 400, "invalid_fields")
    assert (problem["errors"][0]["field"], problem["errors"][0]["code"]) == (field, code), problem


def test_unique_among_the_living_is_told_before_the_database_does(client):
    with laying_out():
        first, second = personas.order(), personas.order()
    answer = client.patch(f"{ROWS}{second.pk}/", {"values": {"number": first.number}})
    assert_problem(answer, 400, "invalid_fields")
    run(delete_orders(client, [first.pk]).json()["id"])
    assert client.patch(f"{ROWS}{second.pk}/", {"values": {"number": first.number}}).status_code == 200


def test_deleted_rows_are_neither_written_nor_written_under(client):
    with laying_out():
        order, other = personas.order(), personas.order()
        customer = personas.customer()
    run(delete_orders(client, [order.pk]).json()["id"])
    run(delete_orders(client, [], entity="shop.customer", selection={"keys": [customer.pk]}).json()["id"])
    assert client.get(f"{ROWS}{order.pk}/").json()["deleted"] is True
    assert_problem(client.patch(f"{ROWS}{order.pk}/", {"values": {"note": "x"}}), 404, "row_not_found")
    problem = assert_problem(
        client.patch(f"{ROWS}{other.pk}/", {"values": {"customer": customer.pk}}), 400, "invalid_fields"
    )
    assert problem["errors"][0]["code"] == "parent_deleted"


def test_a_delete_goes_the_governed_way(client):
    with laying_out():
        order, large = personas.order_with_items(2), personas.order_with_items(2)
    address = f"{ROWS}{order.pk}/"
    assert_problem(client.delete(address), 400, "reason_missing")
    answer = client.delete(address, {"reason": "asked for by mail"})
    assert answer.status_code == 202, answer.content
    change = answer.json()
    assert [(part["entity"], part["rows"]) for part in change["progress"]["parts"]] == [
        ("shop.orderitem", 2),
        ("shop.order", 1),
    ]
    run(change["id"])
    assert client.get(address).json()["deleted"] is True
    again = [
        client.delete(f"{ROWS}{large.pk}/?reason=asked+for+by+mail", headers={"Idempotency-Key": "d"}) for _ in "12"
    ]
    assert again[0].json()["id"] == again[1].json()["id"]
    assert_problem(client.delete(address, {"reason": "asked for by mail"}), 422, "empty_selection")


def test_history_pages_and_names_what_changed(client, auditor, client_of):
    with laying_out():
        order = personas.order(note="zero")
        for note in ("one", "two", "three"):
            Order.objects.filter(pk=order.pk).update(note=note)
    reader = client_of(auditor)
    page = reader.get(f"{ROWS}{order.pk}/history/?page_size=2").json()
    notes = [one["after"] for version in page["results"] for one in version["differences"]]
    assert notes == ["three", "two"]
    page = reader.get(page["next"]).json()
    assert [version["type"] for version in page["results"]] == ["~", "+"]
    first = {one["field"]: one["after"] for one in page["results"][-1]["differences"]}
    assert (first["note"], first["number"]) == ("zero", order.number)
    assert page["next"] is None


def test_events_are_filtered(client, operator):
    with laying_out():
        order = personas.order()
    change = delete_orders(client, [order.pk]).json()
    run(change["id"])
    actions = [one["action"] for one in client.get(change["links"]["events"]).json()["results"]]
    assert actions[-1] == "change.frozen"
    assert "change.done" in actions
    address = "/api/v1/events/"
    assert client.get(f"{address}?entity=shop.customer&action=insert").json()["results"][0]["operation"] == "+"
    asked = client.get(f"{address}?operator={operator.user_id}&action=change.frozen").json()["results"]
    assert [one["change"] for one in asked] == [change["id"]]
    assert_problem(client.get(f"{address}?change=x"), 400, "bad_parameter", "change")
    assert_problem(client.get(f"{address}?entity=nope"), 404, "unknown_entity")
    assert client.get(f"{address}?operator={'9' * 19}").status_code in (200, 400)


@pytest.mark.parametrize(
    ("address", "queries"),
    [(ROWS, 5), ("/api/v1/changes/", 5), ("/api/v1/tickets/", 6), ("/api/v1/events/", 5)],
)
def test_a_list_costs_the_same_for_one_row_and_for_many(client, address, queries):
    from django.db import connection

    with laying_out():
        rows = personas.orders(60)
    counts = []
    for amount in (1, 3):
        for _ in range(amount):
            delete_orders(client, [row.pk for row in rows[:12]])
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert client.get(address).json()["results"]
        counts.append(len([one for one in found.captured_queries if "SAVEPOINT" not in one["sql"]]))
    assert counts[0] == counts[1] <= queries + 1, counts
