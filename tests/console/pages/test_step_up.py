"""An act that needs a fresh proof is asked for it on a page, and then done as it was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from access.models import Proof
from approvals.models import Ticket, Vote
from foundation.actor import Actor
from foundation.context import acting
from tests.browser.conftest import PASSWORD
from tests.console.pages.scenes import ask
from tests.personas import user_of

pytestmark = pytest.mark.unproven
As = Callable[[Actor], Client]


@pytest.fixture
def ticket(operator: Actor) -> Ticket:
    outcome = ask(operator)
    assert outcome.ticket is not None
    return outcome.ticket


@pytest.fixture
def at_the_page(as_: As, approver: Actor) -> Client:
    """The approver, with a password."""
    user = user_of(approver)
    user.set_password(PASSWORD)
    user.save()
    return as_(approver)


def vote(client: Client, ticket: Ticket, **more: Any) -> Any:
    sent = {"decision": "approve", "digest": ticket.digest, "reason": "checked <b>twice</b>"} | more
    return client.post(f"/admin/tickets/{ticket.pk}/vote/", sent)


def carried(page: Any) -> dict[str, str]:
    """The hidden fields of the page, as a browser would send them back."""
    form = page.content.decode().split('id="step-up"')[1].split("</form>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]+)"[^>]*value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found}


def votes(actor: Actor) -> int:
    with acting(actor):
        return Vote.objects.count()


def test_the_page_asks_keeps_what_was_typed_and_then_does_the_act(
    at_the_page: Client, ticket: Ticket, approver: Actor
) -> None:
    page = vote(at_the_page, ticket)
    assert (page.status_code, votes(approver)) == (200, 0)
    assert "You are about to decide on a ticket." in page.content.decode()
    fields = carried(page)
    assert fields["reason"] == "checked <b>twice</b>"
    done = at_the_page.post(f"/admin/tickets/{ticket.pk}/vote/", fields | {"step_up_password": PASSWORD})
    assert (done.status_code, done["Location"]) == (302, f"/admin/tickets/{ticket.pk}/")
    with acting(approver):
        made = Vote.objects.get()
        assert made.reason == "checked <b>twice</b>"
        assert made.proof.asked_for == "ticket.vote"


def test_a_fresh_proof_is_good_for_the_next_act_without_asking(
    at_the_page: Client, ticket: Ticket, operator: Actor, approver: Actor
) -> None:
    at_the_page.post(
        f"/admin/tickets/{ticket.pk}/vote/", carried(vote(at_the_page, ticket)) | {"step_up_password": PASSWORD}
    )
    second = ask(operator).ticket
    assert second is not None
    assert vote(at_the_page, second).status_code == 302
    assert votes(approver) == 2


def test_a_wrong_password_does_nothing_and_loses_nothing(at_the_page: Client, ticket: Ticket, approver: Actor) -> None:
    again = at_the_page.post(
        f"/admin/tickets/{ticket.pk}/vote/", carried(vote(at_the_page, ticket)) | {"step_up_password": "wrong"}
    )
    assert "That does not prove that it is you." in again.content.decode()
    assert "wrong" not in carried(again).values()
    assert carried(again)["reason"] == "checked <b>twice</b>"
    assert (votes(approver), Proof.objects.count()) == (0, 0)


def test_five_wrong_ones_lock_the_login_for_the_right_one_too(
    at_the_page: Client, ticket: Ticket, approver: Actor
) -> None:
    fields = carried(vote(at_the_page, ticket))
    for _ in range(5):
        last = at_the_page.post(f"/admin/tickets/{ticket.pk}/vote/", fields | {"step_up_password": "wrong"})
    assert last.status_code == 429
    right = at_the_page.post(f"/admin/tickets/{ticket.pk}/vote/", fields | {"step_up_password": PASSWORD})
    assert (right.status_code, votes(approver)) == (429, 0)


def test_another_session_of_the_same_login_is_asked_again(
    at_the_page: Client, as_: As, ticket: Ticket, operator: Actor, approver: Actor
) -> None:
    at_the_page.post(
        f"/admin/tickets/{ticket.pk}/vote/", carried(vote(at_the_page, ticket)) | {"step_up_password": PASSWORD}
    )
    second = ask(operator).ticket
    assert second is not None
    assert "Is it you?" in vote(as_(approver), second).content.decode()


def test_a_fragment_is_told_to_send_the_whole_form(at_the_page: Client, ticket: Ticket, approver: Actor) -> None:
    answer = at_the_page.post(
        f"/admin/tickets/{ticket.pk}/vote/",
        {"decision": "approve", "digest": ticket.digest},
        headers={"HX-Request": "true"},
    )
    assert (answer.status_code, answer["X-Step-Up"], votes(approver)) == (204, "1", 0)


def test_the_form_needs_its_token(ticket: Ticket, approver: Actor) -> None:
    client = Client(enforce_csrf_checks=True)
    user = user_of(approver)
    user.set_password(PASSWORD)
    user.save()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    sent = {"decision": "approve", "digest": ticket.digest, "step_up_for": "ticket.vote", "step_up_password": PASSWORD}
    assert client.post(f"/admin/tickets/{ticket.pk}/vote/", sent).status_code == 403
    assert Proof.objects.count() == 0


def test_looking_at_what_needs_a_proof_goes_on_to_it(at_the_page: Client) -> None:
    page = at_the_page.get("/account/app/")
    assert "You are about to change how you log in." in page.content.decode()
    done = at_the_page.post("/account/app/", carried(page) | {"step_up_password": PASSWORD})
    assert (done.status_code, done["Location"]) == (302, "/account/app/")
    assert "QR" in at_the_page.get("/account/app/").content.decode()


def test_a_login_with_nothing_to_prove_it_with_is_told_what_to_do(as_: As, approver: Actor, ticket: Ticket) -> None:
    user = user_of(approver)
    user.set_unusable_password()
    user.save()
    page = vote(as_(approver), ticket).content.decode()
    assert "This login has nothing to prove it with." in page
    assert "/account/security/" in page


def test_agreeing_to_an_exemption_asks_too(at_the_page: Client, engineer: Actor, approver: Actor) -> None:
    from audit.models import Exemption

    with acting(engineer):
        made = Exemption.objects.create(
            tenant_id=1, entity="shop.order", role="etl", transaction_rows=9, window_rows=9, reason="the nightly load",
            expires_at="2026-12-31T00:00Z", asked_person_id=engineer.person_id, asked_name="x",
        )  # fmt: skip
    page = at_the_page.post(f"/admin/exemptions/{made.pk}/agree/")
    assert "You are about to agree to an exemption." in page.content.decode()
    at_the_page.post(f"/admin/exemptions/{made.pk}/agree/", carried(page) | {"step_up_password": PASSWORD})
    with acting(approver):
        assert Exemption.objects.get().agreed_person_id == approver.person_id
