"""Logging in by OpenID Connect, against a real provider in a process of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client

from access.actors import actor_for
from foundation.actor import Actor
from tests.console.login.codes import code_now, with_code_app
from tests.databases import Process, free_port
from tests.personas import user_of
from tests.provider.serve import CLIENT, PASSWORD, SECRET

pytestmark = pytest.mark.unproven
CALLBACK = "/account/oidc/sso/login/callback/"
PEOPLE = ("ann:ann@corp.example:verified", "eve:amir@corp.example", "amir:amir@corp.example:verified")


def start_provider(home: Path, redirect: str) -> tuple[Process, str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.provider.serve", str(port), redirect, *PEOPLE]
    home.mkdir(exist_ok=True)
    process = Process(command, os.environ | {"PROVIDER_HOME": str(home)}, home / "provider.log")
    address = f"http://127.0.0.1:{port}"
    process.wait_for_answer(f"{address}/.well-known/openid-configuration", 60)
    return process, address


def providers(address: str) -> dict[str, Any]:
    settings = {"server_url": address, "oauth_pkce_enabled": True}
    app = {"provider_id": "sso", "name": "Corp", "client_id": CLIENT, "secret": SECRET, "settings": settings}
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, address = start_provider(tmp_path_factory.mktemp("provider"), f"http://testserver{CALLBACK}")
    yield address
    process.stop()


@pytest.fixture
def sign_on(provider: str, settings: Any, db: None) -> Callable[..., Any]:
    """`sign_on("ann")`: through the provider's login page and back; the client and Custody's answer."""
    settings.SOCIALACCOUNT_PROVIDERS = providers(provider)
    settings.CUSTODY_OIDC_ISSUER = provider

    def go(name: str, client: Client | None = None) -> tuple[Client, Any]:
        client = client or Client()
        there = client.post("/account/oidc/sso/login/?next=/admin/tickets/")
        assert there.status_code == 302, there.content[:500]
        return client, client.get(way_back(there["Location"], name))

    return go


def way_back(url: str, name: str) -> str:
    """Log in at the provider as a browser would; the address it sends the browser back to."""
    with requests.Session() as browser:
        page = browser.get(url)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None, page.text[:500]
        sent = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        answer = browser.post(page.url, data=sent, headers={"Referer": page.url}, allow_redirects=False)
        while urlsplit(answer.headers["Location"]).netloc != "testserver":
            answer = browser.get(requests.compat.urljoin(answer.url, answer.headers["Location"]), allow_redirects=False)
        back = urlsplit(answer.headers["Location"])
    assert back.path == CALLBACK
    return f"{back.path}?{back.query}"


def who(client: Client) -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.filter(pk=client.session.get("_auth_user_id")).first()


@pytest.fixture
def amir(approver: Actor) -> Any:
    user = user_of(approver)
    user.email = "Amir@corp.example"
    user.set_password("a password here")
    user.save()
    return user


def test_somebody_unknown_gets_a_login_without_person_role_or_tenant(sign_on: Any) -> None:
    client, answer = sign_on("ann")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/tickets/")
    made = who(client)
    assert (made.username, made.is_staff, made.is_superuser, made.has_usable_password()) == ("ann", False, False, False)
    actor = actor_for(made)
    assert (actor.person_id, actor.tenant_id, actor.roles) == (None, None, frozenset())
    assert client.get("/admin/tickets/").status_code == 403


def test_a_verified_address_links_to_the_one_login_that_has_it_and_the_subject_does_from_then_on(
    sign_on: Any, amir: Any
) -> None:
    client, _ = sign_on("amir")
    assert who(client) == amir
    amir.refresh_from_db()
    assert amir.check_password("a password here"), "the password stays"
    amir.email = "another@corp.example"
    amir.save()
    client, _ = sign_on("amir")
    assert who(client) == amir


def test_an_address_that_is_not_verified_links_to_nobody_and_makes_nobody(sign_on: Any, amir: Any) -> None:
    from django.contrib.auth import get_user_model

    before = get_user_model().objects.count()
    client, answer = sign_on("eve")
    assert who(client) is None
    assert "Nobody's login yet" in answer.content.decode().replace("&#x27;", "'")
    assert get_user_model().objects.count() == before


def test_an_address_of_two_logins_links_to_neither(sign_on: Any, amir: Any, second_approver: Actor) -> None:
    other = user_of(second_approver)
    other.email = "amir@corp.example"
    other.save()
    client, _ = sign_on("amir")
    assert who(client) is None


def test_linking_by_address_can_be_turned_off(sign_on: Any, amir: Any, settings: Any) -> None:
    settings.CUSTODY_OIDC_LINK_BY_EMAIL = False
    client, _ = sign_on("amir")
    assert who(client) is None


def test_an_inactive_login_stays_out(sign_on: Any, amir: Any) -> None:
    sign_on("amir")
    amir.is_active = False
    amir.save()
    client, answer = sign_on("amir")
    assert (who(client), answer["Location"]) == (None, "/admin/login/")


def test_a_second_factor_is_asked_for_after_it_too(sign_on: Any, amir: Any, approver: Actor) -> None:
    secret = with_code_app(approver)
    client, answer = sign_on("amir")
    assert (who(client), answer["Location"]) == (None, "/account/second/")
    client.post("/account/second/", {"code": code_now(secret)})
    assert who(client) == amir


def test_an_answer_that_was_not_asked_for_is_refused(sign_on: Any, amir: Any) -> None:
    stranger = Client()
    there = Client().post("/account/oidc/sso/login/")
    answer = stranger.get(way_back(there["Location"], "amir"))
    assert who(stranger) is None
    assert "The login did not work" in answer.content.decode()


def test_a_login_by_it_is_no_proof_but_sets_up_its_first_factor(sign_on: Any, amir: Any) -> None:
    amir.set_unusable_password()
    amir.save()
    client, _ = sign_on("amir")
    assert "QR" in client.get("/account/app/").content.decode()
    with_code_app(actor_for(amir))
    assert "Is it you?" in client.get("/account/codes/new/").content.decode()
