"""A dump restored into another cluster: the era rises, old snapshots answer as before, new rows are not in them.

Real ones: pg_dump and pg_restore of the server's own version, and a second cluster made for this module.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg.conninfo import conninfo_to_dict

from audit.models import Era, Snapshot, Tick
from audit.snapshots import eras, measuring, state, ticks
from audit.snapshots.browsing import rows_at
from audit.snapshots.comparing import Comparison
from audit.snapshots.errors import EraBusy, OnStandby
from audit.snapshots.state import NOW
from audit.snapshots.taking import take
from console.embedded.cluster import Cluster
from console.embedded.environment import address
from console.embedded.roles import ensure_roles
from foundation.actor import Actor
from shop.models import Order
from tests.personas import orders

DATABASE = "restored"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Cluster]:
    """Another cluster: its own system identifier, its own young transaction ids."""
    place = Path(tempfile.mkdtemp(prefix="custody-elsewhere-"))
    if os.geteuid() == 0:
        place.chmod(0o711)
    cluster = Cluster(place / "home", settings={"shared_buffers": "64MB"})
    try:
        yield cluster.start()
    finally:
        cluster.destroy()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def working_in(cluster: Cluster) -> Iterator[None]:
    """Django's `default` is the restored database, with the application's login."""
    login = conninfo_to_dict(cluster.conninfo("custody_app", DATABASE))
    values = connections.settings["default"]
    named = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    before = {key: values[key] for key in named}
    connections.close_all()
    values.update({key: login[name] for key, name in named.items()})
    try:
        yield
    finally:
        connections.close_all()
        values.update(before)


def move(real_db: Any, cluster: Cluster, *options: str) -> None:
    """Dump the test's database and restore it into the other cluster."""
    admin = cluster.conninfo("postgres", "postgres")
    with psycopg.connect(admin, autocommit=True) as login:
        login.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    secrets = cluster.home.secrets()
    ensure_roles(admin, owner_password=secrets["custody_owner"], app_password=secrets["custody_app"], database=DATABASE)
    server = conninfo_to_dict(real_db.servers.admin_url)
    source = address(
        real_db.servers.admin_url,
        user=str(server["user"]),
        password=str(server.get("password", "")),
        database=real_db.name,
    )
    target = cluster.conninfo("postgres", DATABASE)
    dump = subprocess.run(
        [cluster.bin / "pg_dump", "--format=plain", *options, source], capture_output=True, check=True
    )
    subprocess.run(
        [cluster.bin / "psql", "--quiet", "--set=ON_ERROR_STOP=1", target],
        input=dump.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def texts(snapshot: Any) -> list[tuple[int, str]]:
    return [(row.id, row.note) for row in rows_at(Order, state.of_snapshot(snapshot), tenant_id=1)]


def differences(a: Any, b: Any) -> list[tuple[Any, ...]]:
    of = [one if isinstance(one, state.State) else state.of_snapshot(one) for one in (a, b)]
    comparison = Comparison(model=Order, a=of[0], b=of[1], tenant_id=1)
    return [(d.key, d.kind, d.fields) for d in comparison.page(limit=100)]


@pytest.fixture
def life(snap: Callable[..., Any], real_db: Any) -> dict[str, Any]:
    """Two snapshots with writes before, between and after them, one still open when the second was taken."""
    made = orders(6, note="one")
    _grow_old(real_db)
    first = snap(measured=True)
    Order.objects.filter(pk=made[0].pk).update(note="two")
    Order.objects.filter(pk=made[1].pk).update(is_deleted=True)
    with real_db.owner() as other:
        other.execute("SET custody.all_tenants = 'on'")
        with other.transaction():
            other.execute("UPDATE shop_order SET note = 'in flight' WHERE id = %s", [made[2].pk])
            second = snap(measured=True)
    Order.objects.filter(pk=made[3].pk).update(note="after")
    pairs = {"first": first, "second": second}
    return {
        "texts": {name: texts(one) for name, one in pairs.items()},
        "checksums": {name: one.tables.get().checksum for name, one in pairs.items()},
        "differences": [differences(first, second), differences(second, NOW)],
        "ids": {name: one.pk for name, one in pairs.items()},
    }


def _grow_old(real_db: Any) -> None:
    """Transaction ids beyond those of a cluster that has just been made."""
    with real_db.owner() as owner:
        owner.execute("SET synchronous_commit = off")
        owner.execute("DO $$ BEGIN FOR i IN 1..6000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")


def assert_as_before(life: dict[str, Any]) -> None:
    found = {name: Snapshot.objects.get(pk=pk) for name, pk in life["ids"].items()}
    assert {name: texts(one) for name, one in found.items()} == life["texts"]
    sums = {
        name: measuring.recompute(one.tables.select_related("snapshot").get()).checksum for name, one in found.items()
    }
    assert sums == life["checksums"]
    assert differences(found["first"], found["second"]) == life["differences"][0]


def write(at_work: Actor, note: str) -> Any:
    row = orders(1, note=note)[0]
    Order.objects.filter(note="after").update(total="7.77")
    return row


def test_old_snapshots_answer_as_before_and_new_rows_are_not_in_them(
    life: dict[str, Any], real_db: Any, elsewhere: Cluster, at_work: Actor
) -> None:
    move(real_db, elsewhere)
    with working_in(elsewhere):
        fresh = write(at_work, "written before the era began")
        with pytest.raises(DatabaseError, match="another cluster"), transaction.atomic():
            Snapshot.objects.create(tenant_id=1, name="too early", kind="named", taken_by_name="x")
        assert eras.open_era() == 2
        assert eras.open_era() == 2
        first, second = eras.eras()
        assert second.is_exact
        assert second.system_identifier != first.system_identifier
        history: Any = Order.history  # type: ignore[attr-defined]
        assert second.first_event_id <= history.get(id=fresh.pk).event_id
        old = Snapshot.objects.get(pk=life["ids"]["second"])
        moved = {key for (key,), _, _ in life["differences"][1]}

        assert_as_before(life)
        touched = {key[0]: (kind, fields) for key, kind, fields in differences(old, NOW)}
        assert touched[fresh.pk] == ("only_b", ())
        assert set(touched) == moved | {fresh.pk}

        _the_new_era_has_snapshots_of_its_own(at_work)
        _without_eras_the_new_rows_would_be_seen(old, fresh.pk)


def _the_new_era_has_snapshots_of_its_own(at_work: Actor) -> None:
    shot = take("in the new era", entities=[Order], actor=at_work, measured=True)
    assert shot.era == 2
    assert measuring.recompute(shot.tables.get()).checksum == shot.tables.get().checksum
    later = orders(1, note="later")[0]
    assert [(d[0][0], d[1]) for d in differences(shot, NOW)] == [(later.pk, "only_b")]
    assert [tick.era for tick in Tick.objects.order_by("-id")[:1]] == [2]


def _without_eras_the_new_rows_would_be_seen(old: Any, fresh: int) -> None:
    """Sabotage: young transaction ids count as visible in a snapshot from a cluster that was older."""
    import dataclasses

    of = state.of_snapshot(old)
    assert not rows_at(Order, of, tenant_id=1).filter(id=fresh).exists()
    assert rows_at(Order, dataclasses.replace(of, end_event=None), tenant_id=1).filter(id=fresh).exists()


def test_rows_loaded_by_inserts_need_the_era_before_the_first_write(
    life: dict[str, Any], real_db: Any, elsewhere: Cluster, at_work: Actor
) -> None:
    move(real_db, elsewhere, "--inserts")
    with working_in(elsewhere):
        assert eras.open_era() == 2
        assert not eras.eras()[1].is_exact
        fresh = write(at_work, "new")
        assert_as_before(life)
        assert fresh.pk in {key for (key,), _, _ in differences(Snapshot.objects.get(pk=life["ids"]["second"]), NOW)}


def test_a_standby_takes_no_snapshot(life: dict[str, Any], real_db: Any, elsewhere: Cluster, at_work: Actor) -> None:
    move(real_db, elsewhere)
    elsewhere.stop()
    signal = elsewhere.data / "standby.signal"
    signal.touch()
    try:
        elsewhere.start()
        with working_in(elsewhere):
            with pytest.raises(OnStandby):
                take("x", entities=[Order], actor=at_work)
            with pytest.raises(OnStandby):
                ticks.tick()
            with pytest.raises(DatabaseError, match="standby"), connection.cursor() as cursor:
                cursor.execute("SELECT custody.tick()")
    finally:
        elsewhere.stop()
        signal.unlink()
        elsewhere.start()


class TestBoundary:
    def test_the_first_era_of_a_fresh_database_holds_every_event(self, at_work: Actor) -> None:
        orders(1)
        era = Era.objects.get()
        assert (era.number, era.first_event_id, era.is_exact) == (1, 1, True)

    def test_files_carried_over_keep_their_transaction_ids(self, life: dict[str, Any], real_db: Any) -> None:
        """As pg_upgrade leaves it: another identifier, and the era's row with the transaction id it noted."""
        with real_db.owner() as owner:
            owner.execute("UPDATE audit_era SET system_identifier = 1, xid = pg_current_xact_id()")
        orders(1, note="written before the era began")
        assert eras.open_era() == 2
        assert_as_before(life)
        assert differences(Snapshot.objects.get(pk=life["ids"]["second"]), NOW)[:-1] == life["differences"][1]

    def test_two_at_once_open_one_era(self, at_work: Actor, real_db: Any) -> None:
        import threading

        orders(1)
        with real_db.owner() as owner:
            owner.execute("UPDATE audit_era SET system_identifier = 1")
        barrier, answers = threading.Barrier(4), []

        def open_it() -> None:
            with real_db.app() as app:
                barrier.wait()
                answers.append(app.execute("SELECT custody.open_era()").fetchone())

        threads = [threading.Thread(target=open_it) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [(2,)] * 4
        assert Era.objects.count() == 2

    def test_a_writer_that_does_not_end_holds_the_era_up(self, at_work: Actor, real_db: Any) -> None:
        """No event of an open transaction may lie before the boundary."""
        with real_db.owner() as owner:
            owner.execute("UPDATE audit_era SET system_identifier = 1")
            owner.execute("ALTER FUNCTION custody.open_era() SET lock_timeout = '200ms'")
            owner.execute("SET custody.all_tenants = 'on'")
            row = orders(1)[0]
            with owner.transaction():
                owner.execute("UPDATE shop_order SET note = 'open' WHERE id = %s", [row.pk])
                with pytest.raises(EraBusy):
                    eras.open_era()
        assert eras.open_era() == 2
