"""A new change in three steps: choose, look, say why."""

from __future__ import annotations

import uuid

import pytest

from approvals.models import Ticket
from changes.models import Change
from shop.models import Order
from tests.console.pages.scenes import REASON, no_change, only_change, work
from tests.personas import customer, order_with_items, orders

NEW = "/admin/changes/new/"


def typed(*rows: tuple[str, str, str], **more: str) -> dict[str, str]:
    form = {"entity": "shop.order", "operation": "delete", "mode": "conditions"}
    for n, (field, op, value) in enumerate(rows):
        form |= {f"f-{n}": field, f"o-{n}": op, f"v-{n}": value, f"g-{n}": "0"}
    return form | more


@pytest.fixture
def draft(operator, as_):
    """A draft of twelve open orders."""
    with work(operator):
        orders(12, state="open")
        orders(3, state="paid")
    answer = as_(operator).post(NEW, typed(("state", "eq", "open"), do="next"))
    assert answer.status_code == 302
    return only_change(operator)


def why(client, draft, key=None, **more):
    form = {"title": "Old ones", "reason": REASON, "request_key": str(key or uuid.uuid4()), "do": "ask"}
    return client.post(f"/admin/changes/{draft.pk}/why/", form | more)


def test_first_the_table_is_chosen(operator, as_):
    page = as_(operator).get(NEW).content.decode()
    assert "?entity=shop.order" in page


def test_an_unknown_table_is_not_found(operator, as_):
    assert as_(operator).get(NEW + "?entity=auth.user").status_code == 404


def test_buttons_of_the_form_write_nothing(operator, as_):
    client = as_(operator)
    for button, expected in (("add:0", 2), ("group", 2), ("refresh", 1)):
        answer = client.post(NEW, typed(("state", "eq", "open"), do=button))
        assert answer.status_code == 200
        assert sum(map(len, answer.context["form"].groups)) == expected
    assert no_change(operator)


def test_without_a_condition_there_is_no_way_on(operator, as_):
    answer = as_(operator).post(NEW, typed(do="next"))
    assert answer.status_code == 422
    assert "would take the whole table" in answer.content.decode()
    assert no_change(operator)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("total", "gt", "many"), "does not fit the field total"),
        (("nothing", "eq", "x"), "has no field “nothing”"),
        (("placed_at", "contains", "2023"), "is no comparison"),
        (("total", "gt", ""), "does not fit"),
    ],
)
def test_a_bad_condition_is_told_beside_its_line(row, words, operator, as_):
    answer = as_(operator).post(NEW, typed(row, do="next"))
    assert answer.status_code == 400 or answer.status_code == 422
    assert words in answer.content.decode()
    assert no_change(operator)


def test_hostile_values_come_back_escaped(operator, as_):
    page = as_(operator).post(NEW, typed(("total", "gt", '"><script>alert(1)</script>'), do="next")).content.decode()
    assert "<script>alert" not in page


def test_the_live_count_is_for_this_tenant(draft, operator, persona, as_):
    count = NEW + "count/"
    assert "<b>12</b>" in as_(operator).post(count, typed(("state", "eq", "open"))).content.decode()
    stranger = persona("operator", name="Stan Ger", tenant=2)
    assert "Nothing matches" in as_(stranger).post(count, typed(("state", "eq", "open"))).content.decode()
    assert "No count yet" in as_(operator).post(count, typed()).content.decode()


def test_the_look_counts_for_real_and_changes_nothing(draft, operator, as_):
    answer = as_(operator).get(f"/admin/changes/{draft.pk}/look/")
    assert answer.context["seen"].rows == 12
    assert answer.context["seen"].approvals == 1
    with work(operator):
        assert Order.objects.count() == 15
        assert not draft.parts.exists()


def test_the_look_shows_what_goes_along(operator, as_):
    with work(operator):
        kept = order_with_items(3, state="cancelled")
    client = as_(operator)
    client.post(NEW, typed(("state", "eq", "cancelled"), do="next"))
    seen = client.get(f"/admin/changes/{only_change(operator).pk}/look/").context["seen"]
    assert [(row.kind, row.rows) for row in seen.impact.rows] == [("selected", "1"), ("delete", "3")]
    assert seen.impact.total == "4"
    assert kept.number in [cell.text for cell in seen.sample.rows[0].cells]


def test_rows_that_stop_the_change_can_be_taken_along(operator, as_):
    with work(operator):
        someone = customer(name="Held")
        orders(2, customer=someone)
    client = as_(operator)
    client.post(NEW, {"entity": "shop.customer", "mode": "keys", "keys": str(someone.pk), "do": "next"})
    draft = only_change(operator)
    look = f"/admin/changes/{draft.pk}/look/"
    seen = client.get(look).context["seen"]
    assert [(stop.name, stop.rows) for stop in seen.stops] == [("shop.order.customer", 2)]
    assert "say why" in client.get(look).content.decode()
    assert f'href="/admin/changes/{draft.pk}/why/"' not in client.get(look).content.decode()
    client.post(look, {"also": "shop.order.customer"})
    seen = client.get(look).context["seen"]
    assert not seen.stops
    assert seen.rows == 3
    client.post(look, {"do": "none"})
    assert client.get(look).context["seen"].stops


