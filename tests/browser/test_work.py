"""The main job by hand: with the keyboard, with script, and without."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import prove
from tests.personas import orders

pytestmark = pytest.mark.browser


def rows(actor: Any, amount: int, **columns: Any) -> list[Any]:
    from tests.console.pages.scenes import work

    with work(actor):
        return orders(amount, **columns)


def finish() -> None:
    from changes.sweeping import run_pending

    run_pending(worker="test")


@pytest.mark.unproven
def test_from_the_list_to_the_undo(real_db: Any, operator: Any, approver: Any, visit: Any) -> None:
    rows(operator, 12, state="open")
    asking, deciding = visit(operator, by_page=True), visit(approver)
    page = asking.open("/admin/shop/order/?state__exact=open")
    page.check("#action-toggle")
    page.click("button[name=index]")
    expect(page.locator("h1")).to_have_text("Delete orders")
    page.click("text=Next: say why")
    page.fill("#id_title", "Twelve duplicates")
    page.fill("#id_reason", "Duplicates of the March import")
    page.click("text=Freeze 12 rows and ask for approval")
    expect(page.locator("h1")).to_contain_text("Twelve duplicates")

    decision = deciding.open("/admin/")
    decision.click("text=Twelve duplicates")
    decision.click("button[value=approve]")
    expect(decision.locator("h1")).to_have_text("Is it you?")
    prove(deciding)
    expect(decision.locator(".messagelist")).to_contain_text("An operator can start it now.")

    page.reload()
    page.click("text=Start the deletion")
    expect(page.locator("#run")).to_be_visible()
    finish()
    expect(page.locator("#h-x")).to_have_text("12 rows deleted and verified", timeout=10_000)

    page.click("text=Undo this deletion")
    page.fill("#id_reason", "They were no duplicates after all")
    code = re.search(r"T-\d+", page.locator("h1").inner_text())
    assert code is not None
    page.fill("#id_code", code[0])
    page.click("text=Undo 12 rows")
    expect(page.locator("h1")).to_contain_text("Undo")


def test_conditions_are_built_and_counted_while_typing(real_db: Any, operator: Any, visit: Any) -> None:
    rows(operator, 7, state="open")
    rows(operator, 2, state="paid")
    page = visit(operator).open("/admin/changes/new/?entity=shop.order")
    page.select_option("#f-0", "state")
    page.select_option("select#v-0", "open")
    expect(page.locator("#count")).to_contain_text("7")
    page.click("text=Or another group")
    page.select_option("#f-1", "state")
    page.select_option("select#v-1", "paid")
    expect(page.locator("#count")).to_contain_text("9")
    page.click("text=Next: look at what it does")
    expect(page.locator("tfoot")).to_contain_text("9")


def test_what_is_typed_while_the_form_is_fetched_anew_is_not_lost(real_db: Any, operator: Any, visit: Any) -> None:
    rows(operator, 7, state="open")
    page = visit(operator).open("/admin/changes/new/?entity=shop.order")
    page.select_option("#f-0", "note")
    expect(page.locator("#o-0 option[value=contains]")).to_be_attached()
    held: list[Any] = []
    page.route("**/changes/new/", lambda route: held.append(route) if not held else route.continue_())
    page.select_option("#o-0", "contains")
    page.fill("#v-0", "typed meanwhile")
    page.wait_for_timeout(300)
    assert len(held) == 1
    with page.expect_response(lambda answer: answer.url.endswith("/changes/new/")):
        held[0].continue_()
    expect(page.locator("#v-0")).to_have_value("typed meanwhile")
    expect(page.locator("#o-0")).to_have_value("contains")


def test_the_same_without_script(real_db: Any, operator: Any, visit: Any) -> None:
    rows(operator, 7, state="open")
    page = visit(operator, script=False).open("/admin/changes/new/?entity=shop.order")
    page.select_option("#f-0", "state")
    page.click("text=And another condition")
    page.select_option("#v-0", "open")
    page.click("text=Next: look at what it does")
    page.click("text=Next: say why")
    page.fill("#id_reason", "Duplicates of the March import")
    page.click("text=Delete 7 rows now")
    expect(page.locator("#h-x")).to_contain_text("Deleting 7 rows")


def test_the_keyboard_reaches_everything(real_db: Any, operator: Any, approver: Any, visit: Any) -> None:
    from tests.console.pages.scenes import ask

    outcome = ask(operator)
    visitor = visit(approver)
    page = visitor.open(f"/admin/tickets/{outcome.ticket.pk}/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-to-content-link")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    expect(page.locator("#gs")).to_be_focused()
    page.keyboard.type("d/j")
    expect(page.locator("#gs")).to_have_value("d/j")
    page.locator("#gs").evaluate("element => element.blur()")
    page.keyboard.press("d")
    expect(page.locator("#h-d")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#dlg-keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dlg-keys")).to_be_hidden()
    page = visitor.open("/admin/tickets/?tab=open")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"T-{outcome.ticket.pk}")


def test_a_rule_is_changed_and_the_preview_follows(real_db: Any, operator: Any, approver: Any, visit: Any) -> None:
    from tests.changes.test_undo_events import sql

    made = rows(operator, 3, note="as it was", total="1.00")
    event = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0")[0]
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {made[0].pk}")
    page = visit(operator).open(f"/admin/history/shop.order/{made[1].pk}/")
    page.click("text=Undo this statement…")
    page.fill("#id_reason", "The statement hit the wrong rows")
    expect(page.locator("#ask")).to_contain_text("Undo 2 rows")
    page.check("#rule-changed_since-keep_theirs")
    expect(page.locator("#ask")).to_contain_text("Undo 3 rows")
    expect(page.locator(".p-outcome")).to_contain_text("1 row comes back, except for the fields")
    page.check("#rule-changed_since-abort")
    expect(page.locator("#ask")).to_contain_text("By your rule this stops")
    page.check("#rule-changed_since-force")
    expect(page.locator("#ask")).to_contain_text("has to approve it first")
    expect(page.locator("#rule-changed_since-force")).to_be_focused()
    page.click("text=Only a part")
    page.uncheck("#t0-field-note")
    expect(page.locator("#selection tfoot")).to_contain_text("3")
    expect(page.locator("#selection")).to_contain_text("No newer work stands in the way.")
    expect(page.locator("#id_reason")).to_have_value("The statement hit the wrong rows")
    page.fill("#id_code", str(event))
    page.click("text=Undo 3 rows")
    expect(page.locator("h1")).to_contain_text("Undo event")
    expect(page.locator(".c-terms")).to_contain_text("Only these fields of orders: total.")


def test_what_is_pressed_while_an_answer_is_on_its_way_is_not_lost(real_db: Any, operator: Any, visit: Any) -> None:
    """The first answer would replace the place that the second one is meant for."""
    from tests.changes.test_undo_events import sql

    made = rows(operator, 2, note="as it was")
    event = sql(operator, "UPDATE shop_order SET note = 'slip'")[0]
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {made[0].pk}")
    visitor = visit(operator)
    page = visitor.open(f"/admin/statements/undo/?events={event}")
    held: list[Any] = []
    page.route("**/statements/undo/", lambda route: held.append(route))
    page.check("#rule-changed_since-force")
    page.click("text=Only a part")
    page.wait_for_timeout(300)
    assert len(held) == 2
    for route in held:
        if not route.request.failure:
            route.continue_()
        page.wait_for_timeout(500)
    expect(page.locator("#t0-field-note")).to_be_checked()
    expect(page.locator("#rule-changed_since-force")).to_be_checked()
    expect(page.locator("#ask")).to_contain_text("Undo 2 rows")
    assert [line for line in visitor.complaints if "htmx:" not in line] == []
    visitor.complaints.clear()  # htmx itself notes a request that it gave up


def test_an_undo_is_narrowed_and_ruled_without_script(real_db: Any, operator: Any, visit: Any) -> None:
    from tests.changes.test_undo_events import sql

    made = rows(operator, 3, note="as it was")
    event = sql(operator, "UPDATE shop_order SET note = 'slip'")[0]
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {made[0].pk}")
    page = visit(operator, script=False).open(f"/admin/statements/undo/?events={event}")
    page.check("#rule-changed_since-force")
    page.locator("#selection >> text=Look again").click()
    expect(page.locator("#ask")).to_contain_text("Undo 3 rows")
    page.click("text=Only a part")
    page.locator("#selection >> text=By key").click()
    page.fill("#t0-keys", str(made[2].pk))
    page.locator("#selection >> text=Look again").click()
    page.fill("#id_reason", "The statement hit the wrong rows")
    page.fill("#id_code", str(event))
    page.click("text=Undo 1 row")
    expect(page.locator(".c-terms")).to_contain_text(f"Only a part: orders with the keys {made[2].pk}.")


def test_stopping_asks_with_the_safe_button_first(real_db: Any, operator: Any, visit: Any) -> None:
    from tests.console.pages.scenes import ask

    outcome = ask(operator, 4)
    page = visit(operator).open(f"/admin/changes/{outcome.change.pk}/")
    page.click("text=Stop after this batch")
    expect(page.locator("#dlg-cancel [data-close]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("text=Stop after this batch").first).to_be_focused()
    page.click("text=Stop after this batch")
    page.click("#dlg-cancel button[type=submit]")
    expect(page.locator(".messagelist")).to_contain_text("It stops after the batch in hand.")


def test_a_stale_decision_is_redrawn_with_the_reason_kept(
    real_db: Any, operator: Any, approver: Any, visit: Any
) -> None:
    from approvals.decisions import vote
    from tests.console.pages.scenes import ask, work

    outcome = ask(operator)
    visitor = visit(approver)
    page = visitor.open(f"/admin/tickets/{outcome.ticket.pk}/")
    page.fill("#id_reason", "I looked at all twelve")
    with work(approver):
        vote(outcome.ticket.pk, actor=approver, decision="approve", digest=outcome.ticket.digest)
    page.click("button[value=approve]")
    expect(page.locator("#panel [role=alert]")).to_contain_text("already approved. Nothing was changed.")
    expect(page.locator("#panel [role=alert]")).to_contain_text("I looked at all twelve")
    assert [c for c in visitor.complaints if "409" not in c] == []
    visitor.complaints.clear()  # Chromium itself notes the answer 409


def test_the_phone_menu_opens_and_gives_focus_back(real_db: Any, operator: Any, visit: Any) -> None:
    page = visit(operator, width=390).open("/admin/")
    page.click(".sh-burger")
    expect(page.locator("#sh-side a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".sh-burger")).to_be_focused()


def test_theme_and_language_are_chosen_on_the_page(real_db: Any, operator: Any, visit: Any) -> None:
    visitor = visit(operator)
    page = visitor.open("/admin/")
    page.click(".sh-top .theme-toggle")
    assert page.evaluate("document.documentElement.dataset.theme") in ("light", "dark")
    page.click(".sh-lang button")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("h1")).to_contain_text("好")
    assert visitor.violations() == []
