"""Logging in: a password, then the second factor of the login; what is wrong is counted, a code is good once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from console.login import factors
from foundation.actor import Actor
from tests.browser.conftest import PASSWORD
from tests.changes.test_races import at_once
from tests.console.login.codes import code_now, with_code_app
from tests.databases import RealDatabase
from tests.personas import user_of

pytestmark = pytest.mark.unproven


@pytest.fixture
def user(approver: Actor) -> Any:
    user = user_of(approver)
    user.set_password(PASSWORD)
    user.save()
    return user


def first_step(client: Client, user: Any, password: str = PASSWORD) -> Any:
    return client.post("/admin/login/?next=/admin/tickets/", {"username": user.username, "password": password})


def second_step(client: Client, code: str) -> Any:
    return client.post("/account/second/", {"code": code})


def is_in(client: Client) -> bool:
    return client.get("/account/security/").status_code == 200


def test_a_password_is_enough_where_no_factor_is_set_up(user: Any) -> None:
    client = Client()
    answer = first_step(client, user)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/tickets/")
    assert is_in(client)


def test_with_a_factor_the_password_alone_opens_nothing(user: Any, approver: Actor) -> None:
    secret, client = with_code_app(approver), Client()
    assert first_step(client, user)["Location"] == "/account/second/"
    assert not is_in(client)
    assert "Second step" in client.get("/account/second/").content.decode()
    assert second_step(client, code_now(secret))["Location"] == "/admin/tickets/"
    assert is_in(client)


def test_the_second_step_without_the_first_leads_back(db: None) -> None:
    assert "/account/login/" in Client().get("/account/second/")["Location"]


def test_a_code_that_logged_somebody_in_logs_in_nobody_else(user: Any, approver: Actor) -> None:
    secret = with_code_app(approver)
    code, one, two = code_now(secret), Client(), Client()
    first_step(one, user)
    first_step(two, user)
    second_step(one, code)
    second_step(two, code)
    assert (is_in(one), is_in(two)) == (True, False)


def test_a_code_used_twice_at_once_is_taken_once(real_db: RealDatabase, user: Any, approver: Actor) -> None:
    code = code_now(with_code_app(approver))
    taken = at_once(*[lambda: factors.right_code(user, code) is not None] * 6)
    assert sorted(taken) == [False] * 5 + [True]


def test_a_recovery_code_is_good_once(user: Any, approver: Actor) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    with_code_app(approver)
    code = RecoveryCodes.activate(user).get_unused_codes()[0]
    one, two = Client(), Client()
    first_step(one, user)
    first_step(two, user)
    second_step(one, code)
    second_step(two, code)
    assert (is_in(one), is_in(two)) == (True, False)


def test_five_wrong_passwords_lock_the_login(user: Any) -> None:
    client = Client()
    for _ in range(5):
        last = first_step(client, user, "wrong")
    assert last.status_code == 429
    assert first_step(client, user).status_code == 429
    assert not is_in(client)


def test_five_wrong_codes_lock_it_too(user: Any, approver: Actor) -> None:
    secret, client = with_code_app(approver), Client()
    first_step(client, user)
    for _ in range(5):
        second_step(client, "000000")
    locked = second_step(client, code_now(secret))
    assert "Too many wrong passwords" in locked.content.decode()
    assert not is_in(client)


def test_an_inactive_login_stays_out(user: Any) -> None:
    user.is_active = False
    user.save()
    client = Client()
    assert first_step(client, user).status_code == 200
    assert not is_in(client)


def test_the_secret_of_a_code_app_is_stored_encrypted(user: Any, approver: Actor) -> None:
    secret = with_code_app(approver)
    stored = factors.Authenticator.objects.get(user=user).data["secret"]
    assert secret not in stored
    assert stored.startswith("gAAAA")