def test_pasted_keys_are_reported_on(draft, operator, as_):
    with work(operator):
        known = list(Order.objects.values_list("pk", flat=True)[:3])
    keys = "\n".join(map(str, [*known, known[0], 999_999_999]))
    client = as_(operator)
    client.post(NEW, {"entity": "shop.order", "mode": "keys", "keys": keys, "do": "next"})
    page = client.get(f"/admin/changes/{only_change(operator, selection__has_key='keys').pk}/look/").content.decode()
    assert "3 rows found for 5 keys given." in page
    assert "1 key is not there: 999999999" in page
    assert "1 key was given again" in page


def test_nothing_matching_leads_nowhere(operator, as_):
    client = as_(operator)
    client.post(NEW, typed(("state", "eq", "open"), do="next"))
    page = client.get(f"/admin/changes/{only_change(operator).pk}/look/").content.decode()
    assert "Nothing matches" in page
    assert "/why/" not in page


def test_a_short_reason_is_refused_and_kept(draft, operator, as_):
    answer = why(as_(operator), draft, reason="too short")
    assert "at least 10 characters" in answer.context["reason_error"]
    assert ">too short</textarea>" in answer.content.decode()
    assert only_change(operator).state == "draft"


def test_above_the_threshold_a_ticket_is_opened(draft, operator, as_):
    client = as_(operator)
    assert client.get(f"/admin/changes/{draft.pk}/why/").context["button"] == "Freeze 12 rows and ask for approval"
    answer = why(client, draft)
    with work(operator):
        ticket = Ticket.objects.get()
    assert answer["Location"] == f"/admin/tickets/{ticket.pk}/"
    assert (ticket.title, ticket.change_id, ticket.state) == ("Old ones", draft.pk, "pending")


def test_below_the_threshold_it_starts_at_once(operator, as_):
    with work(operator):
        orders(4, state="paid")
    client = as_(operator)
    client.post(NEW, typed(("state", "eq", "paid"), do="next"))
    draft = only_change(operator)
    assert client.get(f"/admin/changes/{draft.pk}/why/").context["button"] == "Delete 4 rows now"
    answer = why(client, draft)
    assert answer["Location"] == f"/admin/changes/{draft.pk}/"
    assert only_change(operator).state == "running"


def test_a_double_click_asks_once(draft, operator, as_):
    client, key = as_(operator), uuid.uuid4()
    first, second = why(client, draft, key), why(client, draft, key)
    assert first["Location"] == second["Location"]
    with work(operator):
        assert Change.objects.count() == Ticket.objects.count() == 1


def test_a_draft_that_was_sent_cannot_be_sent_again(draft, operator, as_):
    client = as_(operator)
    why(client, draft)
    assert why(client, draft).status_code == 409
    assert client.get(f"/admin/changes/{draft.pk}/look/").status_code == 409


def test_a_draft_is_kept_and_found_again(operator, as_):
    client = as_(operator)
    answer = client.post(NEW, typed(("state", "eq", "open"), do="save"))
    draft = only_change(operator)
    assert answer["Location"] == f"/admin/changes/{draft.pk}/choose/"
    assert client.get(answer["Location"]).context["form"].groups[0][0].value == "open"
    assert draft.pk in [int(row.code[2:]) for row in client.get("/admin/tickets/?tab=mine").context["rows"]]
    client.post(f"/admin/changes/{draft.pk}/choose/", typed(("state", "eq", "paid"), do="next"))
    assert only_change(operator).selection["where"][0]["value"] == "paid"


@pytest.mark.parametrize("step", ["choose", "look", "why"])
def test_a_draft_is_its_authors_own(step, draft, engineer, auditor, as_):
    assert as_(engineer).get(f"/admin/changes/{draft.pk}/{step}/").status_code == 403
    assert as_(auditor).get(f"/admin/changes/{draft.pk}/{step}/").status_code == 403


def test_the_numbers_of_the_last_step_are_those_of_the_look(draft, operator, as_):
    client = as_(operator)
    look = client.get(f"/admin/changes/{draft.pk}/look/").context["seen"]
    with work(operator):
        orders(5, state="open")
    again = client.get(f"/admin/changes/{draft.pk}/why/").context["seen"]
    assert (again.rows, again.impact.total) == (look.rows, look.impact.total)


def test_a_draft_is_thrown_away_and_leaves_the_lists(draft, operator, as_):
    client = as_(operator)
    assert "Throw this draft away" in client.get(f"/admin/changes/{draft.pk}/look/").content.decode()
    page = client.post(f"/admin/changes/{draft.pk}/discard/", follow=True).content.decode()
    assert "The draft is thrown away." in page
    for tab in ("open", "mine", "closed", "all"):
        assert f"/admin/changes/{draft.pk}/" not in client.get(f"/admin/tickets/?tab={tab}").content.decode()
