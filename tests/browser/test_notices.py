"""The pages of notices and receivers in both widths and both themes, and a secret that is seen once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from approvals.notices.kinds import CHOSEN
from approvals.notices.models import Delivery
from approvals.notices.telling import tell
from foundation.context import acting
from tests.browser.test_pages import LOOKS
from tests.console.pages.scenes import ask

pytestmark = pytest.mark.browser


@pytest.fixture
def told(real_db: Any, operator: Any, approver: Any, administrator: Any) -> None:
    """A receiver that does not answer, and one notice of each kind for the administrator."""
    from approvals.notices import receivers

    with acting(administrator):
        wish = receivers.Wish(channel="webhook", name="Ledger of the branch", address="https://1.1.1.1/hook")
        receivers.add(wish, actor=administrator)
    ticket = ask(operator, title="Orders of " + "very " * 20 + "closed shops").ticket
    with acting(administrator), transaction.atomic():
        for kind in CHOSEN:
            tell(kind, ticket=ticket, persons=[administrator.person_id], facts={"hours": 4})
        Delivery.objects.filter(pk__lt=5).update(state="dead", error="no_answer", attempts=10)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_every_page_of_an_administrator(width: int, dark: bool, told: None, administrator: Any, visit: Any) -> None:
    visitor = visit(administrator, width=width, dark=dark)
    for path in (
        "/admin/notices/",
        "/admin/notices/settings/",
        "/admin/receivers/",
        "/admin/deliveries/",
        "/admin/deliveries/?state=dead",
    ):
        visitor.open(path)
        assert visitor.sideways() == 0, f"{path} scrolls sideways"
        assert visitor.violations() == [], path


def test_a_secret_is_on_the_page_once_and_the_bell_empties(told: None, administrator: Any, visit: Any) -> None:
    page = visit(administrator).open("/admin/receivers/")
    page.fill("#id_name", "Second")
    page.fill("#id_address", "https://1.1.1.1/other")
    page.get_by_role("button", name="Add", exact=True).click()
    assert page.locator(".p-secret").inner_text().startswith("whsec_")
    page.goto(page.url.replace("add/", ""))
    assert page.locator(".p-secret").count() == 0
    assert page.locator(".sh-bell .sh-n").inner_text().startswith(str(len(CHOSEN)))
    page.locator(".sh-bell").click()
    page.get_by_role("button", name="Mark all read").click()
    page.wait_for_load_state()
    assert page.locator(".sh-bell .sh-n").count() == 0
