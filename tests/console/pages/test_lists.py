"""Model lists: no counting, the bin, and the governed way out of them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.models import Customer
from tests.console.pages.scenes import ask, no_change, only_change, run, work
from tests.personas import customer, order, orders

LIST = "/admin/shop/order/"


def numbers(answer) -> list[str]:
    return [row.number for row in answer.context["cl"].result_list]


@pytest.fixture
def many(operator):
    with work(operator):
        return orders(120)


def test_pages_go_by_key_forwards_and_back(operator, many, as_):
    client = as_(operator)
    first = client.get(LIST)
    assert numbers(first) == [o.number for o in reversed(many[70:])]
    second = client.get(LIST + first.context["cl"].next_url)
    third = client.get(LIST + second.context["cl"].next_url)
    assert len(numbers(third)) == 20
    assert third.context["cl"].next_url is None
    back = client.get(LIST + third.context["cl"].previous_url)
    assert numbers(back) == numbers(second)
    start = client.get(LIST + back.context["cl"].previous_url)
    assert numbers(start) == numbers(first)
    assert start.context["cl"].previous_url is None


def test_no_list_counts_its_table(operator, many, as_):
    client = as_(operator)
    client.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    assert not [q["sql"] for q in queries if "COUNT(" in q["sql"].upper() and "shop_order" in q["sql"]]
    assert len(queries) <= 12, [q["sql"][:90] for q in queries]


def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_one(operator, as_):
    client = as_(operator)
    with work(operator):
        order()
    client.get(LIST)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    with work(operator):
        for _ in range(30):
            order()
    with CaptureQueriesContext(connection) as more:
        client.get(LIST)
    assert len(more) == len(few)


def test_nonsense_in_the_address_shows_the_first_page(operator, many, as_):
    for query in ("?after=x", "?before=-", "?after=99999999999999999999999", "?deleted=2", "?p=7"):
        answer = as_(operator).get(LIST + query, follow=True)
        assert answer.status_code == 200, query


def test_search_finds_a_key_or_a_beginning(operator, many, as_):
    client = as_(operator)
    assert numbers(client.get(LIST, {"q": str(many[5].pk)})) == [many[5].number]
    assert many[5].number in numbers(client.get(LIST, {"q": many[5].number.lower()}))
    assert numbers(client.get(LIST, {"q": "%"})) == []
    assert client.get(LIST, {"q": "\x00"}).status_code == 200


def test_deleted_rows_are_in_the_bin_and_nowhere_else(operator, many, as_):
    outcome = ask(operator, rows=many[:3])
    run(outcome.change, operator)
    client = as_(operator)
    assert not {o.number for o in many[:3]} & set(numbers(client.get(LIST + "?after=" + str(many[5].pk))))
    shown = client.get(LIST + "?deleted=1")
    assert set(numbers(shown)) == {o.number for o in many[:3]}
    assert "Recycle bin: orders" in shown.content.decode()
    page = client.get(f"{LIST}{many[0].pk}/change/").content.decode()
    assert "This row is deleted." in page
    assert 'name="_save"' not in page, "a deleted row is not edited"


def mark(client, url, rows, **more):
    posted = {"action": "ask_delete", "index": "0", "select_across": "0", "_selected_action": [row.pk for row in rows]}
    return client.post(url, posted | more)


def test_the_action_leads_to_a_draft_of_the_marked_rows(operator, many, as_):
    answer = mark(as_(operator), LIST, many[:4])
    draft = only_change(operator)
    assert answer["Location"] == f"/admin/changes/{draft.pk}/look/"
    assert draft.selection == {"keys": [str(o.pk) for o in many[:4]]}
    assert draft.state == "draft"


def test_all_matching_become_the_lists_filters(operator, many, as_):
    mark(as_(operator), LIST + "?state__exact=open", many[:1], select_across="1")
    assert only_change(operator).selection == {"where": [{"field": "state", "op": "eq", "value": "open"}]}


def test_all_found_by_a_search_become_keys(operator, many, as_):
    mark(as_(operator), LIST + f"?q={many[0].number}", many[:1], select_across="1")
    assert only_change(operator).selection == {"keys": [many[0].pk]}


def test_all_of_an_unfiltered_list_is_refused(operator, many, as_):
    answer = mark(as_(operator), LIST, many[:1], select_across="1")
    assert answer["Location"].startswith("/admin/changes/new/?entity=shop.order")
    assert no_change(operator)


def test_who_may_not_ask_has_no_action(approver, operator, as_):
    with work(operator):
        rows = orders(2)
    answer = as_(approver).get(LIST)
    assert "Delete…" not in answer.content.decode()
    mark(as_(approver), LIST, rows)
    assert no_change(operator)


def test_restoring_from_the_bin_asks_like_everything_else(operator, many, as_):
    run(ask(operator, rows=many[:3]).change, operator)
    mark(as_(operator), LIST + "?deleted=1", many[:2], action="ask_restore")
    draft = only_change(operator, state="draft")
    assert (draft.operation, draft.selection) == ("restore", {"keys": [str(o.pk) for o in many[:2]]})


def test_sensitive_fields_are_not_in_lists_nor_for_everybody_in_forms(operator, auditor, as_):
    with work(operator):
        someone = customer(phone="+49 30 1234567")
    assert someone.phone not in as_(auditor).get("/admin/shop/customer/").content.decode()
    assert someone.phone not in as_(auditor).get(f"/admin/shop/customer/{someone.pk}/change/").content.decode()
    assert someone.phone in as_(operator).get(f"/admin/shop/customer/{someone.pk}/change/").content.decode()


def test_a_row_can_be_edited_and_is_recorded_with_who(operator, as_):
    with work(operator):
        someone = customer()
    form = {
        "name": "New Name",
        "email": someone.email,
        "phone": "",
        "plan": "pro",
        "preferences": "{}",
        "labels": "",
        "notes": "",
    }
    answer = as_(operator).post(f"/admin/shop/customer/{someone.pk}/change/", form)
    assert answer.status_code == 302, answer.context["errors"]
    with work(operator):
        newest = Customer.history.filter(id=someone.pk).latest("history_id")
    assert (newest.name, newest.history_user_id) == ("New Name", operator.user_id)


def test_the_delete_link_of_a_row_chooses_that_row(operator, as_):
    with work(operator):
        one = order()
    page = as_(operator).get(f"{LIST}{one.pk}/change/").content.decode()
    assert f"/admin/changes/new/?entity=shop.order&amp;keys={one.pk}" in page
    assert (
        f">{one.pk}</textarea>"
        in as_(operator).get(f"/admin/changes/new/?entity=shop.order&keys={one.pk}").content.decode()
    )
