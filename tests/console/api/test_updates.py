"""An update over the API: the same door, with what is set under `options`."""

from __future__ import annotations

from typing import Any

import pytest

from shop.models import Order
from tests.console.api.asking import REASON, assert_problem, laying_out, run
from tests.personas import order, orders

CHANGES = "/api/v1/changes/"


def body(keys: list[Any], options: Any, **more: Any) -> dict[str, Any]:
    asked = {"entity": "shop.order", "operation": "update", "selection": {"keys": keys}, "reason": REASON}
    return asked | {"options": options} | more


@pytest.fixture
def client(client_of: Any, operator: Any) -> Any:
    return client_of(operator)


def test_an_update_is_asked_for_run_and_told(client: Any) -> None:
    with laying_out():
        rows = [one.pk for one in orders(2, state="open")]
    answer = client.post(CHANGES, body(rows, {"set": {"state": "paid"}}))
    assert answer.status_code == 202, answer.content
    assert answer.json()["words"] == ["state becomes paid"]
    run(answer.json()["id"])
    with laying_out():
        assert set(Order.objects.values_list("state", flat=True)) == {"paid"}
    assert client.get(f"{CHANGES}{answer.json()['id']}/").json()["progress"]["parts"][0]["effect"] == "set"


def test_the_preview_takes_the_same_options(client: Any) -> None:
    with laying_out():
        rows = [one.pk for one in orders(2, state="open")]
    answer = client.post(f"{CHANGES}preview/", body(rows, {"set": {"state": "paid"}}) | {"reason": ""})
    assert answer.status_code == 400  # a preview has no reason
    asked = {key: value for key, value in body(rows, {"set": {"state": "paid"}}).items() if key != "reason"}
    answer = client.post(f"{CHANGES}preview/", asked)
    assert answer.json()["parts"] == [{"entity": "shop.order", "effect": "set", "rows": 2, "via": ""}]


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        (None, "nothing_to_set", "options.set"),
        ([], "bad_option", "options"),
        ({"set": {}}, "nothing_to_set", "options.set"),
        ({"set": {"state": "eaten"}}, "bad_value", "options.set.state"),
        ({"set": {"id": 3}}, "cannot_be_set", "options.set.id"),
        ({"set": {"colour": 3}}, "unknown_field", "options.set.colour"),
        ({"set": {"note": "x"}, "force": True}, "bad_option", "options.force"),
        ({"set": {"note": {"deep": [1]}}}, "bad_value", "options.set.note"),
        ({"set": {"note": "x"}, "including": "note"}, "bad_option", "options.including"),
    ],
)
def test_a_bad_option_names_its_place(client: Any, options: Any, code: str, field: str) -> None:
    with laying_out():
        one = order()
    assert_problem(client.post(CHANGES, body([one.pk], options)), 400, code, field)


def test_a_delete_takes_no_options(client: Any) -> None:
    with laying_out():
        one = order()
    sent = body([one.pk], {"set": {"note": "x"}}, operation="delete")
    assert_problem(client.post(CHANGES, sent), 400, "bad_option", "options.set")


def test_the_same_key_with_another_value_is_another_request(client: Any) -> None:
    with laying_out():
        one = order(state="open")
    headers = {"Idempotency-Key": "once"}
    first = client.post(CHANGES, body([one.pk], {"set": {"state": "paid"}}), headers=headers)
    again = client.post(CHANGES, body([one.pk], {"set": {"state": "paid"}}), headers=headers)
    assert first.json()["id"] == again.json()["id"]
    other = client.post(CHANGES, body([one.pk], {"set": {"state": "shipped"}}), headers=headers)
    assert_problem(other, 409, "request_key_reused")
