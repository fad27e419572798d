"""Preferences of a person, the inbox, and receivers of a tenant: who may, what is refused, what is recorded."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from access.errors import NotAllowed
from approvals.notices import inbox, preferences, receivers
from approvals.notices.errors import (
    AddressRefused,
    NoSecret,
    NoticeNotFound,
    ReceiverNameTaken,
    ReceiverNotFound,
    ReceiverUnchanged,
    UnknownChannel,
    UnknownKind,
    UnknownLanguage,
    UnknownWay,
    UnknownZone,
    WebhookAddressUnusable,
    WrongQuietHours,
)
from approvals.notices.kinds import Kind
from approvals.notices.models import Delivery, Preference, Receiver
from approvals.notices.preferences import Wanted
from approvals.notices.telling import tell
from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting
from tests.listeners import Listener


def say(actor: Actor, kind: Kind = Kind.REMINDER, times: int = 1) -> None:
    with acting(actor):
        for _ in range(times):
            with transaction.atomic():
                tell(kind, persons=[actor.person_id])


class TestPreferences:
    def test_what_is_chosen_holds_and_can_be_chosen_anew(self, operator: Actor) -> None:
        with acting(operator):
            preferences.choose(Wanted(ways={"reminder": []}), actor=operator)
            say(operator)
            assert inbox.unread_count(operator) == 0
            preferences.choose(Wanted(ways={"reminder": ["app"]}), actor=operator)
            say(operator)
            assert inbox.unread_count(operator) == 1
            assert Preference.objects.count() == 1

    @pytest.mark.parametrize("kind", [Kind.BREAK_GLASS, Kind.AFTER_REVIEW_DUE])
    def test_broken_glass_always_reaches_the_inbox(self, operator: Actor, kind: Kind) -> None:
        with acting(operator):
            preferences.choose(Wanted(ways={kind.value: []}), actor=operator)
        say(operator, kind)
        assert inbox_of(operator) == 1

    @pytest.mark.parametrize(
        ("wanted", "error", "field"),
        [
            ({"ways": {"nonsense": []}}, UnknownKind, "ways"),
            ({"ways": {"test": []}}, UnknownKind, "ways"),
            ({"ways": {"reminder": ["webhook"]}}, UnknownWay, "ways.reminder"),
            ({"language": "xx"}, UnknownLanguage, "language"),
            ({"zone": "Mars/Base"}, UnknownZone, "zone"),
            ({"zone": "../../etc/passwd"}, UnknownZone, "zone"),
            ({"quiet_from": "22:00"}, WrongQuietHours, "quiet_to"),
            ({"quiet_to": "07:00"}, WrongQuietHours, "quiet_from"),
            ({"quiet_from": "25:00", "quiet_to": "07:00"}, WrongQuietHours, "quiet_to"),
            ({"quiet_from": "07:00", "quiet_to": "07:00"}, WrongQuietHours, "quiet_to"),
            ({"quiet_from": "07:00Z", "quiet_to": "08:00Z"}, WrongQuietHours, "quiet_to"),
        ],
    )
    def test_what_is_wrong_names_its_field(
        self, operator: Actor, wanted: dict[str, Any], error: type[Exception], field: str
    ) -> None:
        with acting(operator), pytest.raises(error) as refused:
            preferences.choose(Wanted(**{"ways": {}} | wanted), actor=operator)
        assert refused.value.facts["field"] == field  # type: ignore[attr-defined]

    def test_who_has_no_role_has_nothing_to_choose(self, outsider: Actor) -> None:
        with acting(outsider), pytest.raises(NotAllowed):
            preferences.choose(Wanted(ways={}), actor=outsider)

    def test_two_at_once_leave_one(self, real_db: Any, operator: Actor) -> None:
        ready = threading.Barrier(4)

        def choose() -> None:
            with acting(operator):
                ready.wait()
                preferences.choose(Wanted(ways={}), actor=operator)
            connections.close_all()

        threads = [threading.Thread(target=choose) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with acting(operator):
            assert Preference.objects.count() == 1


class TestQuietHours:
    @pytest.mark.parametrize(
        ("now", "begin", "end", "zone", "until"),
        [
            ("2026-06-01T22:30", "22:00", "07:00", "UTC", "2026-06-02T07:00"),
            ("2026-06-02T06:59", "22:00", "07:00", "UTC", "2026-06-02T07:00"),
            ("2026-06-02T07:00", "22:00", "07:00", "UTC", None),
            ("2026-06-01T21:59", "22:00", "07:00", "UTC", None),
            ("2026-06-01T12:30", "12:00", "13:00", "UTC", "2026-06-01T13:00"),
            ("2026-06-01T15:00", "22:00", "07:00", "Asia/Shanghai", "2026-06-01T23:00"),
        ],
    )
    def test_they_hold_back_until_they_end(self, now: str, begin: str, end: str, zone: str, until: str | None) -> None:
        from datetime import time

        chosen = Preference(quiet_from=time.fromisoformat(begin), quiet_to=time.fromisoformat(end), zone=zone)
        found = preferences.delayed(chosen, datetime.fromisoformat(now).replace(tzinfo=UTC))
        assert found == ({} if until is None else {"next_at": datetime.fromisoformat(until).replace(tzinfo=UTC)})

    def test_e_mail_waits_and_broken_glass_does_not(self, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_EMAIL = True
        hour = datetime.now(UTC).hour
        quiet = {"quiet_from": f"{hour:02}:00", "quiet_to": f"{(hour + 2) % 24:02}:00"}
        with acting(operator):
            preferences.choose(Wanted(ways={}, **quiet), actor=operator)
        say(operator, Kind.REMINDER)
        say(operator, Kind.BREAK_GLASS)
        with acting(operator):
            waits = {one.message.kind: one.next_at > datetime.now(UTC) for one in Delivery.objects.all()}
        assert waits == {"reminder": True, "break_glass": False}


class TestInbox:
    def test_one_is_read_once_and_nobody_reads_anothers(self, operator: Actor, approver: Actor) -> None:
        say(operator)
        with acting(operator):
            (notice,) = inbox.of(operator)
            first = inbox.read(notice.pk, actor=operator).read_at
            assert first is not None
            assert inbox.read(notice.pk, actor=operator).read_at == first
        with acting(approver):
            assert list(inbox.of(approver)) == []
            with pytest.raises(NoticeNotFound):
                inbox.read(notice.pk, actor=approver)

    def test_all_read_stops_at_what_was_seen(self, operator: Actor, approver: Actor) -> None:
        say(operator, times=3)
        say(approver)
        with acting(operator):
            seen = inbox.of(operator)[1].pk
            assert inbox.read_all(seen, actor=operator) == 2
            assert inbox.unread_count(operator) == 1
        assert inbox_of(approver) == 1

    def test_counting_stops_at_a_hundred(self, operator: Actor) -> None:
        say(operator, times=inbox.COUNTED + 5)
        assert inbox_of(operator) == inbox.COUNTED


class TestReceivers:
    def test_the_secret_is_given_once_and_stored_sealed(self, webhook: tuple[Receiver, str]) -> None:
        receiver, secret = webhook
        assert secret.startswith("whsec_")
        assert len(secret) > 40
        assert secret.encode() not in bytes(receiver.secret or b"")
        assert b"/hook" not in bytes(receiver.address)
        assert "hook" not in receiver.hint

    def test_each_act_is_in_the_record_without_the_secret(
        self, webhook: tuple[Receiver, str], administrator: Actor
    ) -> None:
        receiver, secret = webhook
        with acting(administrator):
            receivers.switch(receiver.pk, on=False, actor=administrator)
            receivers.switch(receiver.pk, on=True, actor=administrator)
            _, renewed = receivers.renew_secret(receiver.pk, actor=administrator)
            receivers.try_out(receiver.pk, actor=administrator)
            events = list(Event.objects.filter(target_table="approvals_receiver").order_by("id"))
            assert [event.action for event in events] == [
                "receiver.added", "receiver.switched_off", "receiver.switched_on", "receiver.secret_renewed", "receiver.tried",
            ]  # fmt: skip
            assert {event.operator_name for event in events} == {administrator.name}
            told = repr([event.facts for event in events])
            assert renewed != secret
            assert secret not in told
            assert renewed not in told
            assert "/hook" not in told

    def test_a_renewed_secret_signs_what_comes_next(
        self, webhook: tuple[Receiver, str], administrator: Actor, listener: Listener
    ) -> None:
        with acting(administrator):
            _, renewed = receivers.renew_secret(webhook[0].pk, actor=administrator)
            assert receivers.secret_of(receivers.get(webhook[0].pk)) == renewed

    @pytest.mark.parametrize("role", ["operator", "approver", "auditor", "engineer"])
    def test_only_administrators_manage_them(
        self, webhook: tuple[Receiver, str], request: pytest.FixtureRequest, role: str
    ) -> None:
        actor, key = request.getfixturevalue(role), webhook[0].pk
        wish = receivers.Wish(channel="webhook", name="x", address="https://hooks.example/")
        acts: list[Any] = [
            lambda: receivers.add(wish, actor=actor),
            lambda: receivers.switch(key, on=False, actor=actor),
            lambda: receivers.renew_secret(key, actor=actor),
            lambda: receivers.try_out(key, actor=actor),
        ]
        with acting(actor):
            for act in acts:
                with pytest.raises(NotAllowed):
                    act()

    @pytest.mark.parametrize(
        ("wish", "error"),
        [
            ({"channel": "email"}, UnknownChannel),
            ({"channel": "pigeon"}, UnknownChannel),
            ({"name": "  "}, ReceiverNameTaken),
            ({"name": "x" * 81}, ReceiverNameTaken),
            ({"name": "Ledger"}, ReceiverNameTaken),
            ({"kinds": ["nonsense"]}, UnknownKind),
            ({"address": "http://10.0.0.1/"}, AddressRefused),
            ({"address": "ftp://hooks.example/"}, WebhookAddressUnusable),
        ],
    )
    def test_what_cannot_be_a_receiver_is_refused(
        self, webhook: Any, administrator: Actor, wish: dict[str, Any], error: type[Exception]
    ) -> None:
        asked = {"channel": "webhook", "name": "New", "address": "http://127.0.0.1/x"} | wish
        with acting(administrator), pytest.raises(error):
            receivers.add(receivers.Wish(**asked), actor=administrator)

    def test_wrong_states_are_told(self, webhook: Any, administrator: Actor, settings: Any) -> None:
        settings.CUSTODY_CHAT_SCHEMAS = ["json"]
        with acting(administrator):
            with pytest.raises(ReceiverUnchanged):
                receivers.switch(webhook[0].pk, on=True, actor=administrator)
            with pytest.raises(ReceiverNotFound):
                receivers.get(webhook[0].pk + 1)
            room, _ = receivers.add(
                receivers.Wish(channel="chat", name="Room", address="json://127.0.0.1/x"), actor=administrator
            )
            with pytest.raises(NoSecret):
                receivers.renew_secret(room.pk, actor=administrator)

    def test_another_tenants_administrator_sees_none(self, webhook: Any, persona: Any) -> None:
        other = persona("administrator", name="Other House", tenant=2)
        with acting(other):
            assert not Receiver.objects.exists()
            with pytest.raises(ReceiverNotFound):
                receivers.switch(webhook[0].pk, on=False, actor=other)

    def test_only_the_kinds_it_wants_reach_it(self, listener: Listener, administrator: Actor) -> None:
        with acting(administrator):
            receivers.add(
                receivers.Wish(channel="webhook", name="Few", address=listener.url, kinds=["break_glass"]),
                actor=administrator,
            )
        say(administrator, Kind.REMINDER)
        say(administrator, Kind.BREAK_GLASS)
        with acting(administrator):
            assert [one.message.kind for one in Delivery.objects.filter(channel="webhook")] == ["break_glass"]

    def test_a_webhook_without_a_secret_cannot_be_stored(self, administrator: Actor) -> None:
        with acting(administrator), pytest.raises(IntegrityError), transaction.atomic():
            Receiver.objects.create(tenant_id=1, channel="webhook", name="x", address=b"x", hint="x", made_by="x")


def inbox_of(actor: Actor) -> int:
    with acting(actor):
        return inbox.unread_count(actor)
