"""Checks and legal holds by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from foundation.actor import Actor
from foundation.context import acting
from tests.journey import ask, keys_of
from tests.personas import orders, user_of

pytestmark = pytest.mark.django_db
TERMS = {"name": "Case Miller", "matter": "2026-17", "reason": "asked for by the court", "entity": "shop.order"}


def post(actor: Actor, path: str, body: Any) -> Any:
    client = Client()
    client.force_login(user_of(actor), backend="django.contrib.auth.backends.ModelBackend")
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def test_a_hold_is_placed_found_by_the_checks_and_lifted(operator: Actor, auditor: Actor, approver: Actor) -> None:
    with acting(operator):
        rows = orders(12)
    change = ask(operator, "shop.order", keys_of(rows)).change
    placed = post(auditor, "holds/", {**TERMS, "scope": "rows", "selection": keys_of(rows[:3])})
    assert (placed.status_code, placed.json()["rows"]) == (201, 3)
    run = post(operator, f"changes/{change.pk}/preflight/", {})
    assert (run.status_code, run.json()["blocked"], run.json()["moment"]) == (201, True, "again")
    draft = post(operator, f"changes/{change.pk}/exclude/", {"check": "legal_hold"})
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")
    assert draft.json()["selection"] == keys_of(rows[3:])
    refused = post(operator, "changes/", {"entity": "shop.order", "operation": "delete", "selection": keys_of(rows),
                                          "reason": "nobody needs these"})  # fmt: skip
    assert (refused.status_code, refused.json()["code"]) == (409, "preflight_blocks")
    hold = placed.json()["id"]
    assert post(auditor, f"holds/{hold}/lift/", {"reason": "the case is closed"}).json()["code"] == "own_hold"
    assert post(approver, f"holds/{hold}/lift/", {"reason": "the case is closed"}).json()["lifted_by"] == approver.name
    assert not post(operator, f"changes/{change.pk}/preflight/", {}).json()["blocked"]


def test_what_cannot_be_held_is_named(auditor: Actor) -> None:
    answer = post(auditor, "holds/", {**TERMS, "scope": "world"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_hold_scope", "scope")
