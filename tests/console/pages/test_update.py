"""An update in three steps: which rows, which fields become what, look, say why."""

from __future__ import annotations

import uuid

import pytest

from changes.models import Change
from shop.models import Customer, Order
from tests.console.pages.scenes import REASON, no_change, only_change, work
from tests.personas import customer, orders

NEW = "/admin/changes/new/"


def typed(*settings: tuple[str, str], entity: str = "shop.order", **more: str) -> dict[str, str]:
    form = {"entity": entity, "operation": "update", "mode": "conditions"}
    form |= {"f-0": "status", "o-0": "eq", "v-0": "active", "g-0": "0"}
    for n, (field, value) in enumerate(settings):
        form |= {f"s-{n}": field, f"w-{n}": value}
    return form | more


def test_the_form_offers_fields_and_inputs_by_their_kind(operator, as_):
    page = as_(operator).post(NEW, typed(("state", ""), ("placed_at", ""), ("note", ""), do="refresh"))
    state, placed, note = page.context["settings"].lines
    assert (state.input, placed.input, note.input) == ("select", "text", "textarea")
    assert "paid" in [option.value for option in state.choices]
    assert not {"id", "is_deleted", "tenant_id", "updated_at"} & {option.value for option in state.fields}


def test_buttons_of_the_card_write_nothing(operator, as_):
    client = as_(operator)
    for button, lines in (("set:add", 2), ("set:remove.0", 1)):
        page = client.post(NEW, typed(("state", "paid"), do=button))
        assert len(page.context["settings"].lines) == lines
    assert no_change(operator)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), "Say which fields become what"),
        ((("total", "many"),), "does not fit the field total"),
        ((("customer", "0"),), "no living row"),
        ((("state", ""),), "cannot be blank"),
    ],
)
def test_a_bad_value_is_told_on_the_page(settings, said, operator, as_):
    answer = as_(operator).post(NEW, typed(*settings, do="next"))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert no_change(operator)


def test_the_whole_way_to_rows_that_are_changed(operator, as_):
    with work(operator):
        orders(3, state="open")
    client = as_(operator)
    assert client.post(NEW, typed(("state", "paid"), ("note", "ok"), do="next")).status_code == 302
    draft = only_change(operator)
    page = client.get(f"/admin/changes/{draft.pk}/look/")
    assert (page.context["seen"].rows, page.context["heading"]) == (3, "Update orders")
    assert "state becomes paid" in page.content.decode()
    form = {"title": "", "reason": REASON, "request_key": str(uuid.uuid4()), "do": "ask"}
    why = client.get(f"/admin/changes/{draft.pk}/why/").content.decode()
    assert "Change 3 rows now" in why
    answer = client.post(f"/admin/changes/{draft.pk}/why/", form)
    page = client.get(answer["Location"]).content.decode()
    assert "state becomes paid" in page
    with work(operator):
        assert Change.objects.get(pk=draft.pk).options["set"] == {"note": "ok", "state": "paid"}


def test_a_saved_draft_comes_back_with_its_values(operator, as_):
    client = as_(operator)
    client.post(NEW, typed(("note", "ok"), do="save"))
    draft = only_change(operator)
    page = client.get(f"/admin/changes/{draft.pk}/choose/")
    assert [(line.value, line.input) for line in page.context["settings"].lines] == [("ok", "textarea")]
    client.post(f"/admin/changes/{draft.pk}/why/", {"title": "T", "reason": "r", "do": "save"})
    with work(operator):
        kept = Change.objects.get(pk=draft.pk)
        assert (kept.title, kept.options["set"]) == ("T", {"note": "ok"})


def test_a_sensitive_field_is_chosen_by_its_marked_name_and_not_told(operator, as_):
    with work(operator):
        customer()
    client = as_(operator)
    page = client.post(NEW, typed(("phone", "555"), entity="shop.customer", do="refresh")).content.decode()
    assert "phone (sensitive)" in page
    client.post(NEW, typed(("phone", "555-1234"), entity="shop.customer", do="next"))
    page = client.get(f"/admin/changes/{only_change(operator).pk}/look/").content.decode()
    assert "a value that is not shown here" in page
    assert "555-1234" not in page


def test_one_unique_value_for_several_rows_leads_back_with_a_sentence(operator, as_):
    with work(operator):
        orders(2)
    client = as_(operator)
    client.post(NEW, typed(("number", "A-1"), do="next"))
    draft = only_change(operator)
    answer = client.get(f"/admin/changes/{draft.pk}/look/", follow=True)
    assert "is unique, so 2 rows cannot" in answer.content.decode()


def test_marked_rows_of_a_list_can_be_updated(operator, as_):
    with work(operator):
        one = orders(2)[0]
    form = {"action": ["ask_delete", "ask_update"], "index": "1", "select_across": "0", "_selected_action": [one.pk]}
    answer = as_(operator).post("/admin/shop/order/", form)
    draft = only_change(operator)
    assert answer["Location"] == f"/admin/changes/{draft.pk}/choose/"
    assert (draft.operation, draft.selection) == ("update", {"keys": [str(one.pk)]})


def test_the_list_offers_both(operator, auditor, as_):
    with work(operator):
        orders(1)
    page = as_(operator).get("/admin/shop/order/").content.decode()
    assert "Update selected…" in page
    assert "/admin/changes/import/shop.order/" in page
    assert "Import…" not in as_(auditor).get("/admin/shop/order/").content.decode()


def test_nothing_was_changed_before_somebody_asked(operator, as_):
    with work(operator):
        orders(1, state="open")
    client = as_(operator)
    client.post(NEW, typed(("state", "paid"), do="next"))
    client.get(f"/admin/changes/{only_change(operator).pk}/look/")
    with work(operator):
        assert Order.objects.get().state == "open"
        assert Customer.objects.count() == 1
