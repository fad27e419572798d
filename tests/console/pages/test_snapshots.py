"""Snapshots on the pages: the list, taking one, the page of one, two states compared."""

from __future__ import annotations

import pytest

from audit.models import Snapshot
from audit.snapshots import ticks
from audit.snapshots.taking import take
from shop.models import Customer, Order
from tests.console.pages.scenes import work
from tests.personas import customer, orders

LIST, NEW, COMPARE = "/admin/snapshots/", "/admin/snapshots/new/", "/admin/snapshots/compare/"


@pytest.fixture
def past(real_db, operator):
    """Thirty orders and a snapshot; then one changed, one deleted, one new."""
    with work(operator):
        made = orders(30, note="as it was")
        shot = take("monday", entities=[Order, Customer], actor=operator, note="before the import", measured=True)
        Order.objects.filter(pk=made[0].pk).update(note="other", total="3.50")
        Order.objects.filter(pk=made[1].pk).update(is_deleted=True)
        made += orders(1)
    return made, shot


def test_the_list_tells_what_each_holds_and_pages_on(past, operator, as_):
    with work(operator):
        for number in range(26):
            take(f"s{number}", entities=[Order], actor=operator)
    client = as_(operator)
    first = client.get(LIST)
    assert [row.name for row in first.context["rows"]][:2] == ["s25", "s24"]
    second = client.get(LIST + first.context["older"])
    row = second.context["rows"][-1]
    assert (row.name, row.tables, row.rows, row.kept) == ("monday", "Orders, Customers", "31", "for good")
    assert not second.context["older"]
    assert client.get(LIST + "?kind=daily").context["rows"] == []
    assert "/admin/snapshots/" in first.content.decode()


def test_one_is_taken_and_shown(real_db, operator, as_):
    with work(operator):
        customer()
    client = as_(operator)
    assert client.get(NEW).status_code == 200
    answer = client.post(NEW, {"name": "monday", "entity": ["shop.customer"], "note": "n"}, follow=True)
    assert answer.status_code == 200
    assert [(t.name, t.rows, t.measured.tone) for t in answer.context["tables"]] == [("Customers", "1", "ok")]
    assert "Compare with now" in answer.content.decode()


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"name": "x"}, 400, "at least one table"),
        ({"name": "", "entity": ["shop.order"]}, 400, "needs a name"),
        ({"name": "x", "entity": ["shop.order"], "kept_until": "2001-01-01"}, 400, "another day"),
        ({"name": "x", "entity": ["shop.order"], "kept_until": "soon"}, 400, "another day"),
        ({"name": "x", "entity": ["auth.user"]}, 404, "no governed table"),
    ],
)
def test_what_is_refused_keeps_what_was_typed(real_db, operator, as_, form, status, said):
    answer = as_(operator).post(NEW, form | {"note": "typed already"})
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert "typed already" in answer.content.decode()
    with work(operator):
        assert not Snapshot.objects.exists()


def test_a_snapshot_is_held_and_kept(past, operator, as_):
    _, shot = past
    client = as_(operator)
    client.post(f"{LIST}{shot.pk}/keep/", {"hold": "1", "kept_until": "2199-05-06"})
    with work(operator):
        shot.refresh_from_db()
        assert (shot.hold, f"{shot.kept_until:%Y-%m-%d}") == (True, "2199-05-06")
    answer = client.post(f"{LIST}{shot.pk}/keep/", {"kept_until": "2001-01-01"}, follow=True)
    assert "another day" in answer.content.decode()
    with work(operator):
        shot.refresh_from_db()
        assert shot.hold


