"""Checks before a change: at the request, at a vote, before a start; each kept, none a traceback, blocks name the way out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import ProgrammingError, connection, transaction

from approvals import decisions, starting
from approvals.models import Ticket
from audit.entity import Governance
from changes import preflight
from changes.errors import PreflightBlocks, WrongState
from changes.models import Change, PreflightRun
from changes.preflight import register
from changes.preflight.base import PASS, Check, Finding
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.databases import RealDatabase
from tests.journey import agree, ask, carry_out, keys_of, undo
from tests.personas import logs, orders, tags
from tests.servers import PROJECT


def found(change: Change, check: str) -> dict[str, Any]:
    """The latest finding of a check."""
    return next(one for one in preflight.standing(change).findings if one["check"] == check)


def own(monkeypatch: pytest.MonkeyPatch, ask: Any, **more: Any) -> Check:
    """A check of a project, registered for this test."""
    check = Check(name="own", label="Own", ask=ask, **{"way": "Do this instead."} | more)
    monkeypatch.setitem(register.CHECKS, "own", check)
    return check


@pytest.fixture
def few(settings: Any) -> None:
    settings.CUSTODY_LARGE_ROWS = 20


@pytest.mark.django_db
class TestSize:
    def test_more_rows_than_allowed_are_refused_with_the_way_out(self, few: None, at_work: Actor) -> None:
        with pytest.raises(PreflightBlocks) as refused:
            ask(at_work, "shop.order", keys_of(orders(21)))
        assert "Size" in str(refused.value)
        assert "Ask for fewer rows at once" in str(refused.value)
        assert refused.value.facts["findings"][0]["facts"]["limit"] == 20
        assert not Change.objects.exists()

    def test_at_the_limit_it_passes(self, few: None, at_work: Actor) -> None:
        assert found(ask(at_work, "shop.order", keys_of(orders(20))).change, "size")["level"] == "pass"

    def test_a_table_that_declares_it_may_be_changed_at_large(self, few: None, at_work: Actor) -> None:
        assert found(ask(at_work, "shop.usertag", keys_of(tags(21))).change, "size")["level"] == "warn"
        assert not Order.governance.allow_large
        assert not Governance(label="x").allow_large, "silence is no declaration"

    def test_a_role_may_be_allowed_so_many(self, few: None, engineer: Actor) -> None:
        with acting(engineer):
            rows = orders(21)
        one = found(ask(engineer, "shop.order", keys_of(rows)).change, "size")
        assert (one["level"], one["facts"]["by"]) == ("warn", "role")

    def test_bringing_rows_back_is_never_too_large(self, settings: Any, at_work: Actor, approver: Actor) -> None:
        done = carry_out(ask(at_work, "shop.order", keys_of(orders(21))), at_work, approver)
        settings.CUSTODY_LARGE_ROWS = 20
        back = undo(done, at_work, approver)
        assert (back.applied, found(back, "size")["level"]) == (21, "warn")

    def test_nought_turns_the_limit_off(self, settings: Any, at_work: Actor) -> None:
        settings.CUSTODY_LARGE_ROWS = 0
        assert found(ask(at_work, "shop.order", keys_of(orders(21))).change, "size")["level"] == "pass"


@pytest.mark.django_db
class TestRuns:
    def test_each_run_is_kept_with_time_person_and_results(self, at_work: Actor, approver: Actor) -> None:
        outcome = ask(at_work, "shop.order", keys_of(orders(11)))
        agree(outcome.ticket, approver)
        starting.start(outcome.change.pk, actor=at_work)
        runs = PreflightRun.objects.filter(change=outcome.change).order_by("pk")
        assert [(run.moment, run.name, run.blocked) for run in runs] == [
            ("request", at_work.name, False),
            ("vote", approver.name, False),
            ("start", at_work.name, False),
        ]
        assert {one["check"] for one in runs[2].findings} >= {"permission", "size", "primary_key", "foreign_keys"}
        assert runs[0].made_at <= runs[1].made_at <= runs[2].made_at

    def test_a_block_at_the_vote_refuses_it_and_is_kept(
        self, at_work: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcome = ask(at_work, "shop.order", keys_of(orders(11)))
        own(monkeypatch, lambda subject: Finding("own", "block", "x", {"text": "Not today."}))
        with pytest.raises(PreflightBlocks, match=r"Own\. Do this instead\."):
            agree(outcome.ticket, approver)
        assert PreflightRun.objects.get(moment="vote").blocked
        assert Ticket.objects.get().votes.count() == 0

    def test_a_rejection_is_always_possible(
        self, at_work: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = ask(at_work, "shop.order", keys_of(orders(11))).ticket
        assert ticket is not None
        own(monkeypatch, lambda subject: Finding("own", "block", "x"))
        with acting(approver):
            decisions.vote(ticket.pk, actor=approver, decision="reject", digest=ticket.digest, reason="no")
        assert Ticket.objects.get().state == Ticket.State.REJECTED

    def test_a_block_at_the_start_refuses_it_and_the_change_stays_ready(
        self, at_work: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcome = ask(at_work, "shop.order", keys_of(orders(11)))
        agree(outcome.ticket, approver)
        own(monkeypatch, lambda subject: Finding("own", "block", "x") if subject.moment == "start" else None)
        with pytest.raises(PreflightBlocks):
            starting.start(outcome.change.pk, actor=at_work)
        outcome.change.refresh_from_db()
        assert outcome.change.state == State.CLEARED
        assert PreflightRun.objects.get(moment="start").blocked

    def test_warnings_that_appeared_since_are_told(self, at_work: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(11))).change
        assert preflight.standing(change).worse == frozenset()
        own(monkeypatch, lambda subject: Finding("own", "warn", "x"))
        preflight.again(change.pk, actor=at_work)
        assert preflight.standing(change).worse == {"own"}

    def test_checks_are_not_made_again_once_it_is_over(self, at_work: Actor) -> None:
        done = ask(at_work, "shop.order", keys_of(orders(2))).change
        with pytest.raises(WrongState):
            preflight.again(done.pk, actor=at_work)

    def test_nobody_rewrites_a_run(self, at_work: Actor) -> None:
        ask(at_work, "shop.order", keys_of(orders(11)))
        for statement in ("UPDATE changes_preflightrun SET blocked = false", "DELETE FROM changes_preflightrun"):
            with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


@pytest.mark.django_db
class TestPermission:
    def test_a_lost_role_stops_the_vote_and_the_start(self, at_work: Actor, approver: Actor) -> None:
        ticket = ask(at_work, "shop.order", keys_of(orders(11))).ticket
        agree(ticket, approver)
        user = get_user_model().objects.get(pk=at_work.user_id)
        user.groups.clear()
        user.groups.add(Group.objects.get(name="auditor"))
        second = ask(at_work, "shop.order", keys_of(orders(11))).ticket
        with pytest.raises(PreflightBlocks, match="Permission"):
            agree(second, approver)
        assert ticket is not None
        with pytest.raises(PreflightBlocks, match="Permission"):
            starting.start(ticket.change_id, actor=at_work)


@pytest.mark.django_db
class TestFailing:
    def test_an_error_of_a_check_is_a_block_with_its_text(
        self, at_work: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(subject: Any) -> Finding:
            raise ValueError("the other system says no\nwith details")

        own(monkeypatch, broken)
        with pytest.raises(PreflightBlocks) as refused:
            ask(at_work, "shop.order", keys_of(orders(2)))
        facts = refused.value.facts["findings"][0]["facts"]
        assert facts == {"error": "the other system says no", "kind": "ValueError"}

    def test_bad_sql_leaves_the_other_checks_alone(self, at_work: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(subject: Any) -> Finding:
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing FROM nowhere")
            return Finding("own", PASS, "x")

        change = ask(at_work, "shop.order", keys_of(orders(11))).change
        own(monkeypatch, broken)
        run = preflight.again(change.pk, actor=at_work)
        assert [one["check"] for one in run.findings if one["level"] == "block"] == ["own"]

    def test_a_slow_statement_is_cut_off_and_the_limit_does_not_stay(
        self, at_work: Actor, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.CUSTODY_PREFLIGHT_SECONDS = 0.2

        def slow(subject: Any) -> Finding:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")
            return Finding("own", PASS, "x")

        change = ask(at_work, "shop.order", keys_of(orders(11))).change
        own(monkeypatch, slow)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '1234s'")
            run = preflight.again(change.pk, actor=at_work)
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "1234s"
        assert next(one for one in run.findings if one["check"] == "own")["level"] == "block"

    def test_a_level_nobody_knows_is_a_block(self, at_work: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(11))).change
        own(monkeypatch, lambda subject: Finding("own", "fine", "x"))
        assert preflight.again(change.pk, actor=at_work).blocked


class TestOwn:
    def test_the_setting_registers_it(self, servers: Any) -> None:
        code = "import django; django.setup(); from changes.preflight.register import CHECKS; print(CHECKS['weekend'].label)"
        environment = os.environ | servers.environment("none") | {"CUSTODY_PREFLIGHT": "tests.testapp.weekend.CHECK"}
        environment["DJANGO_SETTINGS_MODULE"] = "console.settings"
        said = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=PROJECT, capture_output=True, text=True
        )
        assert said.stdout == "Weekend\n", said.stderr

    def test_no_check_takes_the_name_of_another(self) -> None:
        from tests.testapp.weekend import CHECK

        with pytest.raises(ImproperlyConfigured, match="size"):
            register.registered([replace(CHECK, name="size")])
        with pytest.raises(ImproperlyConfigured, match="32"):
            register.registered([replace(CHECK, name="x" * 33)])

    @pytest.mark.django_db
    def test_it_blocks_with_its_own_way_out(self, at_work: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.testapp.weekend import CHECK

        monkeypatch.setitem(register.CHECKS, "weekend", CHECK)
        with pytest.raises(PreflightBlocks, match=r"Weekend\. Ask for it on Monday\."):
            ask(at_work, "shop.order", keys_of(orders(2)), reason="done on the weekend")
        assert ask(at_work, "shop.order", keys_of(orders(2))).change.pk


@pytest.fixture
def cleared(real_db: RealDatabase, operator: Actor, approver: Actor) -> Iterator[Change]:
    """Eleven orders, approved."""
    with acting(operator):
        rows = orders(11)
    outcome = ask(operator, "shop.order", keys_of(rows))
    agree(outcome.ticket, approver)
    with acting(operator):
        yield outcome.change


class TestTables:
    def test_who_locks_the_table_for_long_blocks_the_start_and_warns_before(
        self, cleared: Change, real_db: RealDatabase, operator: Actor, settings: Any
    ) -> None:
        settings.CUSTODY_THROTTLE_LOCK_WAIT = 0.001
        with real_db.owner() as holder, holder.transaction():
            holder.execute("LOCK TABLE shop_order IN SHARE MODE")
            assert found_now(cleared, operator, "locks")["level"] == "warn"
            with pytest.raises(PreflightBlocks, match="Locks"):
                starting.start(cleared.pk, actor=operator)
            facts = PreflightRun.objects.get(moment="start").findings
            holders = next(one for one in facts if one["check"] == "locks")["facts"]["holders"]
            assert holders[0]["mode"] == "ShareLock"
        assert starting.start(cleared.pk, actor=operator).state == State.RUNNING

    def test_a_table_without_its_key_is_refused(self, cleared: Change, real_db: RealDatabase, operator: Actor) -> None:
        with real_db.owner() as owner:
            owner.execute("ALTER TABLE shop_orderitem DROP CONSTRAINT shop_orderitem_order_tenant_fk")
            owner.execute("ALTER TABLE shop_order DROP CONSTRAINT shop_order_pkey")
        with pytest.raises(PreflightBlocks, match="Primary key"):
            starting.start(cleared.pk, actor=operator)

    def test_foreign_keys_without_an_index_are_named(
        self, cleared: Change, real_db: RealDatabase, operator: Actor
    ) -> None:
        assert found_now(cleared, operator, "foreign_keys")["level"] == "pass"
        with real_db.owner() as owner:
            drop_indexes(owner, "shop_orderitem", "order_id")
        one = found_now(cleared, operator, "foreign_keys")
        assert (one["level"], [key["table"] for key in one["facts"]["keys"]]) == ("warn", ["shop_orderitem"])

    def test_materialized_views_are_named_through_views_too(
        self, cleared: Change, real_db: RealDatabase, operator: Actor
    ) -> None:
        with real_db.owner() as owner:
            owner.execute("CREATE VIEW open_orders AS SELECT id, total FROM shop_order")
            owner.execute("CREATE MATERIALIZED VIEW turnover AS SELECT sum(total) FROM open_orders")
        one = found_now(cleared, operator, "materialized_views")
        assert one["level"] == "warn"
        assert [(view["view"], view["filled"]) for view in one["facts"]["views"]] == [("turnover", True)]


def found_now(change: Change, actor: Actor, check: str) -> dict[str, Any]:
    run = preflight.again(change.pk, actor=actor)
    return next(one for one in run.findings if one["check"] == check)


def drop_indexes(owner: psycopg.Connection, table: str, column: str) -> None:
    names = owner.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = %s AND indexdef LIKE %s", [table, f"%({column})%"]
    ).fetchall()
    for (name,) in names:
        owner.execute(f'DROP INDEX "{name}"'.encode())


@pytest.mark.django_db
def test_many_logs_need_no_role(few: None, at_work: Actor) -> None:
    assert ask(at_work, "shop.behaviourlog", keys_of(logs(21))).change.state == State.RUNNING
