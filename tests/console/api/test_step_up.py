"""A program proves afresh with a password or a code, for its own token."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.models import Vote
from foundation.actor import Actor
from foundation.context import acting
from tests.browser.conftest import PASSWORD
from tests.console.api.asking import assert_problem
from tests.console.login.codes import code_now, with_code_app
from tests.journey import ask, keys_of
from tests.personas import orders, user_of

pytestmark = pytest.mark.unproven


@pytest.fixture
def ticket(operator: Actor) -> Any:
    with acting(operator):
        return ask(operator, "shop.order", keys_of(orders(12))).ticket


@pytest.fixture
def program(client_of: Any, approver: Actor) -> Any:
    user = user_of(approver)
    user.set_password(PASSWORD)
    user.save()
    return client_of(approver)


def vote(client: Any, ticket: Any) -> Any:
    return client.post(f"/api/v1/tickets/{ticket.pk}/votes/", {"decision": "approve", "digest": ticket.digest})


def test_a_vote_is_refused_with_the_place_to_prove(program: Any, ticket: Any, approver: Actor) -> None:
    problem = assert_problem(vote(program, ticket), 403, "step_up_needed")
    assert problem["facts"]["link"] == "/api/v1/step-up/"
    assert problem["facts"]["action"] == "ticket.vote"
    proof = program.post(problem["facts"]["link"], {"password": PASSWORD})
    assert (proof.status_code, proof.json()["method"]) == (201, "password")
    assert vote(program, ticket).status_code == 201
    with acting(approver):
        assert Vote.objects.get().proof_id == proof.json()["id"]


def test_a_code_is_good_once(program: Any, ticket: Any, approver: Actor) -> None:
    secret = with_code_app(approver)
    code = code_now(secret)
    assert program.post("/api/v1/step-up/", {"code": code}).json()["method"] == "code"
    assert_problem(program.post("/api/v1/step-up/", {"code": code}), 403, "wrong_proof", field="code")


def test_the_proof_of_one_token_is_none_for_a_session(program: Any, ticket: Any, approver: Actor) -> None:
    from django.test import Client

    program.post("/api/v1/step-up/", {"password": PASSWORD})
    client = Client()
    client.force_login(user_of(approver), backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(
        f"/api/v1/tickets/{ticket.pk}/votes/",
        {"decision": "approve", "digest": ticket.digest},
        content_type="application/json",
    )
    assert_problem(answer, 403, "step_up_needed")


@pytest.mark.parametrize("body", [{}, {"password": "x", "code": "1"}])
def test_exactly_one_of_them_is_sent(program: Any, body: dict[str, str]) -> None:
    assert_problem(program.post("/api/v1/step-up/", body), 400, "password_or_code")


def test_wrong_ones_are_counted_and_lock(program: Any) -> None:
    for _ in range(4):
        assert_problem(program.post("/api/v1/step-up/", {"password": "wrong"}), 403, "wrong_proof")
    assert_problem(program.post("/api/v1/step-up/", {"password": "wrong"}), 429, "locked_out")
    assert_problem(program.post("/api/v1/step-up/", {"password": PASSWORD}), 429, "locked_out")


def test_a_token_of_a_login_with_a_second_factor_needs_it_too(db: None, approver: Actor) -> None:
    from rest_framework.test import APIClient

    user = user_of(approver)
    user.set_password(PASSWORD)
    user.save()
    secret = with_code_app(approver)
    client, body = APIClient(), {"username": user.username, "password": PASSWORD}
    assert_problem(client.post("/api/v1/tokens/", body), 401, "code_needed", field="code")
    assert_problem(client.post("/api/v1/tokens/", body | {"code": "000000"}), 401, "wrong_credentials", field="code")
    assert client.post("/api/v1/tokens/", body | {"code": code_now(secret)}).json()["token"]
