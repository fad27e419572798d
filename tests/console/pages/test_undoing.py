"""Undoing on the pages: conflicts by class with a rule each, a part of it, statements that no change made."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from changes.models import Change
from shop.models import Order
from tests.changes.test_undo_events import sql
from tests.console.pages.scenes import REASON, approve, ask, no_change, only_change, run, work
from tests.personas import order, order_with_items, orders


@pytest.fixture
def done(operator):
    """A small change that needed no ticket, finished."""
    return run(ask(operator, 4).change, operator)


def page_of(change):
    return f"/admin/changes/{change.pk}/undo/"


def look(client, address, **form):
    return client.post(address, {"do": "look"} | form)


def undo(client, change, *, seen: str | None = None, **more):
    """Fill in the form as it is shown, and press the button."""
    address = page_of(change)
    shown = client.get(address) if seen is None else None
    mark = seen if shown is None else (shown.context or {}).get("seen", "")
    form = {"reason": REASON, "code": f"C-{change.pk}", "request_key": str(uuid.uuid4()), "do": "ask", "seen": mark}
    return client.post(address, form | more)


def undo_by(client, address, code, **form):
    """Choose, look, ask: what a person does."""
    shown = look(client, address, **form)
    sent = {"reason": REASON, "code": code, "do": "ask", "seen": shown.context["seen"]}
    return client.post(address, form | sent)


def test_undo_shows_what_comes_back_before_it_asks(done, operator, as_):
    page = as_(operator).get(f"/admin/changes/{done.pk}/undo/")
    assert page.context["undo"].button == "Undo 4 rows"
    assert "No newer work stands in the way." in page.content.decode()
    with work(operator):
        assert Change.objects.count() == 1


def test_undo_needs_the_typed_id_and_a_reason(done, operator, as_):
    answer = undo(as_(operator), done, code="C-0")
    assert answer.status_code == 422
    assert f"That is not C-{done.pk}." in answer.content.decode()
    answer = undo(as_(operator), done, reason="no")
    assert "at least 10 characters" in answer.content.decode()
    with work(operator):
        assert Change.objects.count() == 1


def test_an_undo_is_a_change_of_its_own(done, operator, as_):
    client, key = as_(operator), str(uuid.uuid4())
    first, second = undo(client, done, request_key=key), undo(client, done, request_key=key)
    assert first["Location"] == second["Location"]
    undoing = only_change(operator, operation="undo")
    run(undoing, operator)
    with work(operator):
        assert Order.objects.count() == 4
    page = client.get(f"/admin/changes/{undoing.pk}/").content.decode()
    assert "4 rows brought back and verified" in page
    assert f"/admin/changes/{done.pk}/" in page
    assert f"/admin/changes/{undoing.pk}/" in client.get(f"/admin/changes/{done.pk}/").content.decode()


def test_conflicts_are_listed_before_the_undo(done, operator, as_):
    with work(operator):
        gone = Order.deleted.order_by("pk").first()
        orders(1, customer=gone.customer)
        twin = Order.objects.get()
        Order.objects.filter(pk=twin.pk).update(number=gone.number)
    page = as_(operator).get(f"/admin/changes/{done.pk}/undo/")
    assert page.context["undo"].conflicts.startswith("1 row is in conflict")
    assert page.context["undo"].button == "Undo 3 rows"
    assert "A unique value is taken by another row" in page.content.decode()


@pytest.mark.parametrize("role", ["approver", "auditor"])
def test_undo_is_not_for_those_who_decide_or_look(done, role, request, as_):
    client = as_(request.getfixturevalue(role))
    assert client.get(page_of(done)).status_code == 403
    assert undo(client, done, seen="").status_code == 403


def test_for_an_outsider_there_is_nothing_to_undo(done, outsider, as_):
    assert as_(outsider).get(page_of(done)).status_code == 404


def test_what_never_ran_cannot_be_undone(operator, approver, as_):
    cleared = ask(operator)
    approve(cleared, approver)
    answer = as_(operator).get(f"/admin/changes/{cleared.change.pk}/undo/", follow=True)
    assert "this can only be done while it is" in answer.content.decode()


# -- rules ---------------------------------------------------------------------------------------


@pytest.fixture
def slip(real_db, operator) -> Any:
    """Three orders, note and total set by one statement; somebody changed the notes of two since."""
    with work(operator):
        made = orders(3, note="as it was", total="1.00")
    events = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0")
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id IN ({made[0].pk}, {made[1].pk})")
    return made, f"/admin/statements/undo/?events={events[0]}", str(events[0])


def content(operator, made) -> list[tuple[str, str]]:
    with work(operator):
        return [(row.note, str(row.total)) for row in Order.objects.filter(pk__in=[r.pk for r in made]).order_by("pk")]


def posted(address: str) -> tuple[str, dict[str, str]]:
    """The form's own address, and what it carries along."""
    path, _, query = address.partition("?")
    return path, dict(pair.split("=") for pair in query.split("&"))


