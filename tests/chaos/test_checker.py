"""The checker sees: a record and a run that are sound break no rule, and each damage done to them breaks the one it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.archive import files
from changes.states import ALLOWED
from chaos import cold
from chaos.catalog import Catalog
from chaos.checker import STEPS, Checker, reachable
from console.embedded.environment import address
from foundation.actor import Actor
from foundation.context import acting
from shop.models import UserTag
from tests.journey import agree, ask, keys_of, start, work
from tests.personas import tags
from tests.servers import Servers

# What somebody with every right does behind the record's back -> the rule that breaks.
DAMAGES = (
    ("DELETE FROM changes_skippedrow", "I1 passed"),
    ("UPDATE shop_usertag SET weight = 99 WHERE id = (SELECT max(id) FROM shop_usertag)", "I4 a row that is not"),
    ("DELETE FROM shop_usertag WHERE id = (SELECT max(id) FROM shop_usertag)", "I3 rows added"),
    (
        "DELETE FROM changes_frozenrow WHERE position = (SELECT max(position) FROM changes_frozenrow)",
        "I4 a change wrote",
    ),
    ("UPDATE shop_historicalusertag SET tag = 'forged' WHERE change_id IS NOT NULL", "I2 other columns"),
    ("UPDATE changes_lane SET applied = applied - 1", "I5 a lane whose counts"),
    ("UPDATE changes_lane SET fence = fence - 1", "I5 lane"),
    ("DELETE FROM approvals_vote", "I6 a row was changed"),
    ("UPDATE approvals_vote SET person_id = requester_person_id", "I6 somebody decided"),
    ("UPDATE changes_change SET state = 'running' WHERE state = 'done'", "I7 change"),
    ("DELETE FROM audit_event WHERE channel = 'shop'", "I14"),
)


@pytest.fixture
def chaos_address(real_db: Any, servers: Servers) -> str:
    secret = psycopg.conninfo.conninfo_to_dict(servers.admin_url)
    login = {"user": str(secret["user"]), "password": str(secret.get("password", ""))}
    return address(servers.admin_url, **login, database=real_db.name)


@pytest.fixture
def deleted(real_db: Any, operator: Actor, approver: Actor, chaos_address: str) -> Checker:
    """Six tags deleted with votes while somebody edits one of them, and everything a caller was told."""
    checker = Checker(chaos_address)
    checker.set_up()
    with acting(operator):
        rows = tags(600)
    outcome = ask(operator, "shop.usertag", keys_of(rows))
    agree(outcome.ticket, approver)
    checker.remember(outcome.change.pk)
    with acting(operator, channel="shop"):
        UserTag.objects.filter(pk=rows[0].pk).update(tag="edited")
    start(outcome.change, operator)
    work(outcome.change)
    checker.heard.changes.add(outcome.change.pk)
    with psycopg.connect(chaos_address) as connection:
        row = connection.execute("SELECT xid::text FROM audit_event WHERE channel = 'shop'").fetchone()
        assert row is not None
        checker.heard.writes.append(row[0])
    return checker


def damage(address_: str, statement: str) -> None:
    """With no trigger in the way, not even one that is enabled always."""
    with psycopg.connect(address_) as connection:
        for (table,) in connection.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall():
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE changes_lane DROP CONSTRAINT IF EXISTS changes_lane_counts")
        connection.execute("ALTER TABLE approvals_vote DROP CONSTRAINT IF EXISTS approvals_vote_not_the_requester")
        connection.execute(statement)  # type: ignore[call-overload]


def test_a_sound_run_breaks_no_rule(deleted: Checker) -> None:
    assert deleted.violations() == []
    assert deleted.violations(last=True) == []


@pytest.mark.parametrize(("statement", "rule"), DAMAGES, ids=[rule for _, rule in DAMAGES])
def test_each_damage_breaks_its_rule(deleted: Checker, chaos_address: str, statement: str, rule: str) -> None:
    assert deleted.violations() == []
    damage(chaos_address, statement)
    found = deleted.violations(last=True)
    assert [one for one in found if one.startswith(rule)], found


def test_the_steps_are_the_published_ones() -> None:
    assert {state: set(steps) for state, steps in STEPS.items()} == {
        s.value: {t.value for t in to} for s, to in ALLOWED.items()
    }
    assert reachable("done") == {"done"}
    assert reachable("waiting") == set(STEPS), "sent back, it is a draft again"


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("ALTER TABLE shop_order DISABLE TRIGGER custody_key", "gone: trigger"),
        ("GRANT TRUNCATE ON shop_order TO custody_app", "shop_order: TRUNCATE"),
        ("GRANT INSERT ON shop_historicalorder TO custody_app", "shop_order: history INSERT"),
        ("ALTER TABLE shop_order NO FORCE ROW LEVEL SECURITY", "shop_order: row level security"),
        ("ALTER TABLE shop_order OWNER TO custody_app", "shop_order: owner"),
        ("CREATE TABLE smuggled ()", "new: table smuggled"),
    ],
)
def test_the_catalogs_are_what_they_were(chaos_address: str, statement: str, what: str) -> None:
    catalog = Catalog(chaos_address)
    assert catalog.violations() == []
    with psycopg.connect(chaos_address) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    found = catalog.violations()
    assert [one for one in found if what in one], found


def test_orphans_are_found_and_sound_blocks_are_not(deleted: Checker, chaos_address: str) -> None:
    catalog = Catalog(chaos_address)
    assert catalog.damage() == []
    damage(chaos_address, "UPDATE shop_usertag SET customer_id = 0 WHERE id = (SELECT max(id) FROM shop_usertag)")
    assert any("1 orphans of shop_usertag" in one for one in catalog.damage())


def test_a_file_of_the_archive_that_was_altered_is_found(
    real_db: Any, operator: Actor, engineer: Actor, approver: Actor, chaos_address: str, settings: Any, tmp_path: Path
) -> None:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path
    with acting(operator):
        rows = tags(3)
    assert work(ask(operator, "shop.usertag", keys_of(rows)).change).state == "done"
    with psycopg.connect(chaos_address) as connection:
        connection.execute("UPDATE audit_retentionpolicy SET keep = interval '0 days'")
    purge = ask(engineer, "shop.usertag", keys_of(rows), operation="purge")
    agree(purge.ticket, approver)
    start(purge.change, engineer)
    assert work(purge.change).state == "done"
    assert cold.violations(chaos_address, tmp_path) == []
    file = next(files.place_of_all().rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    assert "is not what was recorded" in cold.violations(chaos_address, tmp_path)[0]
    file.unlink()
    assert "not there" in cold.violations(chaos_address, tmp_path)[0]
