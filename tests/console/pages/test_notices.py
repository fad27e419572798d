"""Pages of notices and receivers: one's own inbox, how one is told, who is told outside."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from django.db import transaction

from approvals.notices import delivering, inbox, preferences
from approvals.notices.kinds import CHOSEN, Kind
from approvals.notices.models import Delivery, Receiver
from approvals.notices.telling import tell
from foundation.context import acting

URL = "/admin/notices/"
RECEIVERS = "/admin/receivers/"


@pytest.fixture
def public(monkeypatch):
    """Every name is a public address, and nothing is connected to."""
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answer)


def say(actor, kind=Kind.REMINDER, times=1):
    with acting(actor), transaction.atomic():
        for _ in range(times):
            tell(kind, persons=[actor.person_id])


class TestInbox:
    def test_the_bell_counts_and_opening_one_marks_it_read(self, as_, operator):
        say(operator, Kind.RUN_FAILED)
        client = as_(operator)
        page = client.get(URL)
        assert page.context["unread"] == 1
        assert 'class="c-sr"> unread<' in page.content.decode()
        (row,) = page.context["rows"]
        assert (row.unread, row.tone) == (True, "bad")
        assert client.get(f"{URL}{row.key}/")["Location"] == URL
        assert client.get(URL).context["unread"] == 0
        assert client.get(f"{URL}?tab=unread").context["rows"] == []

    def test_pages_go_by_key_and_all_read_stops_at_what_was_seen(self, as_, operator):
        say(operator, times=30)
        client = as_(operator)
        first = client.get(URL).context
        second = client.get(URL + first["older"]).context
        assert (len(first["rows"]), len(second["rows"]), second["older"]) == (25, 5, "")
        say(operator)
        client.post(f"{URL}read/", {"newest": first["newest"]})
        assert client.get(URL).context["unread"] == 1

    def test_nobody_opens_anothers(self, as_, operator, approver):
        say(operator)
        with acting(operator):
            key = inbox.of(operator)[0].pk
        client = as_(approver)
        assert client.get(f"{URL}{key}/").status_code == 404
        assert client.post(f"{URL}{key}/read/").status_code == 404
        assert client.get(f"{URL}{key}/read/").status_code == 405
        with acting(operator):
            assert inbox.unread_count(operator) == 1

    def test_a_list_costs_the_same_however_long(self, as_, operator, django_assert_max_num_queries):
        client = as_(operator)
        say(operator, times=25)
        with django_assert_max_num_queries(14):
            client.get(URL)

    def test_who_has_no_role_has_no_bell(self, as_, outsider):
        assert as_(outsider).get(URL).status_code == 403
        assert "sh-bell" not in as_(outsider).get("/admin/").content.decode()

    def test_hostile_titles_are_text(self, as_, operator, approver):
        from tests.journey import ask, keys_of
        from tests.personas import orders

        with acting(operator):
            ask(operator, "shop.order", keys_of(orders(12)), title="<script>alert(1)</script>")
        page = as_(approver).get(URL).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page

    def test_it_is_chinese_in_chinese(self, as_, operator):
        say(operator, Kind.RULE_CHANGED)
        page = as_(operator).get(URL, headers={"Accept-Language": "zh-hans"}).content.decode()
        assert "规则已更改" in page


class TestPreferences:
    def form(self, **more: Any) -> dict[str, Any]:
        boxes = {f"way-{kind}": ["app"] for kind in CHOSEN}
        return boxes | {"language": "", "chat_address": "", "quiet_from": "", "quiet_to": "", "zone": "UTC"} | more

    def test_what_is_chosen_is_shown_again(self, as_, operator):
        client = as_(operator)
        sent = self.form(quiet_from="22:00", quiet_to="07:00", zone="Europe/Zurich", language="zh-hans")
        del sent["way-reminder"]
        assert client.post(f"{URL}settings/keep/", sent).status_code == 302
        page = client.get(f"{URL}settings/")
        assert page.context["typed"] == {
            "quiet_from": "22:00", "quiet_to": "07:00", "zone": "Europe/Zurich", "language": "zh-hans",
        }  # fmt: skip
        shown = {choice.name: [way.name for way in choice.ways if way.on] for choice in page.context["choices"]}
        assert (shown["reminder"], shown["run_failed"]) == ([], ["app"])
        with acting(operator):
            assert preferences.ways_of(preferences.of(operator.person_id), "reminder") == frozenset()

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"zone": "Mars"}, "no time zone"),
            ({"quiet_from": "22:00"}, "Quiet hours need"),
            ({"chat_address": "file:///etc/passwd"}, "no chat address"),
        ],
    )
    def test_what_is_wrong_is_said_and_what_was_typed_stays(self, as_, operator, sent, said):
        answer = as_(operator).post(f"{URL}settings/keep/", self.form(zone="Asia/Shanghai") | sent)
        assert answer.status_code == 400
        assert said in answer.content.decode()
        assert answer.context["typed"]["zone"] == sent.get("zone", "Asia/Shanghai")

    def test_a_chat_address_is_never_shown_again_stays_and_can_be_forgotten(self, as_, operator):
        client, token = as_(operator), "a" * 68
        client.post(f"{URL}settings/keep/", self.form(chat_address=f"discord://123456789012345678/{token}"))
        assert token not in client.get(f"{URL}settings/").content.decode()
        client.post(f"{URL}settings/keep/", self.form())
        assert client.get(f"{URL}settings/").context["chat_hint"] == "discord://…"
        client.post(f"{URL}settings/keep/", self.form(forget_chat="1"))
        assert client.get(f"{URL}settings/").context["chat_hint"] == ""


class TestReceivers:
    def add(self, client, **more):
        sent = {"channel": "webhook", "name": "Ledger", "address": "https://hooks.example/T0KEN"} | more
        return client.post(f"{RECEIVERS}add/", sent)

    def test_a_secret_is_shown_once(self, as_, administrator, public):
        client = as_(administrator)
        answer = self.add(client, kinds=["break_glass"])
        secret = answer.context["secret"]
        assert secret in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        page = client.get(RECEIVERS).content.decode()
        assert secret not in page
        assert "T0KEN" not in page
        assert "https://hooks.example/…" in page
        with acting(administrator):
            key = Receiver.objects.get().pk
        renewed = client.post(f"{RECEIVERS}{key}/secret/").context["secret"]
        assert renewed != secret

    def test_it_is_switched_tested_and_sent_again(self, as_, administrator, public):
        client = as_(administrator)
        self.add(client)
        with acting(administrator):
            key = Receiver.objects.get().pk
        client.post(f"{RECEIVERS}{key}/test/")
        client.post(f"{RECEIVERS}{key}/off/")
        delivering.deliver_due()
        page = client.get("/admin/deliveries/?state=dropped")
        (row,) = page.context["rows"]
        assert (row.problem, row.again) == ("the receiver is switched off", True)
        assert "Send again" in page.content.decode()
        client.post(f"{RECEIVERS}{key}/on/")
        client.post(f"/admin/deliveries/{row.key}/again/")
        with acting(administrator):
            assert Delivery.objects.get().state == "waiting"
        assert "Nothing was changed" in client.post(f"{RECEIVERS}{key}/on/", follow=True).content.decode()

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"address": "https://10.0.0.1/"}, "not reachable from outside"),
            ({"address": "ftp://hooks.example/"}, "no address a webhook"),
            ({"channel": "pigeon"}, "no way to a receiver"),
            ({"name": ""}, "Give the receiver a name"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_form(self, as_, administrator, public, sent, said):
        answer = self.add(as_(administrator), **sent)
        assert answer.status_code == 400
        assert said in answer.content.decode()

    def test_auditors_look_and_change_nothing_others_do_not_look(self, as_, administrator, auditor, operator, public):
        self.add(as_(administrator))
        page = as_(auditor).get(RECEIVERS)
        assert page.status_code == 200
        assert not re.search(r"Switch off|Add a receiver", page.content.decode())
        assert self.add(as_(auditor), name="Mine").status_code == 403
        assert as_(operator).get(RECEIVERS).status_code == 403
        assert as_(operator).get("/admin/deliveries/").status_code == 403
