"""Nobody removes a row past the rules: every forged call of the application's login is refused, each check is alive."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import ArchiveFile
from changes import execution, lanes
from changes.models import Change, Lane
from changes.states import State
from foundation import context
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog
from tests.changes.crashing_worker import DyingWorkers
from tests.changes.test_purge import deleted
from tests.databases import RealDatabase
from tests.journey import agree, ask, keys_of, one_chunk, start, undo, work
from tests.personas import logs
from tests.servers import PROJECT

PURGE_SQL = PROJECT / "changes/sql/purge_v1.sql"


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Any) -> Path:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path / "archive"
    return tmp_path / "archive"


@pytest.fixture
def running(real_db: RealDatabase, engineer: Actor, approver: Actor, chunks_of_two: None) -> Iterator[Change]:
    """A purge of six logs that was started and has done nothing yet; two more rows are in the bin, and not due."""
    with acting(engineer):
        gone = deleted(logs(6), policy="x_1d")
        outcome = ask(engineer, "shop.behaviourlog", keys_of(gone), operation="purge")
        agree(outcome.ticket, approver)
        start(outcome.change, engineer)
        outcome.change.refresh_from_db()
        yield outcome.change


def call(change: int, part: int = 0, *, said: int | None = None) -> int:
    """The function as the application's login may call it, under whatever context it likes to claim."""
    work_of = change if said is None else said
    with transaction.atomic(), context.inside(change_id=work_of), connection.cursor() as cursor:
        cursor.execute("SELECT FROM custody.remove_rows(%s, %s, %s, %s)", [change, part, -(2**63), 2**63 - 1])
        return int(cursor.rowcount)


def refused(change: int, part: int = 0, *, said: int | None = None) -> str:
    with pytest.raises(DatabaseError) as error:
        call(change, part, said=said)
    assert getattr(error.value.__cause__, "sqlstate", "") == "42501", error.value
    return str(error.value).splitlines()[0]


def archived(change: Change) -> None:
    """Let the archive lane do its work."""
    one_chunk(change)
    one_chunk(change)
    assert ArchiveFile.objects.filter(change_id=change.pk).exists()