def test_conflicts_stand_by_class_with_their_count_and_their_rules(slip, operator, as_):
    _, address, _ = slip
    words = as_(operator).get(address).context["undo"]
    assert [(one.name, one.count, len(one.rows)) for one in words.classes] == [("changed_since", "2", 2)]
    assert [option.value for option in words.classes[0].options] == ["skip", "keep_theirs", "force", "abort"]
    assert words.classes[0].outcome == "2 rows stay as they are."
    assert {one.name for one in words.others} >= {"unique_taken", "key_reused", "dependants"}


@pytest.mark.parametrize(
    ("rule", "button", "outcome"),
    [
        ("skip", "Undo 1 row", "2 rows stay as they are."),
        ("keep_theirs", "Undo 3 rows", "2 rows come back, except for the fields that somebody changed."),
        ("force", "Undo 3 rows", "2 rows come back all the same."),
        ("abort", "Undo 1 row", "Nothing is undone while these rows are in conflict."),
    ],
)
def test_another_rule_shows_at_once_what_it_does(slip, operator, as_, rule, button, outcome):
    path, carried = posted(slip[1])
    words = look(as_(operator), path, **carried, **{"rule-changed_since": rule}).context["undo"]
    assert (words.button, words.classes[0].outcome) == (button, outcome)
    assert words.conflicts.startswith("2 rows are in conflict"), "the conflicts are there whatever the rule"


def test_force_says_that_another_person_has_to_approve_and_waits_for_them(slip, operator, approver, as_):
    made, address, code = slip
    path, carried = posted(address)
    form = carried | {"rule-changed_since": "force"}
    shown = look(as_(operator), path, **form).content.decode()
    assert "It overwrites newer work, so 1 other person has to approve it first." in shown
    answer = undo_by(as_(operator), path, code, **form)
    assert answer["Location"].startswith("/admin/tickets/")
    page = as_(approver).get(answer["Location"]).content.decode()
    assert "Conflict “changed since”: Bring them back all the same." in page
    assert f"Statement {code}" in page
    assert content(operator, made)[0] == ("by hand", "0.00")


def test_keep_theirs_is_carried_out_and_told_on_the_change(slip, operator, as_):
    made, address, code = slip
    path, carried = posted(address)
    undo_by(as_(operator), path, code, **carried, **{"rule-changed_since": "keep_theirs"})
    undoing = run(only_change(operator), operator)
    assert content(operator, made) == [("by hand", "1.00"), ("by hand", "1.00"), ("as it was", "1.00")]
    page = as_(operator).get(f"/admin/changes/{undoing.pk}/").content.decode()
    assert "Keep their fields, bring back the others" in page
    assert "Changed 3 rows of orders" in page


def test_a_rule_to_stop_locks_the_button_and_the_engine_refuses_it_too(slip, operator, as_):
    path, carried = posted(slip[1])
    form = carried | {"rule-changed_since": "abort"}
    shown = look(as_(operator), path, **form)
    assert shown.context["blocked"]
    assert "By your rule this stops: changed since." in shown.content.decode()
    answer = undo_by(as_(operator), path, slip[2], **form)
    assert answer.status_code == 409
    assert "the rule for them is to stop" in answer.content.decode()
    assert no_change(operator)


def test_what_was_not_looked_at_is_not_asked_for(slip, operator, as_):
    """Without script a rule can be changed after the look; the button then shows first what it would do."""
    path, carried = posted(slip[1])
    client = as_(operator)
    seen = look(client, path, **carried).context["seen"]
    form = carried | {"rule-changed_since": "force", "reason": REASON, "code": slip[2], "do": "ask", "seen": seen}
    answer = client.post(path, form)
    assert answer.status_code == 422
    assert "Look at what it would do now, then ask again." in answer.content.decode()
    assert no_change(operator)
    assert client.post(path, form | {"seen": answer.context["seen"]}).status_code == 302


