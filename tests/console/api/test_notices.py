"""Notices, preferences and receivers over the API; every refusal by its code, and no secret twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from approvals.notices import delivering
from approvals.notices.kinds import Kind
from approvals.notices.telling import tell
from foundation.context import acting

URL = "/api/v1/notices/"
RECEIVERS = "/api/v1/receivers/"
WEBHOOK = {"channel": "webhook", "name": "Ledger", "address": "http://1.1.1.1:9/T0KEN"}


def say(actor: Any, times: int = 1) -> None:
    with acting(actor), transaction.atomic():
        for _ in range(times):
            tell(Kind.REMINDER, persons=[actor.person_id])


def test_the_inbox_is_paged_and_marked_read(client_of: Any, operator: Any) -> None:
    say(operator, 3)
    client = client_of(operator)
    first = client.get(f"{URL}?page_size=2").json()
    rest = client.get(first["next"]).json()
    assert [len(first["results"]), len(rest["results"]), rest["next"]] == [2, 1, None]
    newest, second = first["results"]
    assert newest["kind"] == "reminder"
    assert newest["read_at"] is None
    assert client.post(f"{URL}{newest['id']}/read/").json()["read_at"] is not None
    assert client.post(f"{URL}read/", {"up_to": second["id"]}, format="json").json() == {"read": 2, "unread": 0}
    assert client.get(f"{URL}?unread=1").json()["results"] == []
    assert client.get(f"{URL}?unread=2").json()["code"] == "bad_parameter"


def test_nobody_reads_anothers(client_of: Any, operator: Any, approver: Any, outsider: Any) -> None:
    say(operator)
    key = client_of(operator).get(URL).json()["results"][0]["id"]
    refused = client_of(approver).post(f"{URL}{key}/read/")
    assert (refused.status_code, refused.json()["code"]) == (404, "notice_not_found")
    assert client_of(outsider).get(URL).status_code == 403


def test_preferences_are_put_and_shown_without_the_chat_address(client_of: Any, operator: Any) -> None:
    client = client_of(operator)
    assert client.get(f"{URL}preferences/").json()["ways"]["break_glass"] == ["app", "chat", "email"]
    address = "discord://123456789012345678/" + "a" * 68
    sent = {"ways": {"reminder": ["chat"]}, "chat_address": address, "quiet_from": "22:00", "quiet_to": "07:00"}
    shown = client.put(f"{URL}preferences/", sent, format="json").json()
    assert (shown["ways"]["reminder"], shown["chat"], shown["quiet_from"]) == (["chat"], "discord://…", "22:00")
    assert "aaaa" not in repr(client.get(f"{URL}preferences/").json())


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"ways": {"x": []}}, "unknown_message_kind"),
        ({"ways": {"reminder": ["fax"]}}, "unknown_way"),
        ({"ways": {}, "zone": "x"}, "unknown_zone"),
        ({"ways": {}, "language": "x"}, "unknown_language"),
        ({"ways": {}, "quiet_from": "1"}, "wrong_quiet_hours"),
        ({"ways": {}, "chat_address": "exec://x"}, "chat_address_unusable"),
        ({"ways": []}, "invalid_fields"),
        ({}, "invalid_fields"),
        ({"ways": {}, "more": 1}, "invalid_fields"),
    ],
)
def test_bad_preferences_are_refused_by_code(client_of: Any, operator: Any, sent: Any, code: str) -> None:
    answer = client_of(operator).put(f"{URL}preferences/", sent, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_receiver_from_its_secret_to_its_last_delivery(client_of: Any, administrator: Any) -> None:
    client = client_of(administrator)
    made = client.post(RECEIVERS, WEBHOOK, format="json")
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    listed = client.get(RECEIVERS).json()["results"]
    assert "secret" not in listed[0]
    assert "T0KEN" not in repr(listed)
    one = f"{RECEIVERS}{made.json()['id']}/"
    assert client.post(f"{one}secret/").json()["secret"] != made.json()["secret"]
    tested = client.post(f"{one}test/").json()
    assert (tested["kind"], tested["state"]) == ("test", "waiting")
    assert client.post(f"{one}off/").json()["disabled_at"] is not None
    again = client.post(f"{one}off/")
    assert (again.status_code, again.json()["code"]) == (409, "receiver_unchanged")
    delivering.deliver_due()
    (dropped,) = client.get("/api/v1/deliveries/?state=dropped").json()["results"]
    assert dropped["error"] == "switched_off"
    client.post(f"{one}on/")
    assert client.post(f"/api/v1/deliveries/{dropped['id']}/again/").json()["uuid"] == tested["uuid"]
    twice = client.post(f"/api/v1/deliveries/{dropped['id']}/again/")
    assert (twice.status_code, twice.json()["code"]) == (409, "delivery_not_ended")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"address": "http://169.254.169.254/"}, "address_refused"),
        ({"address": "http://2130706433/"}, "address_refused"),
        ({"address": "gopher://1.1.1.1/"}, "webhook_address_unusable"),
        ({"channel": "email"}, "unknown_channel"),
        ({"kinds": ["x"]}, "unknown_message_kind"),
        ({"name": " "}, "receiver_name_taken"),
        ({"secret": "mine"}, "invalid_fields"),
    ],
)
def test_bad_receivers_are_refused_by_code(client_of: Any, administrator: Any, sent: Any, code: str) -> None:
    answer = client_of(administrator).post(RECEIVERS, WEBHOOK | sent, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_who_may_not_is_refused(client_of: Any, operator: Any, auditor: Any) -> None:
    assert client_of(operator).get(RECEIVERS).status_code == 403
    assert client_of(auditor).get(RECEIVERS).status_code == 200
    assert client_of(auditor).get("/api/v1/deliveries/?state=x").json()["code"] == "bad_parameter"
    for address in (RECEIVERS, f"{RECEIVERS}1/off/", f"{RECEIVERS}1/secret/", "/api/v1/deliveries/1/again/"):
        assert client_of(auditor).post(address, WEBHOOK, format="json").status_code == 403
