"""The main job on adopted tables, while their own program keeps writing: ask, agree, run, undo, bit-exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.context import acting
from tests import journey
from tests.audit.adoption.conftest import Adoption
from tests.audit.adoption.program import WITHOUT_LINES, running

SALES_OF_2021 = {
    "where": [
        {"field": "sold", "op": "gte", "value": "2021-01-01"},
        {"field": "sold", "op": "lt", "value": "2022-01-01"},
    ]
}


# What the music store's own program writes meanwhile: the tables are the same, the invoices are of other years.
OF_THE_STORE = (
    "UPDATE chinook.invoice SET billing_city = 'Town {n}' WHERE invoice_id = {n} % 400 "
    "AND (invoice_date < '2023-01-01' OR invoice_date >= '2024-01-01')",
    "INSERT INTO chinook.invoice VALUES ({fresh}, 1, '2025-11-01', 'Street', 'Town', NULL, 'Land', NULL, 1.98)",
    "INSERT INTO chinook.invoice_line SELECT {fresh}, max(invoice_id), 1, 0.99, 1 FROM chinook.invoice",
    "UPDATE chinook.track SET milliseconds = milliseconds + 1 WHERE track_id = {n} % 3500",
)
IN_2023 = "invoice_date >= '2023-01-01' AND invoice_date < '2024-01-01'"
OF_2023 = (
    f"(SELECT * FROM chinook.invoice WHERE {IN_2023})",
    f"(SELECT l.* FROM chinook.invoice_line l JOIN chinook.invoice i USING (invoice_id) WHERE {IN_2023})",
)


def archived(adoption: Adoption, table: str) -> int:
    with adoption.owner() as owner:
        found = owner.execute(f"SELECT count(*) FROM {table} WHERE is_deleted").fetchone()
    assert found is not None
    return int(found[0])


def test_a_years_sales_go_with_their_lines_and_come_back(adoption: Adoption, operator: Any, approver: Any) -> None:
    adoption.load("store")
    adoption.adopt("store")
    with adoption.installed("store"):
        before = journey.checksum("store.sale", "store.line")
        outcome = journey.ask(operator, "store.sale", SALES_OF_2021)
        change = journey.carry_out(outcome, operator, approver)

        assert outcome.ticket is not None
        assert change.state == "done"
        assert (archived(adoption, "store.sale"), archived(adoption, "store.line")) == (1_459, 2_918)

        undone = journey.undo(change, operator, approver)

        assert undone.state == "done"
        assert journey.checksum("store.sale", "store.line") == before
        with acting(operator):
            history = _history("store.line")
            first = history.objects.filter(sale_id=1, number=1)
            assert [version.is_deleted for version in first] == [False, True, False]
            assert [version.change_id for version in first] == [undone.pk, change.pk, None]
    assert "agree" in adoption.manage("baseline", "store", "--verify").stdout


def test_rows_the_program_changes_meanwhile_are_never_overwritten(
    adoption: Adoption, operator: Any, approver: Any, settings: Any
) -> None:
    settings.CUSTODY_DRIFT_PERCENT = 100  # the program never rests: people would vote for ever
    adoption.load("store")
    adoption.adopt("store")
    url = adoption.database.env["DATABASE_OWNER_URL"]
    with adoption.installed("store"), running(url, statements=WITHOUT_LINES) as program:
        change = journey.carry_out(journey.ask(operator, "store.sale", SALES_OF_2021), operator, approver)
        undone = journey.undo(change, operator, approver)

    assert program.errors == []
    assert (change.state, undone.state) == ("done", "done")
    assert "agree" in adoption.manage("baseline", "store", "--verify").stdout
    with adoption.owner() as owner:
        assert owner.execute("SELECT count(*) FROM custody.capture_failure").fetchone() == (0,)


@pytest.mark.parametrize(
    ("entity", "where", "tables"),
    [
        ("odd.city", [("id", "lt", "5")], ("odd.city", "odd.link")),
        ("odd.reading", [("taken", "gte", "2023-12-01"), ("sensor", "lt", "5")], ("odd.reading",)),
        ("odd.link", [("person", "eq", "3")], ("odd.link",)),
        ("odd.mixedcasetable", [("id", "lt", "5")], ('odd."Mixed Case-Table"',)),
        ("odd.order", [("select", "lt", "3")], ('odd."order"',)),
        ("odd.person", [("mood", "eq", "sad"), ("id", "gt", "20")], ("odd.person",)),
        ("odd.person", [("id", "eq", "1")], ("odd.person", "odd.city", "odd.link", "odd.profile")),
    ],
)
def test_odd_tables_go_and_come_back(odd_job: Any, entity: str, where: Any, tables: tuple[str, ...]) -> None:
    operator, approver = odd_job
    selection = {"where": [{"field": field, "op": op, "value": value} for field, op, value in where]}
    before = journey.checksum(*tables)
    outcome = journey.ask(operator, entity, selection, cascade_also=("odd.city.mayor",))
    change = journey.carry_out(outcome, operator, approver)
    assert change.state == "done"
    assert all(value != before[table] for table, value in journey.checksum(*tables).items())
    undone = journey.undo(change, operator, approver)
    assert undone.state == "done"
    assert journey.checksum(*tables) == before


@pytest.fixture
def odd_job(odd: Adoption, django_db_blocker: Any) -> Iterator[Any]:
    """Operator and approver in the adopted odd database."""
    from tests.personas import _make

    with django_db_blocker.unblock(), odd.installed("odd"):
        yield _make("operator", name="Olivia Park"), _make("approver", name="Amir Haddad")


def test_the_music_store(adoption: Adoption, chinook_file: Path, operator: Any, approver: Any) -> None:
    with adoption.owner() as owner:
        owner.execute("CREATE SCHEMA chinook")
        owner.execute("SET search_path = chinook")
        owner.execute(chinook_file.read_bytes())
    adoption.adopt("chinook")
    year = [
        {"field": "invoice_date", "op": "gte", "value": "2023-01-01"},
        {"field": "invoice_date", "op": "lt", "value": "2024-01-01"},
    ]
    url = adoption.database.env["DATABASE_OWNER_URL"]
    with adoption.installed("chinook"):
        before = journey.checksum(*OF_2023)
        with running(url, statements=OF_THE_STORE) as program:
            outcome = journey.ask(
                operator, "chinook.invoice", {"where": year}, cascade_also=("chinook.invoiceline.invoice",)
            )
            assert outcome.ticket is not None
            change = journey.carry_out(outcome, operator, approver)
            assert change.state == "done"
            assert archived(adoption, "chinook.invoice") == 83
            program.wait_for(50)
            assert journey.undo(change, operator, approver).state == "done"
        assert program.errors == []
        assert journey.checksum(*OF_2023) == before
    assert "agree" in adoption.manage("baseline", "chinook", "--verify").stdout
    with adoption.owner() as owner:
        assert owner.execute("SELECT count(*) FROM custody.capture_failure").fetchone() == (0,)


def _history(label: str) -> Any:
    from audit import registry

    return registry.history_of(registry.entity(label))