def test_two_states_are_compared_by_class_and_field(past, operator, as_):
    made, shot = past
    client = as_(operator)
    whole = client.get(COMPARE, {"entity": "shop.order", "a": shot.pk, "b": "now"})
    assert [(one.text, one.count) for one in whole.context["classes"]] == [
        ("All differences", "3"), ("Only in A", "1"), ("Only in B", "1"), ("Changed", "1"),
    ]  # fmt: skip
    assert {(one.text, one.count) for one in whole.context["fields"]} == {("Note", "1"), ("Total", "1")}
    assert [row.key for row in whole.context["rows"]] == [str(made[i].pk) for i in (0, 1, 30)]
    shown = whole.content.decode()
    assert "as it was" in shown
    assert "other" in shown
    for one, index in ((whole.context["classes"][1], 1), (whole.context["fields"][0], 0)):
        assert [row.key for row in client.get(COMPARE + one.url).context["rows"]] == [str(made[index].pk)]
    back = client.get(COMPARE + whole.context["swap"])
    assert [one.count for one in back.context["classes"]] == ["3", "1", "1", "1"]
    assert back.context["rows"][1].pill.text == "only in B"


def test_pages_of_a_comparison_go_by_key(past, operator, as_):
    made, shot = past
    with work(operator):
        for row in made:
            Order.objects_and_deleted.filter(pk=row.pk).update(note="all", is_deleted=False)
    client = as_(operator)
    first = client.get(COMPARE, {"entity": "shop.order", "a": shot.pk, "b": "now"})
    second = client.get(COMPARE + first.context["next"])
    keys = [row.key for page in (first, second) for row in page.context["rows"]]
    assert keys == [str(row.pk) for row in made]
    assert client.get(COMPARE + second.context["first"]).context["rows"] == first.context["rows"]


def test_a_moment_says_which_moment_it_really_is(past, operator, as_):
    tick = ticks.tick()
    answer = as_(operator).get(COMPARE, {"entity": "shop.order", "a_at": "2199-01-01T00:00:00", "b": "now"})
    assert f"{tick.at:%H:%M:%S}" in answer.context["side_a"]
    assert answer.context["classes"][0].count == "0"


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"a": "99999"}, 404, "no snapshot"),
        ({"a": "x"}, 400, "names no state"),
        ({"a_at": "2001-01-01T00:00"}, 400, "recording began"),
        ({"a": "now", "kind": "same"}, 400, "nothing a comparison tells apart"),
    ],
)
def test_what_means_no_state_is_said_above_the_form(past, operator, as_, query, status, said):
    answer = as_(operator).get(COMPARE, {"entity": "shop.order"} | query)
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert "Compare two states" in answer.content.decode()


def test_sensitive_fields_are_named_and_not_shown(real_db, operator, auditor, as_):
    with work(operator):
        someone = customer(phone="0123456")
        shot = take("x", entities=[Customer], actor=operator)
        Customer.objects.filter(pk=someone.pk).update(phone="0987654")
    for who, visible in ((operator, True), (auditor, False)):
        shown = as_(who).get(COMPARE, {"entity": "shop.customer", "a": shot.pk}).content.decode()
        assert ("0123456" in shown, "not shown to you" in shown) == (visible, not visible)


def test_who_may_look_and_who_may_take(past, auditor, administrator, persona, as_):
    _, shot = past
    looking = as_(auditor)
    page = looking.get(f"{LIST}{shot.pk}/").content.decode()
    assert "Keep it" not in page
    assert "Take a snapshot" not in looking.get(LIST).content.decode()
    refused = [looking.get(NEW), looking.post(f"{LIST}{shot.pk}/keep/"), looking.post(f"{LIST}{shot.pk}/measure/")]
    refused += [as_(administrator).get(address) for address in (LIST, COMPARE, f"{LIST}{shot.pk}/")]
    assert [answer.status_code for answer in refused] == [403] * 6
    stranger = as_(persona("operator", name="Else Where", tenant=2))
    assert stranger.get(f"{LIST}{shot.pk}/").status_code == 404
    assert stranger.get(COMPARE, {"entity": "shop.order", "a": shot.pk}).status_code == 404


def test_columns_that_changed_since_are_told(past, operator, as_, real_db):
    _, shot = past
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'; ALTER TABLE audit_snapshottable DISABLE TRIGGER custody_once")
        owner.execute("UPDATE audit_snapshottable SET columns = columns - 0 WHERE entity = 'shop.order'")
    shown = as_(operator).get(f"{LIST}{shot.pk}/").context["tables"]
    assert [one.moved for one in shown] == ["Columns have changed since: new is_deleted, gone –.", ""]
