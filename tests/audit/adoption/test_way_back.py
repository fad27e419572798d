"""`migrate NAME zero` gives the schema back as it was, and never loses history unasked."""

from __future__ import annotations

import gzip

import pytest

from tests.audit.adoption.conftest import Adoption


@pytest.mark.parametrize("options", [(), ("--fail-closed",), ("--hide", "rls"), ("--hide", "rls-force")])
def test_the_dump_is_equal_to_the_byte(adoption: Adoption, options: tuple[str, ...]) -> None:
    adoption.load("odd")
    before = adoption.dump("odd")

    adoption.adopt("odd", *options)
    governed = adoption.dump("odd")
    adoption.manage("migrate", "odd", "zero", CUSTODY_UNADOPT="odd")

    assert governed != before
    assert "custody_capture_update" in governed
    assert adoption.dump("odd") == before
    with adoption.owner() as connection:
        left = connection.execute("SELECT count(*) FROM custody.adoption_ledger").fetchone()
        functions = connection.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'capture_odd%'").fetchone()
        tables = connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'odd_h_%'").fetchone()
    assert (left, functions, tables) == ((0,), (0,), (0,))


def test_history_is_not_thrown_away_unasked(adoption: Adoption) -> None:
    adoption.load("odd")
    before = adoption.dump("odd")
    adoption.adopt("odd", "--tables", "parts,city")
    with adoption.owner() as connection:
        connection.execute("UPDATE odd.parts SET is_deleted = true WHERE id = 1")

    refused = adoption.manage("migrate", "odd", "zero", check=False)

    assert refused.returncode != 0
    assert "odd.parts (4 versions, 1 soft-deleted rows" in refused.stderr
    assert "--export" in refused.stderr
    with adoption.owner() as connection:
        assert connection.execute("SELECT count(*) FROM custody.odd_h_parts").fetchone() == (4,)

    exported = adoption.manage("adopt", "--app", "odd", "--export").stdout
    file = next(line.split(": ")[0] for line in exported.splitlines() if "odd_h_parts" in line)
    with gzip.open(file, "rt") as text:
        assert len(text.readlines()) == 5

    with adoption.owner() as connection:
        connection.execute("INSERT INTO odd.parts VALUES (77)")
    assert "odd.parts (1 versions)" in adoption.manage("migrate", "odd", "zero", check=False).stderr

    adoption.manage("adopt", "--app", "odd", "--export")
    adoption.manage("migrate", "odd", "zero")
    assert adoption.dump("odd") == before


def test_there_and_back_again(adoption: Adoption) -> None:
    """A second adoption of the same app starts from nothing."""
    adoption.load("odd")
    before = adoption.dump("odd")
    adoption.adopt("odd", "--tables", "city,person,region")
    adoption.manage("migrate", "odd", "zero", CUSTODY_UNADOPT="odd")
    adoption.manage("migrate", "odd")
    assert "agree" in adoption.manage("baseline", "odd", "--verify").stdout
    adoption.manage("migrate", "odd", "zero", CUSTODY_UNADOPT="odd")
    assert adoption.dump("odd") == before
