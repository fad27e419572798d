"""The page of exemptions: the list, the form with what was typed, and the steps of two persons."""

from __future__ import annotations

import secrets
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone
from psycopg import sql

URL = "/admin/exemptions/"


@pytest.fixture
def program(servers):
    """A login of another program, for the time of a test."""
    name = f"program_{secrets.token_hex(6)}"
    with psycopg.connect(servers.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def form(program: str, **other: str) -> dict[str, str]:
    day = (timezone.now() + timedelta(days=9)).date().isoformat()
    return {
        "entity": "shop.order",
        "role": program,
        "transaction_rows": "60",
        "window_rows": "120",
        "reason": "nightly prices of the warehouse",
        "expires_on": day,
    } | other


def test_one_asks_another_agrees_either_withdraws(as_, engineer, approver, program):
    asker, agreer = as_(engineer), as_(approver)
    assert asker.post(f"{URL}ask/", form(program)).status_code == 302
    seen = asker.get(URL).content.decode()
    assert program in seen
    assert "waiting for agreement" in seen
    assert ">Agree<" not in seen
    page = agreer.get(URL)
    assert ">Agree<" in page.content.decode()
    row = page.context["rows"][0]["exemption"]
    agreer.post(f"{URL}{row.pk}/agree/")
    assert "in force" in asker.get(URL).content.decode()
    asker.post(f"{URL}{row.pk}/withdraw/")
    assert "withdrawn" in agreer.get(URL).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("transaction_rows", "many", "whole number"),
        ("window_rows", "0", "whole number"),
        ("window_rows", "59", "at least as many"),
        ("expires_on", "2020-01-01", "within a year"),
        ("expires_on", "2020-02-31", "within a year"),
        ("role", "custody_app", "no login that can be exempted"),
        ("reason", "x", "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(as_, engineer, program, field, value, said):
    answer = as_(engineer).post(f"{URL}ask/", form(program, **{field: value}))
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert f'value="{program}"' in answer.content.decode() or field == "role"


def test_a_second_agreement_is_told_not_to_count(as_, engineer, approver, program):
    as_(engineer).post(f"{URL}ask/", form(program))
    client = as_(approver)
    key = client.get(URL).context["rows"][0]["exemption"].pk
    client.post(f"{URL}{key}/agree/")
    assert "Nothing was changed" in client.post(f"{URL}{key}/agree/", follow=True).content.decode()


def test_who_only_reads_sees_no_form(as_, auditor):
    page = as_(auditor).get(URL)
    assert page.status_code == 200
    assert "Ask for an exemption" not in page.content.decode()
