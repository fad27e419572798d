"""A snapshot names one exact state, is told by the database which one, and never says anything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from audit.models import Event, Snapshot, SnapshotTable
from audit.snapshots import measuring, state, ticks
from audit.snapshots.browsing import rows_at
from audit.snapshots.errors import BadKeptUntil, BadSnapshotName, NoEntities, SnapshotExists, SnapshotNotFound
from audit.snapshots.recorded import recorded
from audit.snapshots.taking import keep, take
from foundation.actor import Actor
from foundation.context import acting
from foundation.postgres.transactions import consistent
from shop.models import Customer, Order
from tests.personas import customer, order, orders


def _notes(snapshot: Any) -> list[str]:
    rows = rows_at(Order, state.of_snapshot(snapshot), tenant_id=1)
    return [row.note for row in rows]


def test_a_snapshot_shows_the_rows_as_they_were(snap: Callable[..., Any]) -> None:
    first = order(note="one")
    before = snap()
    Order.objects.filter(pk=first.pk).update(note="two")
    order(note="new")
    after = snap()
    Order.objects.filter(pk=first.pk).update(note="three")
    assert _notes(before) == ["one"]
    assert _notes(after) == ["two", "new"]


def test_a_deleted_row_is_in_the_bin_of_its_snapshot(snap: Callable[..., Any]) -> None:
    kept = order(note="one")
    Order.objects_and_deleted.filter(pk=kept.pk).update(is_deleted=True)
    shot = state.of_snapshot(snap())
    Order.objects_and_deleted.filter(pk=kept.pk).update(is_deleted=False)
    assert not rows_at(Order, shot, tenant_id=1).exists()
    assert [row.id for row in rows_at(Order, shot, tenant_id=1, deleted=True)] == [kept.pk]


def test_several_tables_are_of_the_same_instant(snap: Callable[..., Any], at_work: Actor) -> None:
    customer()
    shot = snap(Customer, Order, measured=True)
    tables = {part.entity: part for part in shot.tables.all()}
    assert {label: part.rows for label, part in tables.items()} == {"shop.customer": 1, "shop.order": 0}
    assert ["tenant_id", "integer"] in tables["shop.order"].columns
    assert Event.objects.get(action="snapshot.taken").facts["tables"] == ["shop.customer", "shop.order"]


def test_measured_beside_it_or_later_from_the_record_is_the_same(snap: Callable[..., Any]) -> None:
    made = orders(20, note="é\t−0")
    Order.objects.filter(pk__lt=made[5].pk).update(note="changed", total="1.10")
    Order.objects.filter(pk=made[7].pk).update(is_deleted=True)
    at_once, later = snap(measured=True), snap()
    Order.objects.filter(pk=made[9].pk).update(note="after it")
    one, other = at_once.tables.get(), measuring.measure(later.tables.select_related("snapshot").get())
    assert (one.rows, one.live_rows) == (20, 19)
    assert (one.rows, one.live_rows, one.checksum) == (other.rows, other.live_rows, other.checksum)
    assert measuring.recompute(one).checksum == one.checksum
    with consistent():
        assert measuring.of_table(recorded(Order), tenant_id=1).checksum != one.checksum


def test_the_checksum_does_not_depend_on_the_session(snap: Callable[..., Any]) -> None:
    order()
    part = snap(measured=True).tables.get()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = 0"
        )
        assert measuring.recompute(part).checksum == part.checksum
        cursor.execute("SHOW TimeZone")
        assert cursor.fetchone() == ("Asia/Tokyo",)


def _a_later_transaction_ends(database: Any) -> None:
    with database.admin() as other:
        other.execute("SELECT pg_current_xact_id()")


def test_what_an_open_transaction_has_written_is_not_in_it(at_work: Actor, real_db: Any) -> None:
    order(note="before")
    with transaction.atomic():
        order(note="mine")
        _a_later_transaction_ends(real_db)
        shot = take("inside", entities=[Order], actor=at_work)
        order(note="mine too")
    assert _notes(shot) == ["before"]


def test_what_an_open_transaction_has_written_is_not_in_its_tick(at_work: Actor, real_db: Any) -> None:
    order(note="before")
    with transaction.atomic():
        order(note="mine")
        _a_later_transaction_ends(real_db)
        tick = ticks.tick()
    assert [row.note for row in rows_at(Order, state.of_tick(tick), tenant_id=1)] == ["before"]


def test_a_change_in_flight_stays_outside_after_it_commits(snap: Callable[..., Any], real_db: Any) -> None:
    row = order(note="before")
    with real_db.owner() as other:
        other.execute("SET custody.all_tenants = 'on'")
        with other.transaction():
            other.execute("UPDATE shop_order SET note = 'in flight' WHERE id = %s", [row.pk])
            shot = snap()
            tick = ticks.tick()
    assert _notes(shot) == ["before"]
    assert [r.note for r in rows_at(Order, state.of_tick(tick), tenant_id=1)] == ["before"]
    assert Order.objects.get().note == "in flight"


class TestForging:
    """The application may ask for a snapshot and cannot say which state it means."""

    FORGED = {"era": 9, "system_identifier": 9, "pg_snapshot": "1:1:", "event_floor": 10**9}

    def test_the_database_says_which_state(self, at_work: Actor) -> None:
        row = Snapshot.objects.create(
            tenant_id=1,
            name="forged",
            kind="named",
            taken_by_name="x",
            taken_at=datetime(2001, 1, 1, tzinfo=UTC),
            **self.FORGED,
        )
        row.refresh_from_db()
        assert all(getattr(row, name) != value for name, value in self.FORGED.items())
        assert row.taken_at > timezone.now() - timedelta(minutes=5)

    @pytest.mark.parametrize(
        "column", ["name", "note", "kind", "era", "pg_snapshot", "event_floor", "taken_at", "taken_by_name"]
    )
    def test_no_column_is_rewritten(self, snap: Callable[..., Any], column: str) -> None:
        shot = snap()
        value = {"kind": "daily", "era": 7, "pg_snapshot": "1:1:", "event_floor": 1, "taken_at": timezone.now()}.get(
            column, "x"
        )
        with pytest.raises(IntegrityError, match="not rewritten"), transaction.atomic():
            Snapshot.objects.filter(pk=shot.pk).update(**{column: value})

    def test_a_measured_table_is_not_measured_again(self, snap: Callable[..., Any]) -> None:
        part = snap(measured=True).tables.get()
        with pytest.raises(IntegrityError, match="not rewritten"), transaction.atomic():
            SnapshotTable.objects.filter(pk=part.pk).update(rows=7)
        assert not measuring.store(part, measuring.Measure(1, 1, "1"))

    def test_columns_of_a_snapshot_stay(self, snap: Callable[..., Any]) -> None:
        part = snap().tables.get()
        with pytest.raises(IntegrityError, match="not rewritten"), transaction.atomic():
            SnapshotTable.objects.filter(pk=part.pk).update(columns=[])

    @pytest.mark.parametrize("statement", [
        "DELETE FROM audit_snapshot", "DELETE FROM audit_snapshottable", "TRUNCATE audit_snapshot CASCADE",
        "INSERT INTO audit_era VALUES (9, 1, now(), 1, true, '1')", "UPDATE audit_era SET first_event_id = 0",
        "DELETE FROM audit_era", "UPDATE audit_tick SET last_event = 10^9", "DELETE FROM audit_tick",
        "INSERT INTO audit_tick (at, era, xid, snapshot, last_event) VALUES (now(), 1, '3', '1:1:', 0)",
    ])  # fmt: skip
    def test_the_application_has_no_privilege_for_more(self, at_work: Actor, statement: str) -> None:
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

    def test_without_the_stamp_anything_could_be_claimed(self, at_work: Actor, real_db: Any) -> None:
        """Sabotage: the trigger away, the forged state stands."""
        with real_db.owner() as owner:
            owner.execute("ALTER TABLE audit_snapshot DISABLE TRIGGER custody_stamp")
        row = Snapshot.objects.create(
            tenant_id=1, name="f", kind="named", taken_by_name="x", taken_at=timezone.now(), **self.FORGED
        )
        row.refresh_from_db()
        assert row.pg_snapshot == "1:1:"


class TestRefusals:
    def test_a_name_is_used_once_per_tenant(self, snap: Callable[..., Any], persona: Callable[..., Actor]) -> None:
        snap(name="monday")
        with pytest.raises(SnapshotExists):
            snap(name=" monday ")
        other = persona("engineer", name="Else Where", tenant=2)
        with acting(other):
            take("monday", entities=[Order], actor=other)

    @pytest.mark.parametrize("name", ["", "  ", "x" * 121])
    def test_a_name_is_needed(self, at_work: Actor, name: str) -> None:
        with pytest.raises(BadSnapshotName):
            take(name, entities=[Order], actor=at_work)

    @pytest.mark.parametrize("entities", [[], [Order, Order]])
    def test_tables_are_named_once(self, at_work: Actor, entities: list[Any]) -> None:
        with pytest.raises(NoEntities):
            take("x", entities=entities, actor=at_work)

    def test_a_snapshot_is_kept_for_a_day_at_least(self, snap: Callable[..., Any]) -> None:
        with pytest.raises(BadKeptUntil):
            snap(kept_until=timezone.now())
        shot = snap()
        with pytest.raises(BadKeptUntil):
            keep(shot, kept_until=timezone.now(), hold=False)
        with pytest.raises(IntegrityError, match="another day"), transaction.atomic():
            Snapshot.objects.filter(pk=shot.pk).update(kept_until=timezone.now())

    def test_another_tenants_snapshot_is_not_there(
        self, snap: Callable[..., Any], persona: Callable[..., Actor]
    ) -> None:
        shot = snap()
        with acting(persona("engineer", name="Else Where", tenant=2)), pytest.raises(SnapshotNotFound):
            state.get(shot.pk)


class TestKeeping:
    def test_what_is_over_goes_and_what_is_held_stays(self, snap: Callable[..., Any], real_db: Any) -> None:
        soon = timezone.now() + timedelta(days=2)
        gone, held, forever = snap(kept_until=soon), snap(kept_until=soon), snap()
        keep(held, kept_until=soon, hold=True)
        assert ticks.tidy() == 0
        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'; ALTER TABLE audit_snapshot DISABLE TRIGGER custody_stays")
            owner.execute("UPDATE audit_snapshot SET kept_until = now() - interval '1 s' WHERE kept_until IS NOT NULL")
        assert ticks.tidy() == 1
        assert set(Snapshot.objects.values_list("pk", flat=True)) == {held.pk, forever.pk}
        assert not SnapshotTable.objects.filter(snapshot_id=gone.pk).exists()