# -- a part --------------------------------------------------------------------------------------


def test_rows_are_chosen_by_key(done, operator, as_):
    with work(operator):
        first = Order.deleted.order_by("pk").first()
    form = {"scope": "part", "t0-table": "shop.order", "t0-rows": "keys", "t0-keys": str(first.pk)}
    client = as_(operator)
    assert look(client, page_of(done), **form).context["undo"].button == "Undo 1 row"
    undo_by(client, page_of(done), f"C-{done.pk}", **form)
    undoing = run(only_change(operator, operation="undo"), operator)
    with work(operator):
        assert [row.pk for row in Order.objects.all()] == [first.pk]
    assert (
        f"Only a part: orders with the keys {first.pk}." in client.get(f"/admin/changes/{undoing.pk}/").content.decode()
    )


def test_rows_are_chosen_by_condition_and_a_wrong_value_is_said_beside_its_line(done, operator, as_):
    client, address = as_(operator), page_of(done)
    form = {"scope": "part", "t0-table": "shop.order", "t0-rows": "conditions", "t0-f-0": "total", "t0-o-0": "gt"}
    wrong = look(client, address, **form, **{"t0-v-0": "much"})
    assert "“much”" in wrong.context["tables"][0]["form"].groups[0][0].error
    assert wrong.context["blocked"]
    assert look(client, address, **form, **{"t0-v-0": "100"}).context["undo"].nothing


def test_fields_are_chosen_by_their_boxes(slip, operator, as_):
    made, address, code = slip
    path, carried = posted(address)
    shown = look(as_(operator), path, **carried, scope="part")
    assert [name for name, _, chosen in shown.context["tables"][0]["fields"] if chosen] == ["total", "note"]
    form = carried | {"scope": "part", "t0-table": "shop.order", "t0-boxes": "1", "t0-field": "total"}
    undo_by(as_(operator), path, code, **form)
    undoing = run(only_change(operator), operator)
    assert content(operator, made) == [("by hand", "1.00"), ("by hand", "1.00"), ("slip", "1.00")]
    page = as_(operator).get(f"/admin/changes/{undoing.pk}/").content.decode()
    assert "Only these fields of orders: total." in page


def test_no_field_at_all_is_said_and_asks_for_nothing(slip, operator, as_):
    path, carried = posted(slip[1])
    form = carried | {"scope": "part", "t0-table": "shop.order", "t0-boxes": "1"}
    shown = look(as_(operator), path, **form)
    assert "No field of orders is chosen" in shown.content.decode()
    assert shown.context["blocked"]


def test_buttons_change_the_form_and_keep_what_was_typed(done, operator, as_):
    client, address = as_(operator), page_of(done)
    form = {"scope": "part", "t0-table": "shop.order", "t0-rows": "keys", "t0-keys": "1, 2", "reason": "typed before"}
    shown = client.post(address, form | {"do": "t0-mode:conditions"})
    assert shown.context["tables"][0]["rows"] == "conditions"
    assert 'name="t0-keys" value="1, 2"' in shown.content.decode()
    assert "typed before" in shown.content.decode()
    shown = client.post(address, form | {"t0-rows": "conditions", "t0-f-0": "note", "do": "t0-add:0"})
    assert len(shown.context["tables"][0]["form"].groups[0]) == 2
    assert client.post(address, form | {"do": "whole"}).context["asked"].scope == "whole"


# -- statements ----------------------------------------------------------------------------------


def test_the_page_of_a_statement_says_what_it_did_and_by_whom(slip, operator, as_):
    page = as_(operator).get(slip[1])
    html = page.content.decode()
    assert page.context["code"] == slip[2]
    assert "Changed 3 rows of orders" in html
    assert "Database login" in html
    assert "custody_app" in html


def test_a_transaction_is_undone_whole_when_that_is_asked(real_db, operator, as_):
    with work(operator):
        order_with_items(2)
    events = sql(operator, "UPDATE shop_order SET note = 'x'", "UPDATE shop_orderitem SET quantity = 9")
    address = f"/admin/statements/undo/?events={events[0]}"
    client = as_(operator)
    assert client.get(address).context["undo"].button == "Undo 1 row"
    whole = client.get(f"{address}&transaction=1")
    assert whole.context["undo"].button == "Undo 3 rows"
    assert "Changed 2 rows of order items" in whole.content.decode()


