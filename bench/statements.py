"""Single statements: a governed delete against SQL written by hand, simple-history, pghistory, and no history."""

from __future__ import annotations

import time
from typing import Any

from bench import tables
from bench.measuring import Figure, at_least, at_most, take_turns
from bench.stage import Stage

SETS = "is_deleted = true, deleted_at = now(), status = 'archived', retention_policy = 'standard'"
RECORDED = (
    "history_date, history_type, event_id, change_id, xid, history_user_id, history_change_reason, " + tables.COLUMNS
)
EVENT = """
INSERT INTO bench_hand_event (event_id, occurred_at, xid, target_table, entity, operation, action, affected_rows,
  operator_name, tenant_id, trace_id, request_id, channel, reason, db_role, application)
VALUES (gen_random_uuid(), clock_timestamp(), pg_current_xact_id(), 'bench_hand', 'bench.hand', '~', 'delete', %s, 'hand', 1,
  '', '', 'sql', '', session_user, '')
"""


def delete_vs_hand_sql(stage: Stage, rows: int, rounds: int) -> Figure:
    """One governed UPDATE against two ways to write the same history by hand; the faster one counts."""

    def governed() -> float:
        with stage.owner() as owner:
            tables.load(owner, "peers_full", rows)
            stage.checkpoint()
            began = time.perf_counter()
            touched = owner.execute(f"UPDATE peers_full SET {SETS} WHERE id <= {rows}").rowcount
            return _timed(began, touched, rows)

    def by_hand(one_statement: bool) -> float:
        recorded = f"now(), '~', 1, NULL, pg_current_xact_id(), NULL, NULL, {tables.COLUMNS}"
        with stage.owner() as owner:
            tables.load(owner, "bench_hand", rows)
            stage.checkpoint()
            began = time.perf_counter()
            with owner.transaction():
                update = f"UPDATE bench_hand SET {SETS} WHERE id <= {rows}"
                insert = f"INSERT INTO bench_hand_history ({RECORDED}) SELECT {recorded} FROM"
                if one_statement:
                    touched = owner.execute(f"WITH u AS ({update} RETURNING {tables.COLUMNS}) {insert} u").rowcount
                else:
                    owner.execute(update)
                    touched = owner.execute(f"{insert} bench_hand WHERE deleted_at = now()").rowcount
                owner.execute(EVENT, [touched])
            return _timed(began, touched, rows)

    sides = take_turns(
        {
            "governed statement": governed,
            "by hand, UPDATE … RETURNING into INSERT": lambda: by_hand(True),
            "by hand, UPDATE, then INSERT … SELECT": lambda: by_hand(False),
        },
        rounds=rounds,
    )
    faster = min(list(sides)[1:], key=lambda name: sorted(sides[name])[len(sides[name]) // 2])
    return at_most("delete_vs_hand_sql", 1.0, "governed statement", faster, sides, f"{rows:,} rows, against {faster}")


def delete_vs_pghistory_statement(stage: Stage, rows: int, rounds: int) -> Figure:
    """The same queryset.update() on tables of the same shape."""
    sides = take_turns(
        {
            "governed queryset.update()": lambda: _update(stage, "Full", rows),
            "django-pghistory, statement level": lambda: _update(stage, "PgHistory", rows),
        },
        rounds=max(rounds, 5),
    )
    names = list(sides)
    return at_most("delete_vs_pghistory_statement", 1.0, *names, sides, f"{rows:,} rows")


def delete_vs_simple_history_bulk(stage: Stage, rows: int, rounds: int) -> Figure:
    """Against the fastest way simple-history has for many rows."""
    sides = take_turns(
        {
            "governed queryset.update()": lambda: _update(stage, "Full", rows),
            "bulk_update_with_history": lambda: _bulk_update_with_history(stage, rows),
        },
        rounds=rounds,
    )
    names = list(sides)
    return at_least("delete_vs_simple_history_bulk", 40, *names, sides, f"{rows:,} rows")


def _update(stage: Stage, name: str, rows: int) -> float:
    import pghistory
    from django.db import transaction
    from django.db.models.functions import Now

    from bench.peers import models

    model: Any = getattr(models, name)
    with stage.owner() as owner:
        tables.load(owner, model._meta.db_table, rows)
    stage.checkpoint()
    chosen = (model.objects_and_deleted if name == "Full" else model.objects).filter(id__lte=rows)
    values = {"is_deleted": True, "deleted_at": Now(), "status": "archived", "retention_policy": "standard"}
    with as_owner():
        began = time.perf_counter()
        if name == "PgHistory":
            with transaction.atomic(), pghistory.context(user=7, reason="bench"):
                touched = chosen.update(**values)
        else:
            with transaction.atomic():
                touched = chosen.update(**values)
        return _timed(began, touched, rows)


def _bulk_update_with_history(stage: Stage, rows: int) -> float:
    from django.db import transaction
    from django.test.utils import override_settings
    from django.utils import timezone
    from simple_history.utils import bulk_update_with_history

    from bench.peers.models import SimpleHistory

    with stage.owner() as owner:
        tables.load(owner, "peers_simplehistory", rows)
    stage.checkpoint()
    with as_owner(), override_settings(SIMPLE_HISTORY_ENABLED=True):
        began = time.perf_counter()
        with transaction.atomic():
            found = list(SimpleHistory.objects.filter(id__lte=rows))
            now = timezone.now()
            for row in found:
                row.is_deleted, row.deleted_at, row.status = True, now, "archived"
            fields = ["is_deleted", "deleted_at", "status", "retention_policy"]
            touched = bulk_update_with_history(found, SimpleHistory, fields, batch_size=2000)
        taken = _timed(began, touched, rows)
        assert SimpleHistory.history.count() == rows
    return taken


class as_owner:  # noqa: N801 - reads as a statement
    """Django's connection logged in as the owner: one statement over so many rows is refused to the application."""

    def __enter__(self) -> None:
        import psycopg
        from django.conf import settings
        from django.db import connections

        self._settings = connections.settings["default"]
        self._before = {key: self._settings[key] for key in ("USER", "PASSWORD")}
        import os

        login = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_OWNER_URL"])
        self._settings.update(USER=login["user"], PASSWORD=login["password"])
        connections.close_all()
        assert settings.configured
        with connections["default"].cursor() as cursor:
            cursor.execute("SET custody.all_tenants = 'on'; SET custody.mass_write = 'bench'")

    def __exit__(self, *error: object) -> None:
        from django.db import connections

        connections.close_all()
        self._settings.update(self._before)


def _timed(began: float, touched: int, rows: int) -> float:
    taken = time.perf_counter() - began
    if touched != rows:
        raise AssertionError(f"{touched} rows were changed, not {rows}")
    return taken
