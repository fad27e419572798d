"""Every page in both widths and both themes: silent console, no sideways scroll, no accessibility violation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.personas import customer, order_with_items, orders

pytestmark = pytest.mark.browser
LOOKS = [(1440, False), (1440, True), (390, False), (390, True)]


@pytest.fixture
def story(real_db: Any, operator: Any, approver: Any) -> dict[str, int]:
    """One of everything: rows, a draft, a waiting ticket, a finished change, a bin."""
    from audit.snapshots.taking import take
    from changes import drafts
    from shop.models import Order
    from tests.changes.test_undo_events import sql
    from tests.console.pages.scenes import approve, ask, run, work

    with work(operator):
        someone = customer(name="北京云帆科技有限公司", notes="<b>bold</b> " + "long " * 80)
        line = order_with_items(3, customer=someone)
        orders(60, customer=someone, note="x" * 300)
        draft = drafts.save(operator, entity="shop.customer", operation="delete", selection={"keys": [str(someone.pk)]})
        snapshot = take("Before the import", entities=[Order], actor=operator, note="note " * 30, measured=True)
        orders(2, customer=someone)
    finished = ask(operator, title="Finished " + "very " * 20 + "long title")
    approve(finished, approver)
    run(finished.change, operator)
    disputed = run(ask(operator, 3).change, operator)
    slip = sql(operator, f"UPDATE shop_order SET note = 'slip', total = 0 WHERE id BETWEEN {line.pk} AND {line.pk} + 5")
    with work(operator):
        Order.deleted.filter(pk__in=keys_touched(disputed)).update(status="kept by hand")
        Order.objects.filter(pk=line.pk).update(note="by hand")
    waiting = ask(operator, rows=[line, *orders_of(operator, 20)], title="Delete 20 orders of the closed branch")
    return {
        "row": line.pk,
        "customer": someone.pk,
        "draft": draft.pk,
        "done": finished.ticket.pk,
        "done_change": finished.change.pk,
        "waiting": waiting.ticket.pk,
        "snapshot": snapshot.pk,
        "disputed": disputed.pk,
        "statement": slip[0],
    }


def keys_touched(change: Any) -> Any:
    from changes.models import FrozenRow

    return FrozenRow.objects.filter(change_id=change.pk).values("position")[:2]


def orders_of(actor: Any, amount: int) -> list[Any]:
    from tests.console.pages.scenes import work

    with work(actor):
        return orders(amount)


def pages(story: dict[str, int]) -> list[str]:
    return [
        "/admin/",
        "/admin/tickets/?tab=mine",
        f"/admin/tickets/{story['waiting']}/",
        f"/admin/tickets/{story['done']}/",
        f"/admin/changes/{story['done_change']}/undo/",
        f"/admin/changes/{story['disputed']}/undo/",
        "/admin/changes/new/",
        "/admin/changes/new/?entity=shop.order",
        "/admin/changes/new/?entity=shop.order&keys=1,2",
        f"/admin/changes/{story['draft']}/look/",
        "/admin/shop/order/",
        "/admin/shop/order/?deleted=1",
        f"/admin/shop/order/{story['row']}/change/",
        f"/admin/shop/customer/{story['customer']}/change/",
        f"/admin/history/shop.order/{story['row']}/",
        "/admin/statements/",
        f"/admin/statements/undo/?events={story['statement']}",
        "/admin/search/?q=long",
        "/admin/snapshots/",
        "/admin/snapshots/new/",
        f"/admin/snapshots/{story['snapshot']}/",
        f"/admin/snapshots/compare/?entity=shop.order&a={story['snapshot']}&b=now",
        "/admin/password_change/",
        "/account/security/",
    ]


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_every_page_of_an_operator(width: int, dark: bool, story: Any, operator: Any, visit: Any) -> None:
    visitor = visit(operator, width=width, dark=dark)
    for path in pages(story):
        visitor.open(path)
        assert visitor.sideways() == 0, f"{path} scrolls sideways"
        assert visitor.violations() == [], path


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_what_an_approver_and_a_stranger_see(width: int, dark: bool, story: Any, approver: Any, visit: Any) -> None:
    visitor = visit(approver, width=width, dark=dark)
    for path in ("/admin/", f"/admin/tickets/{story['waiting']}/"):
        visitor.open(path)
        assert (visitor.sideways(), visitor.violations()) == (0, []), path
    stranger = visit(None, width=width, dark=dark)
    stranger.open("/admin/login/")
    assert (stranger.sideways(), stranger.violations()) == (0, [])


def test_people_pages_of_an_administrator(real_db: Any, administrator: Any, visit: Any) -> None:
    visitor = visit(administrator, width=390)
    for path in (
        "/admin/auth/user/",
        f"/admin/auth/user/{administrator.user_id}/change/",
        "/admin/access/account/add/",
    ):
        visitor.open(path)
        assert visitor.sideways() == 0, path