def test_a_statement_needs_its_number_typed(slip, operator, as_):
    path, carried = posted(slip[1])
    answer = undo_by(as_(operator), path, "1", **carried)
    assert answer.status_code == 422
    assert f"That is not {slip[2]}." in answer.content.decode()
    assert undo_by(as_(operator), path, f"#{slip[2]}", **carried).status_code == 302


@pytest.mark.parametrize("role", ["approver", "auditor"])
def test_statements_are_not_undone_by_those_who_decide_or_look(slip, role, request, as_):
    assert as_(request.getfixturevalue(role)).get(slip[1]).status_code == 403


def test_statements_of_another_tenant_and_nonsense_are_not_there(slip, persona, operator, as_):
    other = persona("operator", name="Otto Other", tenant=2)
    assert as_(other).get(slip[1]).status_code == 404
    for query in ("", "?events=", "?events=x", "?events=999999999", "?events=1,1e9", f"?events={'9' * 30}"):
        assert as_(operator).get(f"/admin/statements/undo/{query}").status_code == 404


def test_a_statement_of_a_change_leads_to_the_undo_of_the_change(done, operator, as_):
    from audit.models import Event

    with work(operator):
        event = Event.objects.filter(change_id=done.pk).exclude(operation="*").first()
    answer = as_(operator).get(f"/admin/statements/undo/?events={event.pk}")
    assert answer["Location"] == page_of(done)


def test_the_history_of_a_row_leads_to_the_undo(slip, operator, auditor, as_):
    made, address, _ = slip
    history = f"/admin/history/shop.order/{made[2].pk}/"
    html = as_(operator).get(history).content.decode()
    assert address in html
    assert f"{address}&amp;transaction=1" in html
    assert "/statements/undo/" not in as_(auditor).get(history).content.decode()


def test_the_history_of_a_changed_row_leads_to_the_undo_of_the_change(done, operator, as_):
    with work(operator):
        row = Order.deleted.order_by("pk").first()
    html = as_(operator).get(f"/admin/history/shop.order/{row.pk}/").content.decode()
    assert page_of(done) in html
    assert "/statements/undo/" not in html


def test_statements_are_listed_newest_first_with_the_way_to_undo_them(slip, real_db, operator, auditor, as_):
    rows = as_(operator).get("/admin/statements/").context["rows"]
    assert [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)
    assert slip[1] in as_(operator).get("/admin/statements/?entity=shop.order").content.decode()
    assert slip[1] not in as_(auditor).get("/admin/statements/").content.decode()
    assert slip[1] not in as_(operator).get("/admin/statements/?entity=shop.usertag").content.decode()


def test_statements_of_programs_outside_are_found(slip, real_db, operator, as_):
    from tests.changes.test_undo_events import by_owner

    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    html = as_(operator).get("/admin/statements/?outside=1").content.decode()
    assert f"/admin/statements/undo/?events={events[0]}" in html
    assert "Removed 3 rows of orders for good" in html
    assert f'{slip[1]}"' not in html


def test_the_list_of_statements_goes_on_page_by_page(real_db, operator, as_):
    with work(operator):
        one = order()
        for _ in range(55):
            Order.objects.filter(pk=one.pk).update(note="again")
    first = as_(operator).get("/admin/statements/?entity=shop.order")
    second = as_(operator).get(f"/admin/statements/{first.context['older']}")
    assert len(first.context["rows"]) == 50
    assert len(second.context["rows"]) == 6
    assert second.context["rows"][0].id < first.context["rows"][-1].id


def test_what_was_added_is_archived_and_the_page_says_so(real_db, operator, as_):
    from audit.models import Event

    with work(operator):
        order()
        event = Event.objects.filter(entity="shop.order", operation="+").latest("pk")
    page = as_(operator).get(f"/admin/statements/undo/?events={event.pk}")
    assert page.context["undo"].impact.rows[0].pill.text == "had been added, archived"
    assert (
        "Whole rows come or go here"
        in look(as_(operator), "/admin/statements/undo/", events=event.pk, scope="part").content.decode()
    )
