"""Everything told arrives at least once under one id, whoever dies on the way; what cannot arrive ends where people see it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import current_app
from django.db import connection, connections, transaction

from approvals.notices import delivering, receivers
from approvals.notices.errors import DeliveryNotEnded, DeliveryNotFound
from approvals.notices.kinds import Kind
from approvals.notices.models import Delivery
from approvals.notices.telling import tell
from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting
from tests.databases import RealDatabase
from tests.listeners import Listener
from tests.servers import PROJECT

LOOKER = Actor.service("looker", tenant_id=1)


def say(times: int = 1) -> None:
    with acting(LOOKER):
        for number in range(times):
            with transaction.atomic():
                tell(Kind.RULE_CHANGED, facts={"rule": number})


def rows() -> list[Delivery]:
    with acting(LOOKER):
        return list(Delivery.objects.order_by("pk"))


def make_due() -> None:
    """As if every pause and every lease were over."""
    with acting(LOOKER), connection.cursor() as cursor:
        cursor.execute("UPDATE approvals_delivery SET next_at = now() - interval '1 second' WHERE state = 'waiting'")


def ids(listener: Listener) -> list[str]:
    return [json.loads(one.body)["id"] for one in listener.heard]


@pytest.mark.django_db
class TestRetrying:
    def test_what_arrives_is_sent_once(self, webhook: Any, listener: Listener) -> None:
        say(3)
        assert delivering.deliver_due() == 3
        assert delivering.deliver_due() == 0
        assert sorted(ids(listener)) == sorted(str(one.uuid) for one in rows())
        assert {(one.state, one.attempts) for one in rows()} == {("sent", 1)}

    def test_what_fails_waits_longer_each_time_by_the_clock_of_the_database(
        self, webhook: Any, listener: Listener
    ) -> None:
        say()
        listener.answers = [500, 503, 429]
        for attempts, pause in ((1, 15), (2, 30), (3, 60)):
            assert delivering.deliver_due() == 0
            with acting(LOOKER), connection.cursor() as cursor:
                cursor.execute("SELECT extract(epoch FROM next_at - statement_timestamp()) FROM approvals_delivery")
                left = float(cursor.fetchone()[0])
            assert pause - 5 < left <= pause * 1.2
            (row,) = rows()
            assert (row.state, row.attempts) == ("waiting", attempts)
            assert row.error.startswith("http_")
            assert delivering.deliver_due() == 0
            assert len(listener.heard) == attempts
            make_due()
        assert delivering.deliver_due() == 1
        assert len(set(ids(listener))) == 1

    def test_pauses_double_up_to_six_hours(self) -> None:
        pauses = [delivering.pause_after(number) for number in range(1, 13)]
        assert pauses[:4] == [timedelta(seconds=15 * 2**n) for n in range(4)]
        assert pauses == sorted(pauses)
        assert pauses[-1] == timedelta(hours=6)

    def test_after_ten_attempts_it_is_given_up_and_can_be_sent_again_under_its_id(
        self, webhook: Any, listener: Listener, administrator: Actor
    ) -> None:
        say()
        listener.answers = [500] * delivering.ATTEMPTS
        for _ in range(delivering.ATTEMPTS + 2):
            make_due()
            delivering.deliver_due()
        (dead,) = rows()
        assert (dead.state, dead.attempts, dead.error) == ("dead", 10, "http_500")
        assert len(listener.heard) == 10
        with acting(administrator):
            again = receivers.send_again(dead.pk, actor=administrator)
            assert (again.state, again.attempts, again.uuid) == ("waiting", 0, dead.uuid)
            with pytest.raises(DeliveryNotEnded):
                receivers.send_again(dead.pk, actor=administrator)
            with pytest.raises(DeliveryNotFound):
                receivers.send_again(dead.pk + 1, actor=administrator)
            assert Event.objects.filter(action="delivery.sent_again").count() == 1
        assert delivering.deliver_due() == 1
        assert len(set(ids(listener))) == 1

    def test_gone_is_given_up_at_once(self, webhook: Any, listener: Listener) -> None:
        say()
        listener.answers = [410]
        delivering.deliver_due()
        assert [(one.state, one.error) for one in rows()] == [("dead", "gone")]

    def test_one_that_kills_each_deliverer_ends_too(self, webhook: Any, listener: Listener) -> None:
        say()
        with acting(LOOKER):
            Delivery.objects.update(attempts=delivering.ATTEMPTS)
        delivering.deliver_due()
        assert [(one.state, one.error) for one in rows()] == [("dead", "interrupted")]
        assert listener.heard == []

    def test_a_receiver_that_fails_is_asked_once_a_round_and_holds_nobody_up(
        self, webhook: Any, listener: Listener, administrator: Actor
    ) -> None:
        with acting(administrator):
            broken = receivers.Wish(channel="webhook", name="Broken", address="http://127.0.0.1:1/")
            receivers.add(broken, actor=administrator)
        say(4)
        assert delivering.deliver_due() == 4
        assert sorted(one.attempts for one in rows()) == [0, 0, 0, 1, 1, 1, 1, 1]

    def test_a_receiver_that_was_switched_off_hears_nothing_more(
        self, webhook: Any, listener: Listener, administrator: Actor
    ) -> None:
        say()
        with acting(administrator):
            receivers.switch(webhook[0].pk, on=False, actor=administrator)
        say()
        assert delivering.deliver_due() == 0
        assert [(one.state, one.error) for one in rows()] == [("dropped", "switched_off")]
        assert listener.heard == []

    def test_a_secret_whose_key_is_lost_ends_visibly(self, webhook: Any, listener: Listener, settings: Any) -> None:
        say()
        settings.CUSTODY_SEALING_KEYS = ["another key of at least 32 signs.."]
        delivering.deliver_due()
        assert [(one.state, one.error) for one in rows()] == [("dead", "seal_broken")]


class TestAtLeastOnce:
    def test_a_deliverer_killed_between_sending_and_writing_it_down_sends_again_under_the_same_id(
        self, real_db: RealDatabase, webhook: Any, listener: Listener
    ) -> None:
        say()
        assert deliverer(real_db, "die-after-sending").wait(60) == -9
        assert len(listener.heard) == 1
        (row,) = rows()
        assert (row.state, row.attempts) == ("waiting", 1)
        assert delivering.deliver_due() == 0  # its lease has not ended
        make_due()
        assert delivering.deliver_due() == 1
        assert ids(listener) == [str(row.uuid)] * 2
        assert [one.state for one in rows()] == ["sent"]

    def test_two_deliverers_at_once_send_each_once(
        self, real_db: RealDatabase, webhook: Any, listener: Listener
    ) -> None:
        say(40)
        ready = threading.Barrier(4)

        def work() -> None:
            ready.wait()
            delivering.deliver_due()
            connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids(listener)) == len(set(ids(listener))) == 40
        assert {(one.state, one.attempts) for one in rows()} == {("sent", 1)}

    def test_two_processes_at_once_send_each_once(
        self, real_db: RealDatabase, webhook: Any, listener: Listener
    ) -> None:
        say(30)
        both = [deliverer(real_db), deliverer(real_db)]
        sent = [int(one.communicate(timeout=60)[0]) for one in both]
        assert sum(sent) == 30
        assert len(ids(listener)) == len(set(ids(listener))) == 30

    def test_without_the_lock_two_would_take_the_same(
        self, real_db: RealDatabase, webhook: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sabotage: a claim that neither locks nor moves the next attempt ahead sends twice."""
        unlocked = "SELECT id FROM approvals_delivery WHERE state = 'waiting' AND (%s, %s, %s, %s, %s) IS NOT NULL"
        monkeypatch.setattr(delivering, "CLAIM", unlocked)
        say()
        with acting(LOOKER):
            first, second = delivering.claim(1), delivering.claim(1)
            assert first is not None
            assert second is not None
            assert delivering.attempt(first)
            assert not delivering.attempt(second)
        assert len(ids(listener)) == 2

    def test_a_broker_that_is_emptied_loses_nothing(
        self, real_db: RealDatabase, broker: str, valkey: Any, webhook: Any, listener: Listener
    ) -> None:
        """What wakes a deliverer is thrown away before anybody hears it; the next beat finds the rows."""
        say(5)
        for _ in range(5):
            current_app.send_task("approvals.deliver")
        with redis.Redis.from_url(valkey.cache_url) as client:
            client.flushall()
        assert listener.heard == []
        assert delivering.deliver_due() == 5


def deliverer(real_db: RealDatabase, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.approvals.notices.deliverer", *arguments],
        cwd=PROJECT,
        env=real_db.env | {"CUSTODY_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"},
        stdout=subprocess.PIPE,
        text=True,
    )
