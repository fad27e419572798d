"""Loading the measured tables: each side starts from the same rows, vacuumed, with its history as it should be."""

from __future__ import annotations

from typing import Any

import psycopg

SEED = """
CREATE UNLOGGED TABLE bench_seed AS
SELECT g AS id, 1 AS tenant_id, 'active'::varchar AS status, 'standard'::varchar AS retention_policy, false AS is_deleted,
  NULL::timestamptz AS deleted_at, timestamptz '2025-01-01' + g * interval '1 s' AS created_at,
  timestamptz '2025-06-01' + g * interval '1 s' AS updated_at, (1 + (g * 7919) % 80000)::integer AS customer_id,
  ((g % 100000) / 100.0)::numeric(12, 2) AS total, (ARRAY['USD', 'EUR', 'GBP'])[1 + g % 3] AS currency,
  substr(md5(g::text) || md5((g * 3)::text), 1, 55 + (g % 10)::integer) AS note, '+49' || (1000000000 + g * 37)::text AS phone,
  timestamptz '2024-01-01' + ((g * 104729) % 30000000) * interval '1 s' AS booked_at
FROM generate_series(1::bigint, %(rows)s) g
"""
COLUMNS = (
    "id, tenant_id, status, retention_policy, is_deleted, deleted_at, created_at, updated_at, customer_id, total, "
    "currency, note, phone, booked_at"
)
HAND = """
DROP TABLE IF EXISTS bench_hand, bench_hand_history, bench_hand_event;
CREATE TABLE bench_hand (LIKE peers_full INCLUDING ALL);
CREATE TABLE bench_hand_history (LIKE peers_historicalfull INCLUDING ALL);
CREATE TABLE bench_hand_event (LIKE audit_event INCLUDING ALL);
"""
TABLES = ("peers_full", "peers_mass", "peers_bare", "peers_simplehistory", "peers_pghistory", "bench_hand")
HISTORIES = {
    "peers_full": "peers_historicalfull",
    "peers_mass": "peers_historicalmass",
    "peers_simplehistory": "peers_historicalsimplehistory",
    "peers_pghistory": "peers_pghistoryevent",
    "bench_hand": "bench_hand_history",
}


def prepare(owner: psycopg.Connection[Any], rows: int) -> None:
    """The seed and the tables written by hand; autovacuum must not join in while something is measured."""
    owner.execute("DROP TABLE IF EXISTS bench_seed")
    owner.execute(psycopg.sql.SQL(SEED.replace("%(rows)s", str(int(rows)))))
    owner.execute(HAND)
    for table in (*TABLES, *HISTORIES.values()):
        owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")


def load(owner: psycopg.Connection[Any], table: str, rows: int, *, baseline: bool = False) -> None:
    """Empty the table and its history and fill it from the seed; `baseline` writes each row's first version."""
    governed = table in ("peers_full", "peers_mass")
    history = HISTORIES.get(table)
    triggers = [name for (name,) in owner.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table]
    )]  # fmt: skip
    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    owner.execute(f"TRUNCATE {table}")
    if history:
        _empty_history(owner, history, governed=governed)
    owner.execute(
        f"INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM bench_seed WHERE id <= {int(rows)} ORDER BY id"
    )
    if baseline:
        owner.execute(
            f"INSERT INTO {history} (history_date, history_type, event_id, xid, {COLUMNS}) "
            f"SELECT now(), '+', nextval('audit_event_id_seq'), pg_current_xact_id(), {COLUMNS} FROM {table} ORDER BY id"
        )
    for trigger in triggers:
        owner.execute(f"ALTER TABLE {table} ENABLE {'ALWAYS' if governed else ''} TRIGGER {trigger}")
    for each in filter(None, (table, history)):
        owner.execute(f"VACUUM (FREEZE, ANALYZE) {each}")


def empty(owner: psycopg.Connection[Any], names: tuple[str, ...]) -> None:
    """Empty governed tables of the project and their histories, whatever points to them."""
    app, _ = names[0].split("_", 1)
    histories = [f"{app}_historical{name.removeprefix(app + '_')}" for name in names]
    touched = [name for (name,) in owner.execute(
        "WITH RECURSIVE t(oid) AS (SELECT unnest(%s::regclass[])::oid UNION SELECT conrelid FROM pg_constraint "
        "JOIN t ON confrelid = t.oid WHERE contype = 'f') SELECT oid::regclass::text FROM t", [list(names)]
    )]  # fmt: skip
    for table in touched:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER custody_capture_truncate")
    owner.execute(f"TRUNCATE {', '.join(touched)}")
    for table in touched:
        owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER custody_capture_truncate")
    for history in histories:
        _empty_history(owner, history, governed=True)


def forget_changes(owner: psycopg.Connection[Any]) -> None:
    """Frozen rows of earlier rounds would make later ones slower."""
    owner.execute("TRUNCATE changes_frozenrow, changes_skippedrow")


def _empty_history(owner: psycopg.Connection[Any], history: str, *, governed: bool) -> None:
    if governed:
        owner.execute(f"ALTER TABLE {history} DISABLE TRIGGER custody_append_only")
    owner.execute(f"TRUNCATE {history}")
    if governed:
        owner.execute(f"ALTER TABLE {history} ENABLE ALWAYS TRIGGER custody_append_only")
