"""Adoption, baseline and the way back beside a program that keeps writing: no error, no long stall, exact history."""

from __future__ import annotations

from tests.audit.adoption.conftest import Adoption
from tests.audit.adoption.program import running

# A waiting ALTER gives up after 100 ms; the rest is room for a busy machine.
STALL_S = 1.0


def test_a_program_writes_through_adoption_baseline_and_the_way_back(adoption: Adoption) -> None:
    adoption.load("store")
    before = adoption.dump("store")

    with running(adoption.database.env["DATABASE_OWNER_URL"]) as program:
        adoption.adopt("store")
        program.wait_for(100)
        agreed = adoption.manage("baseline", "store", "--verify").stdout
        adoption.manage("migrate", "store", "zero", CUSTODY_UNADOPT="store")

    assert "agree" in agreed
    assert program.errors == []
    assert program.statements > 200
    assert max(program.waits) < STALL_S
    assert adoption.dump("store") == before


def test_nothing_goes_unrecorded_while_the_baseline_is_written(adoption: Adoption) -> None:
    adoption.load("store")
    adoption.manage("adopt", "--schema", "store", "--app", "store")
    adoption.manage("migrate", "store")

    with running(adoption.database.env["DATABASE_OWNER_URL"]) as program:
        adoption.manage("baseline", "store", "--batch", "200")

    assert program.errors == []
    assert "agree" in adoption.manage("baseline", "store", "--verify").stdout
    with adoption.owner() as connection:
        assert connection.execute("SELECT count(*) FROM custody.capture_failure").fetchone() == (0,)
        events = connection.execute(
            "SELECT affected_rows FROM audit_event WHERE action = 'baseline' AND target_table = 'store.sale'"
        ).fetchall()
        rows = connection.execute("SELECT count(*) FROM store.sale").fetchone()
    assert events  # one event for the whole baseline; rows the program touched first are its copies on write
    assert rows == (4_000,)