class TestForgedCalls:
    def test_before_the_rows_are_archived(self, running: Change) -> None:
        assert "is not in the archive" in refused(running.pk)

    def test_for_a_change_that_is_not_at_work_here(self, running: Change) -> None:
        assert "is not the change at work" in refused(running.pk, said=running.pk + 1)

    def test_for_a_change_nobody_knows(self, running: Change) -> None:
        assert "is not the change at work" in refused(987654)

    def test_for_a_part_it_does_not_have(self, running: Change) -> None:
        assert "removes nothing" in refused(running.pk, 3)

    def test_for_a_paused_purge(self, running: Change, engineer: Actor) -> None:
        archived(running)
        execution.pause(running.pk, actor=engineer)
        assert "not a running purge" in refused(running.pk)

    def test_for_a_purge_that_still_waits(self, running: Change, engineer: Actor) -> None:
        more = deleted(logs(1), policy="x_1d")
        waiting = ask(engineer, "shop.behaviourlog", keys_of(more), operation="purge").change
        assert waiting.state == State.WAITING
        assert "not a running purge" in refused(waiting.pk)

    def test_for_a_running_delete(self, running: Change, engineer: Actor) -> None:
        change = ask(engineer, "shop.behaviourlog", keys_of(logs(1))).change
        assert change.state == State.RUNNING
        assert "not a running purge" in refused(change.pk)

    def test_of_another_tenant(self, running: Change, persona: Any) -> None:
        archived(running)
        with acting(persona("engineer", name="Otto Else", tenant=2)):
            assert "is not the change at work" in refused(running.pk)

    def test_of_a_login_that_is_not_the_application_s(self, running: Change, real_db: RealDatabase) -> None:
        archived(running)
        with real_db.admin() as admin:
            admin.execute("CREATE ROLE curious LOGIN")
            try:
                admin.execute("SET SESSION AUTHORIZATION curious")
                with pytest.raises(Exception, match=r"permission denied|is not the change at work"):
                    admin.execute(f"SELECT custody.remove_rows({running.pk}, 0, 0, 100)")
                admin.execute("RESET SESSION AUTHORIZATION")
            finally:
                admin.execute("DROP OWNED BY curious; DROP ROLE curious")

    def test_rows_that_moved_or_are_alive_or_are_not_due_stay(self, running: Change, real_db: RealDatabase) -> None:
        """Even where the frozen row itself is bent to name them."""
        archived(running)
        alive, late = logs(2)
        deleted([late], policy="x_9999d")
        first = BehaviourLog.deleted.order_by("pk").first()
        assert first is not None
        BehaviourLog.deleted.filter(pk=first.pk).update(action="moved")
        with real_db.owner() as owner:
            owner.execute("SELECT set_config('custody.all_tenants', 'on', false)")
            owner.execute("ALTER TABLE changes_frozenrow DISABLE TRIGGER USER")
            for row in (alive, late):
                owner.execute(
                    "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) "
                    f"SELECT 1, {running.pk}, 0, {row.pk}, xmin FROM shop_behaviourlog WHERE id = {row.pk}"
                )
        assert call(running.pk) == 5
        assert set(BehaviourLog.objects_and_deleted.values_list("pk", flat=True)) == {first.pk, alive.pk, late.pk}

    @pytest.mark.parametrize("spoilt", ["rows", "lo", "sha", "path", "state"])
    def test_an_archive_that_is_made_up_is_not_recorded(self, running: Change, engineer: Actor, spoilt: str) -> None:
        lane = Lane.objects.get(change=running, kind="archive")
        said = {"part": 0, "lo": lane.lo, "hi": lane.hi, "rows": 6, "bytes": 10, "sha": "a" * 64, "schema": "x"}
        said |= {"path": "1/x"} | {"rows": {"rows": 5}, "lo": {"lo": lane.lo + 1}, "sha": {"sha": "?"}}.get(spoilt, {})
        said |= {"path": "2/x"} if spoilt == "path" else {}
        if spoilt == "state":
            execution.pause(running.pk, actor=engineer)
        with (
            pytest.raises(DatabaseError, match="refused"),
            transaction.atomic(),
            context.inside(change_id=running.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "SELECT custody.record_archive(%s, %s, %s, %s, %s, %s, %s, %s, %s)", [running.pk, *said.values()]
            )
        assert not ArchiveFile.objects.exists()

    @pytest.mark.parametrize(
        "attempt",
        [
            "DELETE FROM shop_behaviourlog",
            "INSERT INTO audit_archivefile SELECT * FROM audit_archivefile",
            "UPDATE audit_archivefile SET sha256 = 'x'",
            "DELETE FROM audit_archivefile",
            "UPDATE audit_retentionpolicy SET keep = '0'",
            "INSERT INTO audit_retentionpolicy VALUES ('tax_10y', '0')",
            "SELECT custody.removal(1, 0)",
            "SELECT custody.is_archived(1)",
        ],
    )
    def test_the_tables_behind_it_are_only_read(self, running: Change, attempt: str) -> None:
        with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attempt)
        assert getattr(error.value.__cause__, "sqlstate", "") == "42501"

    def test_a_purge_without_consent_cannot_even_be_written_down(self, running: Change) -> None:
        with (
            pytest.raises(DatabaseError, match=r"changes_change_purge_is_agreed|not rewritten"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "INSERT INTO changes_change (tenant_id, operation, entity, title, reason, selection, selection_text, "
                "options, state, digest, snapshot, schema_fingerprint, rows_selected, rows_total, preflight, "
                "requester_name, channel, started_by, applied, skipped, error) SELECT tenant_id, operation, entity, "
                "title, reason, selection, selection_text, options, 'draft', digest, snapshot, schema_fingerprint, 0, 0, "
                "preflight, requester_name, channel, started_by, applied, skipped, error FROM changes_change "
                f"WHERE id = {running.pk}; UPDATE changes_change SET state = 'frozen' WHERE state = 'draft'"
            )


SABOTAGE = {
    "archived": ("IF NOT custody.is_archived(the_change) THEN", "IF false THEN"),
    "running": ("IF c.state <> 'running' OR c.operation <> 'purge' THEN", "IF false THEN"),
    "at work": ("IF NOT FOUND OR said IS DISTINCT FROM the_change THEN", "IF false THEN"),
}


@pytest.mark.parametrize("guard", SABOTAGE)
def test_with_the_check_refused_without_it_done(
    running: Change, real_db: RealDatabase, engineer: Actor, guard: str
) -> None:
    if guard != "archived":
        archived(running)
    if guard == "running":
        execution.pause(running.pk, actor=engineer)
    said = running.pk + 1 if guard == "at work" else running.pk
    refused(running.pk, said=said)
    check, gone = SABOTAGE[guard]
    sql = PURGE_SQL.read_text()
    assert sql.count(check) == 1
    with real_db.owner() as owner:
        # A call under another change's number is stopped by the capture too.
        owner.execute(sql.replace(check, gone).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
        owner.execute("UPDATE audit_governedtable SET row_limit = 100")
    assert call(running.pk, said=said) == 6


def test_two_workers_at_once_archive_and_remove_once(running: Change, settings: Any) -> None:
    settings.CUSTODY_ARCHIVE_ROWS = 2
    barrier = threading.Barrier(2)

    def worker(name: str) -> None:
        with acting(Actor.service("worker", tenant_id=1), channel="task"):
            barrier.wait()
            for _ in range(40):
                execution.work(running.pk, worker=name)
        connection.close()

    threads = [threading.Thread(target=worker, args=(f"w{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = work(running)
    assert (done.state, done.applied, done.skipped) == (State.DONE, 6, 0)
    assert sorted(ArchiveFile.objects.values_list("number", "rows")) == [(0, 2), (1, 2), (2, 2)]
    assert BehaviourLog.history.filter(change_id=running.pk).count() == 6


def test_a_full_disk_stops_the_purge_before_anything_is_removed(
    running: Change, engineer: Actor, archive: Path
) -> None:
    import resource

    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        failed = work(running)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert failed.state == State.FAILED
    assert "The archive cannot be written" in failed.error
    assert str(archive) in failed.error
    assert BehaviourLog.deleted.count() == 6
    assert not [path for path in archive.rglob("*") if path.is_file()]
    start(running, engineer)
    assert work(running).applied == 6


def test_rows_that_moved_while_they_were_archived_are_archived_anew(
    running: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program writes between the writing and the comparison: the file is not taken."""
    from audit.archive import files

    settle, moved = files.settle, []

    def meanwhile(temporary: Path) -> None:
        settle(temporary)
        if not moved:
            moved.append(1)
            thread = threading.Thread(target=_touch)
            thread.start()
            thread.join()

    monkeypatch.setattr(files, "settle", meanwhile)
    done = work(running)
    assert (done.state, done.applied, done.skipped) == (State.DONE, 5, 1)
    assert sum(ArchiveFile.objects.values_list("rows", flat=True)) == 5


def _touch() -> None:
    with acting(Actor.service("x", tenant_id=1)):
        first = BehaviourLog.deleted.order_by("pk").first()
        assert first is not None
        BehaviourLog.deleted.filter(pk=first.pk).update(action="touched")
    connection.close()


@pytest.mark.embedded
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_at_any_statement_of_a_purge(
    real_db: RealDatabase, engineer: Actor, approver: Actor, archive: Path, moment: str
) -> None:
    """Nothing is removed before it lies in cold storage, nothing twice, and the next worker ends it."""
    environment = {"CUSTODY_ARCHIVE_ROWS": "3", "CUSTODY_ARCHIVE_DIR": str(archive)}
    workers = DyingWorkers(real_db.env | environment)
    step = 1 if os.environ.get("CRASH_POINTS") == "all" else 19
    with acting(engineer):
        gone = deleted(logs(6), policy="x_1d")
        for number in range(4, 400, step):
            outcome = ask(engineer, "shop.behaviourlog", keys_of(gone), operation="purge")
            agree(outcome.ticket, approver)
            start(outcome.change, engineer)
            killed = workers.crash(outcome.change.pk, number, moment)
            left = BehaviourLog.objects_and_deleted.count()
            stored = sum(ArchiveFile.objects.filter(change_id=outcome.change.pk).values_list("rows", flat=True))
            assert left == 6 or stored == 6
            Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")
            done = work(outcome.change)
            assert (done.state, done.applied) == (State.DONE, 6), done.error
            assert undo(done, engineer, approver).applied == 6
            if not killed:
                break
    workers.close()
    assert workers.kills > 4
    assert lanes.claim(done, "x") is None
