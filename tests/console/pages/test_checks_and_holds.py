"""The checks on a ticket's page, the button that leaves rows out, and the page of legal holds."""

from __future__ import annotations

from typing import Any

import pytest

from changes.holds.models import Hold
from changes.models import Change, PreflightRun
from foundation.context import acting
from tests.journey import ask, keys_of
from tests.personas import customer, order, orders

pytestmark = pytest.mark.django_db
TERMS = {"name": "Case Miller", "matter": "2026-17", "reason": "asked for by the court", "entity": "shop.order"}


@pytest.fixture
def held(as_: Any, operator: Any, auditor: Any) -> Any:
    """A ticket about twelve orders, of which two are under a hold by now."""
    with acting(operator):
        rows = orders(12)
    outcome = ask(operator, "shop.order", keys_of(rows))
    keys = "\n".join(str(row.pk) for row in rows[:2])
    assert as_(auditor).post("/admin/holds/place/", {**TERMS, "scope": "rows", "keys": keys}).status_code == 302
    return outcome.ticket


def test_a_block_that_appeared_since_is_red_and_names_the_way_out(as_: Any, approver: Any, held: Any) -> None:
    client = as_(approver)
    client.post(f"/admin/changes/{held.change_id}/check/")
    page = client.get(f"/admin/tickets/{held.pk}/").content.decode()
    assert "Blocks:" in page
    assert "2 rows are under a legal hold." in page
    assert "new since it was asked for" in page
    assert page.index("Blocks:") < page.index("Passed:")
    refused = client.post(f"/admin/tickets/{held.pk}/vote/", {"decision": "approve", "digest": held.digest})
    assert refused.status_code == 409
    with acting(approver):
        assert PreflightRun.objects.filter(moment="vote", blocked=True).count() == 1


def test_the_button_makes_a_draft_without_them(as_: Any, operator: Any, held: Any) -> None:
    client = as_(operator)
    client.post(f"/admin/changes/{held.change_id}/check/")
    assert "Leave out the 2 rows on hold" in client.get(f"/admin/tickets/{held.pk}/").content.decode()
    answer = client.post(f"/admin/changes/{held.change_id}/exclude/", {"check": "legal_hold"})
    with acting(operator):
        draft = Change.objects.get(state="draft")
    assert answer.headers["Location"] == f"/admin/changes/{draft.pk}/look/"
    assert len(draft.selection["keys"]) == 10


def test_the_look_offers_to_leave_out_protected_rows(as_: Any, operator: Any) -> None:
    from changes import drafts

    with acting(operator):
        free, bound = customer(), customer()
        order(bound)
        draft = drafts.save(operator, entity="shop.customer", operation="delete", selection=keys_of([free, bound]))
    client = as_(operator)
    assert "Leave out the rows that they belong to" in client.get(f"/admin/changes/{draft.pk}/look/").content.decode()
    client.post(f"/admin/changes/{draft.pk}/exclude/", {"check": "protected_rows"})
    with acting(operator):
        draft.refresh_from_db()
    assert draft.selection == keys_of([free])
    assert (
        "aria-disabled" not in client.get(f"/admin/changes/{draft.pk}/look/").content.decode().split("p-next")[1][:900]
    )


def test_who_placed_a_hold_sees_no_button_to_lift_it(as_: Any, auditor: Any, approver: Any, held: Any) -> None:
    with acting(auditor):
        one = Hold.objects.get()
    lift = f"/admin/holds/{one.pk}/lift/"
    assert lift not in as_(auditor).get("/admin/holds/").content.decode()
    assert lift in as_(approver).get("/admin/holds/").content.decode()
    assert as_(auditor).post(lift, {"reason": "the case is closed"}).status_code == 403
    as_(approver).post(lift, {"reason": "the case is closed"})
    with acting(auditor):
        one.refresh_from_db()
    assert one.lifted_name == approver.name


def test_what_is_wrong_is_said_and_what_was_typed_stays(as_: Any, auditor: Any) -> None:
    answer = as_(auditor).post("/admin/holds/place/", {**TERMS, "matter": " ", "scope": "table"})
    assert answer.status_code == 400
    assert "Case Miller" in answer.content.decode()


def test_an_operator_sees_holds_and_places_none(as_: Any, operator: Any) -> None:
    assert "Place a hold" not in as_(operator).get("/admin/holds/").content.decode()
    assert as_(operator).post("/admin/holds/place/", {**TERMS, "scope": "table"}).status_code == 403
