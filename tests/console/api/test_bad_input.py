"""Whatever is sent, the answer is a problem with a code, and nothing is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from changes.models import Change
from tests import personas
from tests.console.api.asking import REASON, assert_problem, delete_orders, laying_out

pytestmark = pytest.mark.django_db
CHANGES = "/api/v1/changes/"


@pytest.fixture
def client(operator, client_of):
    return client_of(operator)


def _raw(client: Any, raw: str | bytes, content_type: str = "application/json", address: str = CHANGES) -> Any:
    return client.generic("POST", address, raw, content_type=content_type)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("{", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        ('{"reason": NaN}', "malformed_json"),
        ('{"reason": 1e999}', "malformed_json"),
        ('{"reason": ' + "9" * 5000 + "}", "malformed_json"),
        ("[" * 25 + "]" * 25, "too_deep"),
        ("[" * 100_000 + "]" * 100_000, "too_deep"),
        ('{"reason": "a\\u0000b"}', "unstorable_text"),
        ('{"a\\u0000": 1}', "unstorable_text"),
        ('{"reason": "\\ud800"}', "unstorable_text"),
        ("[]", "invalid_fields"),
        ("null", "invalid_fields"),
        ("{}", "invalid_fields"),
        ('{"reasn": "x"}', "invalid_fields"),
        ('{"entity": 5, "operation": true, "selection": {}}', "invalid_fields"),
        ('{"entity": null, "operation": "delete", "selection": {}}', "invalid_fields"),
        ('{"entity": "shop.order", "operation": "delete", "selection": {}, "cascade_also": "x"}', "invalid_fields"),
    ],
)
def test_a_body_that_cannot_be_read(client, raw, code):
    assert_problem(_raw(client, raw), 400, code)
    with laying_out():
        assert not Change.objects.exists()


def test_every_fault_is_named_at_once(client):
    problem = assert_problem(_raw(client, '{"entity": 5, "operation": true}'), 400, "invalid_fields")
    assert {error["field"] for error in problem["errors"]} == {"entity", "operation", "selection"}


@pytest.mark.parametrize(
    ("selection", "status", "code"),
    [
        ({}, 422, "whole_table"),
        ({"where": []}, 422, "whole_table"),
        ({"keys": []}, 422, "empty_selection"),
        ({"keys": [10**9]}, 422, "empty_selection"),
        ({"keys": [10**30]}, 400, "bad_value"),
        ({"keys": ["abc"]}, 400, "bad_value"),
        ({"keys": [None]}, 400, "bad_value"),
        ({"keys": [{}]}, 400, "bad_value"),
        ({"keys": 5}, 400, "bad_selection"),
        ({"keys": list(range(100_001))}, 400, "too_many_keys"),
        (None, 400, "invalid_fields"),
        ("all", 400, "bad_selection"),
        ({"all": True}, 400, "bad_selection"),
        ({"where": [{"field": "nope", "op": "eq", "value": 1}]}, 400, "unknown_field"),
        ({"where": [{"field": "tenant_id", "op": "eq", "value": 2}]}, 400, "unknown_field"),
        ({"where": [{"field": "customer__name", "op": "eq", "value": "x"}]}, 400, "unknown_field"),
        ({"where": [{"field": "number", "op": "regex", "value": "x"}]}, 400, "unknown_lookup"),
        ({"where": [{"field": "number", "op": ["eq"], "value": "x"}]}, 400, "unknown_lookup"),
        ({"where": [{"field": "placed_at", "op": "lt", "value": "yesterday"}]}, 400, "bad_value"),
        ({"where": [{"field": "total", "op": "lt", "value": {"a": 1}}]}, 400, "bad_value"),
        ({"where": [{"field": "total", "op": "between", "value": [1]}]}, 400, "bad_value"),
        ({"where": [5]}, 400, "bad_selection"),
    ],
)
def test_a_selection_that_cannot_be_used(client, selection, status, code):
    body = {"entity": "shop.order", "operation": "delete", "selection": selection, "reason": REASON}
    assert_problem(client.post(CHANGES, body), status, code)
    if selection is not None:
        body.pop("reason")
        if code != "empty_selection" or selection["keys"] == []:
            assert_problem(client.post(f"{CHANGES}preview/", body), status, code)


def test_unknown_entity_operation_relation_and_missing_reason(client):
    with laying_out():
        keys = [personas.order().pk]
    assert_problem(delete_orders(client, keys, entity="shop.nope"), 404, "unknown_entity", "entity")
    assert_problem(delete_orders(client, keys, entity="auth.user"), 404, "unknown_entity", "entity")
    assert_problem(delete_orders(client, keys, operation="drop"), 400, "unknown_operation", "operation")
    assert_problem(delete_orders(client, keys, operation="undo"), 400, "own_address", "operation")
    assert_problem(delete_orders(client, keys, cascade_also=["shop.x.y"]), 400, "invalid_fields", "cascade_also")
    assert_problem(delete_orders(client, keys, reason=""), 400, "reason_missing", "reason")
    assert_problem(delete_orders(client, keys, reason="   short   "), 400, "reason_missing", "reason")
    key = {"Idempotency-Key": "k" * 256}
    assert_problem(delete_orders(client, keys, headers=key), 400, "bad_parameter", "Idempotency-Key")


def test_protected_rows_are_a_conflict_that_names_the_way(client):
    with laying_out():
        order = personas.order()
    body = {"entity": "shop.customer", "selection": {"keys": [order.customer_id]}}
    problem = assert_problem(delete_orders(client, [], **body), 409, "protected_rows")
    assert problem["facts"]["relation"] == "shop.order.customer"
    assert delete_orders(client, [], **body, cascade_also=["shop.order.customer"]).status_code in (201, 202)


def test_a_hundred_thousand_pasted_keys_work_and_are_reported(client):
    with laying_out():
        known = [order.pk for order in personas.orders(20)]
    with laying_out(tenant=2):
        strangers = [order.pk for order in personas.orders(3)]
    unknown = list(range(10**12, 10**12 + 99_967))
    keys = [*known, *strangers, *unknown, *known[:10]]
    assert len(keys) == 100_000
    answer = delete_orders(client, keys)
    assert answer.status_code == 201, answer.content[:500]
    report = answer.json()["keys"]
    assert (report["given"], report["found"], report["repeated"]) == (100_000, 20, 10)
    assert report["unknown"] == 99_970
    assert len(report["unknown_sample"]) == 5


def test_a_body_over_the_limit_is_refused_whatever_its_header_says(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert_problem(_raw(client, json.dumps({"reason": "x" * 2_000})), 413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_only_json_is_read(client, kind):
    assert_problem(_raw(client, "x=1", kind), 415, "unsupported_media_type")


def test_methods_formats_and_addresses(client):
    assert_problem(client.put(CHANGES, {}), 405, "method_not_allowed")
    assert_problem(client.delete("/api/v1/me/"), 405, "method_not_allowed")
    assert_problem(client.get(CHANGES, headers={"Accept": "text/html"}), 406, "not_acceptable")
    for address in (
        "/api/",
        "/api/v1/nope/",
        "/api/v1/changes",
        f"/api/v1/changes/{'9' * 5000}/",
        "/api/v1/changes/x/",
    ):
        assert_problem(client.get(address), 404, "not_found")
        assert_problem(client.post(address, {}), 404, "not_found")
    assert_problem(client.get(f"/api/v1/changes/{10**30}/"), 404, "change_not_found")
    assert_problem(client.get(f"/api/v1/tickets/{10**30}/"), 404, "ticket_not_found")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("page_size=0", "bad_parameter", "page_size"),
        ("page_size=101", "bad_parameter", "page_size"),
        ("page_size=²", "bad_parameter", "page_size"),
        ("page_size=" + "9" * 5000, "bad_parameter", "page_size"),
        ("cursor=nonsense", "bad_cursor", "cursor"),
        ("cursor=%C3%A4", "bad_cursor", "cursor"),
        ("cursor=WyJ4Il0", "bad_cursor", "cursor"),
        ("cursor=WzFlNDAwXQ", "bad_cursor", "cursor"),
        ("state=nope", "bad_parameter", "state"),
        ("operation=nope", "bad_parameter", "operation"),
        ("mine=yes", "bad_parameter", "mine"),
        ("state=%00", "unstorable_text", "state"),
        ("stat=done", "unknown_parameter", "stat"),
    ],
)
def test_parameters_that_do_not_fit(client, query, code, field):
    assert_problem(client.get(f"{CHANGES}?{query}"), 400, code, field)


def test_a_fault_of_ours_is_recorded_and_says_nothing(operator, client_of, monkeypatch, caplog):
    from console.api import changes

    client = client_of(operator)
    client.raise_request_exception = False
    monkeypatch.setattr(changes, "progress", lambda change: 1 / 0)
    with laying_out():
        order = personas.order()
    problem = assert_problem(delete_orders(client, [order.pk]), 500, "internal_error")
    assert problem["request_id"]
    assert "ZeroDivisionError" in caplog.text


def test_a_lost_database_is_unavailable(operator, client_of, monkeypatch):
    from django.db import OperationalError

    from console.api import changes

    def lost(view: Any) -> Any:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(changes, "visible", lost)
    answer = client_of(operator).get(CHANGES)
    assert_problem(answer, 503, "unavailable")
    assert answer["Retry-After"]
