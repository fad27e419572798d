"""Going back to a snapshot on the pages: looked at by table, tables chosen, its name typed."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from audit.snapshots.taking import take
from shop.models import Customer, Order
from tests.changes.test_undo_events import sql
from tests.console.pages.scenes import REASON, no_change, only_change, run, work
from tests.personas import order, orders


@pytest.fixture
def past(real_db: Any, engineer: Any) -> tuple[list[Any], Any]:
    """Three orders and a snapshot; then one changed, one archived, one new."""
    with work(engineer):
        made = orders(3, note="as it was")
        shot = take("Before the March import", entities=[Order, Customer], actor=engineer)
        new = order(customer_=made[0].customer)
    sql(
        engineer,
        f"UPDATE shop_order SET note = 'slip' WHERE id = {made[0].pk}",
        f"UPDATE shop_order SET is_deleted = true, deleted_at = now() WHERE id = {made[1].pk}",
    )
    return [*made, new], shot


def page_of(shot: Any) -> str:
    return f"/admin/snapshots/{shot.pk}/rollback/"


def form_of(shot: Any, seen: str, **more: Any) -> dict[str, Any]:
    """What is sent when all tables are chosen and everything is filled in."""
    return {
        "entity": ["shop.order", "shop.customer"],
        "reason": REASON,
        "code": shot.name,
        "request_key": str(uuid.uuid4()),
        "do": "ask",
        "seen": seen,
    } | more


def roll_back(client: Any, shot: Any, **more: Any) -> Any:
    """Fill in the form as it is shown, and press the button."""
    return client.post(page_of(shot), form_of(shot, client.get(page_of(shot)).context["seen"], **more))


def alive(engineer: Any) -> list[tuple[int, str]]:
    with work(engineer):
        return list(Order.objects.order_by("pk").values_list("pk", "note"))


def test_it_shows_what_changes_per_table_before_it_asks(past, engineer, as_):
    _, shot = past
    page = as_(engineer).get(page_of(shot))
    words = page.context["undo"]
    assert words.button == "Roll back 3 rows"
    assert [(row.name, row.pill.text, row.rows) for row in words.impact.rows] == [
        ("Orders", "put back to an earlier version", "2"),
        ("Orders", "added since, archived", "1"),
    ]
    assert {one["label"]: (one["rows"], one["same"]) for one in page.context["tables"]} == {
        "shop.order": ("3", False),
        "shop.customer": ("", True),
    }
    assert "Nothing stands in the way." in page.content.decode()
    assert no_change(engineer)


def test_an_engineer_goes_back_and_the_change_names_the_snapshot(past, engineer, as_):
    made, shot = past
    client = as_(engineer)
    answer = roll_back(client, shot)
    assert answer.status_code == 302
    change = only_change(engineer, operation="rollback")
    assert answer["Location"] == f"/admin/changes/{change.pk}/"
    before = client.get(answer["Location"]).content.decode()
    assert "Rolling back 3 rows" in before
    assert "What goes back" in before
    run(change, engineer)
    assert alive(engineer) == [(row.pk, "as it was") for row in made[:3]]
    after = client.get(answer["Location"]).content.decode()
    assert "3 rows rolled back and verified" in after
    assert f'Goes back to the snapshot <a href="/admin/snapshots/{shot.pk}/">Before the March import</a>' in after
    assert "brought the tables back to that state" in after
    assert "What was to go back" in after


def test_the_same_form_sent_twice_asks_once(past, engineer, as_):
    _, shot = past
    client, key = as_(engineer), str(uuid.uuid4())
    seen = client.get(page_of(shot)).context["seen"]
    first, second = (client.post(page_of(shot), form_of(shot, seen, request_key=key)) for _ in range(2))
    assert first["Location"] == second["Location"]


def test_when_nothing_differs_there_is_nothing_to_press(past, engineer, as_):
    _, shot = past
    client = as_(engineer)
    roll_back(client, shot)
    run(only_change(engineer, operation="rollback"), engineer)
    page = client.get(page_of(shot))
    assert "Everything is as it was then." in page.content.decode()
    assert page.context["blocked"]
    assert 'value="ask"' not in page.content.decode()
    answer = client.post(page_of(shot), form_of(shot, page.context["seen"]), follow=True)
    assert "Nothing was asked for: everything is as it was then." in answer.content.decode()
    only_change(engineer, operation="rollback")


def test_the_name_is_typed_and_a_reason_given(past, engineer, as_):
    _, shot = past
    client = as_(engineer)
    answer = roll_back(client, shot, code="monday")
    assert answer.status_code == 422
    assert "That is not Before the March import." in answer.content.decode()
    answer = roll_back(client, shot, reason="no")
    assert answer.status_code == 400
    assert "at least 10 characters" in answer.content.decode()
    assert no_change(engineer)


def test_chosen_tables_go_back_alone_and_are_looked_at_first(past, engineer, as_):
    _, shot = past
    client = as_(engineer)
    answer = roll_back(client, shot, entity=["shop.customer"])
    assert answer.status_code == 422
    assert "You changed what goes back after you had looked at it." in answer.content.decode()
    assert answer.context["blocked"], "the customers are as they were"
    page = client.post(page_of(shot), form_of(shot, "", entity=["shop.order"], do="look"))
    client.post(page_of(shot), form_of(shot, page.context["seen"], entity=["shop.order"]))
    assert only_change(engineer).options["entities"] == ["shop.order"]


def test_without_a_table_nothing_can_be_asked(past, engineer, as_):
    _, shot = past
    page = as_(engineer).post(page_of(shot), form_of(shot, "", entity=[]))
    assert "Choose at least one table." in page.content.decode()
    assert page.context["blocked"]
    assert no_change(engineer)


def test_conflicts_stand_by_class_with_a_rule_each(past, engineer, as_):
    made, shot = past
    sql(engineer, f"UPDATE shop_order SET number = 'MOVED' WHERE id = {made[0].pk}")
    with work(engineer):
        order(number=made[0].number, customer_=made[0].customer)
    client = as_(engineer)
    words = client.get(page_of(shot)).context["undo"]
    assert [(one.name, one.count) for one in words.classes] == [("unique_taken", "1")]
    stop = {"rule-unique_taken": "abort"}
    page = client.post(page_of(shot), form_of(shot, "", do="look", **stop))
    assert page.context["blocked"]
    assert "Nothing goes back while these rows are in conflict." in page.content.decode()
    client.post(page_of(shot), form_of(shot, page.context["seen"], **stop))
    assert no_change(engineer)


@pytest.mark.parametrize("role", ["operator", "approver", "auditor"])
def test_only_engineers_see_the_way_back(past, role, engineer, request, as_):
    _, shot = past
    one = f"/admin/snapshots/{shot.pk}/"
    assert page_of(shot) in as_(engineer).get(one).content.decode()
    client = as_(request.getfixturevalue(role))
    assert page_of(shot) not in client.get(one).content.decode()
    assert client.get(page_of(shot)).status_code == 403
    assert client.post(page_of(shot), form_of(shot, "")).status_code == 403
    assert no_change(engineer)


def test_for_an_outsider_there_is_no_snapshot(past, outsider, persona, as_):
    _, shot = past
    for one in (outsider, persona("engineer", name="Lena Vogt", tenant=2)):
        assert as_(one).get(page_of(shot)).status_code == 404
        assert as_(one).post(page_of(shot), form_of(shot, "")).status_code == 404
