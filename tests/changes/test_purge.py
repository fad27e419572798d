"""Purge: only rows whose time has come, only with another person's consent, only after they lie in cold storage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access.errors import NotAllowed
from audit.models import ArchiveFile, Event
from changes.errors import NothingDue
from changes.models import Change, SkippedRow
from changes.states import SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Customer, Order, OrderItem, UserTag
from tests.journey import SHOP, ask, carry_out, checksum, keys_of, undo
from tests.personas import customer, log, logs, order_with_items, tags

LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Any) -> Path:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path / "archive"
    return tmp_path / "archive"


def deleted(rows: list[Any], *, at: datetime = LONG_AGO, policy: str | None = None) -> list[Any]:
    """The rows, archived at that time: as a change would have left them then."""
    more = {"retention_policy": policy} if policy else {}
    for row in rows:
        type(row).objects_and_deleted.filter(pk=row.pk).update(
            is_deleted=True, status="archived", deleted_at=at, **more
        )
    return rows


def purge(engineer: Actor, approver: Actor, entity: str, rows: list[Any], **more: Any) -> Change:
    """Ask, agree, carry out."""
    return carry_out(ask(engineer, entity, keys_of(rows), operation="purge", **more), engineer, approver)


@pytest.fixture
def at_work(engineer: Actor) -> Iterator[Actor]:
    with acting(engineer):
        yield engineer


class TestTheWay:
    def test_due_rows_go_for_good_and_the_record_keeps_them(
        self, db: Any, at_work: Actor, approver: Actor, archive: Path
    ) -> None:
        gone = deleted(logs(5), policy="logs_90d")
        kept = logs(2)
        done = purge(at_work, approver, "shop.behaviourlog", gone)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 5, 0), done.error
        assert list(BehaviourLog.objects_and_deleted.order_by("pk")) == kept
        assert BehaviourLog.history.filter(change_id=done.pk, history_type="-").count() == 5
        assert Event.objects.get(change_id=done.pk, operation="-").affected_rows == 5
        stored = ArchiveFile.objects.get(change_id=done.pk)
        assert (stored.rows, stored.frozen, stored.path) == (5, 5, f"1/shop.behaviourlog/{done.pk}/part-0.parquet")
        assert (archive / stored.path).stat().st_size == stored.bytes

    def test_undo_brings_them_back_under_their_keys(self, db: Any, at_work: Actor, approver: Actor) -> None:
        made = order_with_items(3)
        deleted([*OrderItem.objects.filter(order=made), made], policy="gdpr_30d")
        before = checksum(*SHOP)
        done = purge(at_work, approver, "shop.order", [made])
        assert done.applied == 4
        assert not Order.objects_and_deleted.filter(pk=made.pk).exists()
        back = undo(done, at_work, approver)
        assert (back.state, back.applied, back.skipped) == (State.DONE, 4, 0)
        assert checksum(*SHOP) == before


class TestWhatIsDue:
    def test_rows_that_are_not_due_stay_and_are_counted(self, db: Any, at_work: Actor, approver: Actor) -> None:
        due = deleted(logs(3), policy="logs_90d")
        soon = deleted(logs(2), at=datetime.now(UTC) - timedelta(days=80), policy="logs_90d")
        outcome = ask(at_work, "shop.behaviourlog", keys_of([*due, *soon]), operation="purge")
        finding = next(f for f in outcome.change.preflight if f["check"] == "retention")
        assert (finding["level"], finding["facts"]["rows"], finding["facts"]["due"]) == ("warn", 5, 3)
        day = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
        assert finding["facts"]["next_due"].startswith(day)
        assert carry_out(outcome, at_work, approver).applied == 3
        assert set(BehaviourLog.deleted.all()) == set(soon)

    def test_where_nothing_is_due_it_is_said_when(self, db: Any, at_work: Actor) -> None:
        soon = deleted(logs(2), at=datetime.now(UTC), policy="tax_10y")
        with pytest.raises(NothingDue) as refused:
            ask(at_work, "shop.behaviourlog", keys_of(soon), operation="purge")
        assert refused.value.facts["next"].year == datetime.now(UTC).year + 10

    def test_a_policy_without_an_end_is_never_due(self, db: Any, at_work: Actor) -> None:
        with pytest.raises(NothingDue) as refused:
            ask(at_work, "shop.behaviourlog", keys_of(deleted(logs(2), policy="forever")), operation="purge")
        assert refused.value.facts["unknown"] == "forever"

    def test_a_policy_of_the_settings_has_its_end(self, db: Any, at_work: Actor, approver: Actor) -> None:
        assert purge(at_work, approver, "shop.behaviourlog", deleted(logs(2), policy="standard")).applied == 2

    def test_live_rows_are_not_selected(self, db: Any, at_work: Actor, approver: Actor) -> None:
        alive, gone = logs(1), deleted(logs(1), policy="logs_90d")
        assert purge(at_work, approver, "shop.behaviourlog", [*alive, *gone]).applied == 1
        assert list(BehaviourLog.objects.all()) == alive


class TestWhoMay:
    def test_one_row_needs_another_person(self, db: Any, at_work: Actor) -> None:
        outcome = ask(at_work, "shop.behaviourlog", keys_of(deleted(logs(1), policy="x_0d")), operation="purge")
        assert outcome.change.state == State.WAITING
        assert outcome.ticket is not None
        assert outcome.ticket.required == 1

    def test_an_operator_may_not_ask(self, db: Any, operator: Actor) -> None:
        with pytest.raises(NotAllowed):
            ask(operator, "shop.behaviourlog", {"keys": [1]}, operation="purge")


class TestWhatPointsToIt:
    def test_an_archived_child_that_is_not_due_keeps_its_parent(self, db: Any, at_work: Actor, approver: Actor) -> None:
        made, other = order_with_items(2), order_with_items(2)
        for one in (made, other):
            deleted([*OrderItem.objects.filter(order=one), one], policy="x_1d")
        late = OrderItem.deleted.filter(order=made).first()
        deleted([late], at=datetime.now(UTC))
        done = purge(at_work, approver, "shop.order", [made, other])
        assert (done.applied, done.state) == (3, State.DONE)
        left = SkippedRow.objects.get(change=done)
        assert (left.position, left.reason, left.detail) == (
            made.pk,
            SkipReason.DEPENDANTS,
            "shop_orderitem_order_tenant_fk",
        )
        assert OrderItem.objects_and_deleted.filter(order=made).count() == 2, "nobody had named the lines themselves"

    def test_a_live_child_keeps_its_parent(self, db: Any, at_work: Actor) -> None:
        person = customer()
        log(person)
        deleted([person], policy="gdpr_30d")
        with pytest.raises(NothingDue):
            ask(at_work, "shop.customer", keys_of([person]), operation="purge")

    def test_a_protected_child_goes_along_where_it_is_named(self, db: Any, at_work: Actor, approver: Actor) -> None:
        made = order_with_items(1)
        deleted([*OrderItem.objects.all(), made, made.customer], policy="x_1d")
        with pytest.raises(NothingDue):
            ask(at_work, "shop.customer", keys_of([made.customer]), operation="purge")
        done = purge(at_work, approver, "shop.customer", [made.customer], cascade_also=["shop.order.customer"])
        assert done.applied == 3
        assert Customer.objects_and_deleted.count() == Order.objects_and_deleted.count() == 0

    def test_a_table_that_points_to_itself_goes_level_by_level(
        self, db: Any, at_work: Actor, approver: Actor, chunks_of_two: None
    ) -> None:
        chain = [customer()]
        for _ in range(5):
            chain.append(customer(referred_by=chain[-1]))
        deleted(chain, policy="x_1d")
        before = checksum(*SHOP)
        done = purge(at_work, approver, "shop.customer", chain)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 6, 0)
        assert undo(done, at_work, approver).applied >= 6
        assert checksum(*SHOP) == before

    def test_a_ring_stays(self, db: Any, at_work: Actor, approver: Actor) -> None:
        one, two, free = customer(), customer(), customer()
        Customer.objects.filter(pk=one.pk).update(referred_by=two)
        Customer.objects.filter(pk=two.pk).update(referred_by=one)
        deleted([one, two, free], policy="x_1d")
        done = purge(at_work, approver, "shop.customer", [one, two, free])
        assert (done.applied, done.state) == (1, State.DONE)
        assert set(Customer.deleted.all()) == {one, two}

    def test_a_child_added_after_the_freeze_keeps_its_parent_and_breaks_nothing(
        self, db: Any, at_work: Actor, approver: Actor
    ) -> None:
        people = deleted([customer(), customer()], policy="x_1d")
        outcome = ask(at_work, "shop.customer", keys_of(people), operation="purge")
        log(people[0])
        done = carry_out(outcome, at_work, approver)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 1, 1)
        assert SkippedRow.objects.get(change=done).reason == SkipReason.DEPENDANTS


class TestWhatMovedMeanwhile:
    def test_a_row_that_was_restored_stays(self, db: Any, at_work: Actor, approver: Actor) -> None:
        gone = deleted(logs(3), policy="x_1d")
        outcome = ask(at_work, "shop.behaviourlog", keys_of(gone), operation="purge")
        BehaviourLog.deleted.filter(pk=gone[0].pk).update(is_deleted=False)
        done = carry_out(outcome, at_work, approver)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 2, 1)
        assert ArchiveFile.objects.get(change_id=done.pk).rows == 2
        assert BehaviourLog.objects.get() == gone[0]

    def test_a_key_in_use_again_is_a_conflict_of_the_undo(self, db: Any, at_work: Actor, approver: Actor) -> None:
        gone = deleted(tags(2), policy="x_1d")
        done = purge(at_work, approver, "shop.usertag", gone)
        UserTag.objects.create(pk=gone[0].pk, tag="another", customer=gone[0].customer)
        back = undo(done, at_work, approver)
        assert (back.applied, back.skipped) == (1, 0)
        assert SkippedRow.objects.get(change=back).reason == SkipReason.REUSED
        assert UserTag.objects.get(pk=gone[0].pk).tag == "another"

    def test_an_undone_purge_can_be_undone_and_asked_for_again(self, db: Any, at_work: Actor, approver: Actor) -> None:
        gone = deleted(tags(2), policy="x_1d")
        before = checksum(*SHOP)
        undo(purge(at_work, approver, "shop.usertag", gone), at_work, approver)
        assert checksum(*SHOP) == before
        assert purge(at_work, approver, "shop.usertag", gone).applied == 2
        assert UserTag.objects_and_deleted.count() == 0


def test_sequences_never_go_back(db: Any, at_work: Actor, approver: Actor) -> None:
    gone = deleted(tags(2), policy="x_1d")
    undo(purge(at_work, approver, "shop.usertag", gone), at_work, approver)
    assert UserTag.objects.create(tag="next", customer=gone[0].customer).pk > gone[-1].pk


def test_a_purge_of_many_files_and_chunks(
    db: Any, at_work: Actor, approver: Actor, settings: Any, chunks_of_two: None
) -> None:
    settings.CUSTODY_ARCHIVE_ROWS = 3
    gone = deleted(logs(8), policy="x_1d")
    done = purge(at_work, approver, "shop.behaviourlog", gone)
    files = list(ArchiveFile.objects.filter(change_id=done.pk).order_by("number"))
    assert [one.rows for one in files] == [3, 3, 2]
    assert [Path(one.path).name for one in files] == ["part-0.parquet", "part-0-1.parquet", "part-0-2.parquet"]
    assert (done.applied, BehaviourLog.objects_and_deleted.count()) == (8, 0)
