"""Exemptions over the API: asked, agreed to by somebody else, withdrawn; every refusal by its code."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from psycopg import sql

URL = "/api/v1/exemptions/"


def _body(**other: Any) -> dict[str, Any]:
    return {
        "entity": "shop.order",
        "role": "some_program",
        "transaction_rows": 60,
        "window_rows": 120,
        "reason": "nightly prices of the warehouse",
        "expires_at": (timezone.now() + timedelta(days=30)).isoformat(),
    } | other


@pytest.fixture
def program(servers: Any) -> Any:
    """A login of another program, for the time of a test."""
    name = f"program_{secrets.token_hex(6)}"
    with psycopg.connect(servers.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_from_the_question_to_the_end(client_of: Any, engineer: Any, approver: Any, auditor: Any, program: str) -> None:
    asker, agreer, reader = client_of(engineer), client_of(approver), client_of(auditor)
    made = asker.post(URL, _body(role=program), format="json")
    assert (made.status_code, made.json()["state"], made.json()["asked_by"]) == (201, "asked", engineer.name)
    address = f"{URL}{made.json()['id']}/"
    assert reader.get(f"{URL}?state=asked").json()["results"][0]["role"] == program
    assert agreer.post(f"{address}agree/").json()["state"] == "in_force"
    assert reader.get(f"{URL}?state=in_force").json()["results"][0]["agreed_by"] == approver.name
    again = agreer.post(f"{address}agree/")
    assert (again.status_code, again.json()["code"]) == (409, "exemption_not_open")
    assert asker.post(f"{address}withdraw/").json()["state"] == "void"
    assert reader.get(f"{URL}?state=in_force").json()["results"] == []


def test_nobody_agrees_to_their_own(client_of: Any, persona: Any, program: str) -> None:
    both = persona("engineer", "approver", name="Both Hats")
    made = client_of(both).post(URL, _body(role=program), format="json").json()
    refused = client_of(both).post(f"{URL}{made['id']}/agree/")
    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"role": "custody_app"}, "login_not_exemptible"),
        ({"window_rows": 1}, "window_too_small"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "bad_expiry"),
        ({"reason": "x"}, "reason_too_short"),
        ({"entity": "no.such"}, "unknown_entity"),
        ({"transaction_rows": 0}, "invalid_fields"),
        ({"more": 1}, "invalid_fields"),
    ],
)
def test_bad_terms_are_refused_by_code(client_of: Any, engineer: Any, sent: dict[str, Any], code: str) -> None:
    answer = client_of(engineer).post(URL, _body() | sent, format="json")
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code


def test_who_may_not_is_refused(client_of: Any, operator: Any, auditor: Any) -> None:
    assert client_of(operator).get(URL).status_code == 403
    assert client_of(auditor).post(URL, _body(), format="json").status_code == 403
    assert client_of(auditor).get(f"{URL}?state=x").json()["code"] == "bad_parameter"
