"""Which actions ask for a proof: from the settings into the database, and checked there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import connections, transaction

from access.policy import ALLOWED
from audit import inspection
from audit.guard_checks import functions

SQL = Path(__file__).resolve().parent / "sql" / "proofs_v1.sql"
FUNCTIONS = ("record_proof", "fresh_proof", "proof_holds", "use_proof")
# Acts that nobody can take back, or that let others do them: leaving one out is told.
SHIPPED = ("ticket.vote", "exemption.agree", "change.purge", "account.secure")


def store(sender: Any, using: str, **kwargs: Any) -> None:
    """Write the rules; post_migrate calls it per app, once is enough."""
    if sender.name != "access":
        return
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.access_stepuprule') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return
        cursor.execute("DELETE FROM public.access_stepuprule")
        for action, seconds, methods in _wanted():
            cursor.execute("INSERT INTO public.access_stepuprule VALUES (%s, %s, %s)", [action, seconds, list(methods)])


def settings_make_sense(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every action named is one of the policy; one that ships with a proof and has none is told."""
    named = settings.CUSTODY_STEP_UP_ACTIONS
    found: list[CheckMessage] = [
        Error(
            f"CUSTODY_STEP_UP_ACTIONS names {action!r}, which is no action of the policy. Actions: {', '.join(ALLOWED)}",
            id="custody.E040",
        )
        for action in named
        if action not in ALLOWED
    ]
    found += [
        Caution(f"CUSTODY_STEP_UP_ACTIONS leaves out {action}: it is done without a fresh proof", id="custody.W041")
        for action in SHIPPED
        if action not in named
    ]
    return found


def rules_in_step(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The database asks for what the settings say, with the functions that were written."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.access_stepuprule') IS NOT NULL")
            if not cursor.fetchone()[0]:
                found.append(
                    Error("the table of actions that ask for a proof is missing; run migrate", id="custody.E042")
                )
                continue
            cursor.execute("SELECT action, seconds, methods FROM public.access_stepuprule")
            if {(row[0], row[1], tuple(row[2])) for row in cursor.fetchall()} != set(_wanted()):
                found.append(
                    Error("actions that ask for a proof differ from the settings; run migrate", id="custody.E042")
                )
            found += functions(cursor, SQL, FUNCTIONS)
            for name in ("custody_kept", "custody_emptied"):
                trigger = inspection.trigger(cursor, ("public", "access_proof"), name)
                if trigger is None or trigger.enabled != "A" or trigger.function != "refuse_write":
                    found.append(Error(f"trigger {name} of access_proof is missing or switched off", id="custody.E012"))
    return found


def _wanted() -> Iterable[tuple[str, int, tuple[str, ...]]]:
    methods = tuple(settings.CUSTODY_STEP_UP_METHODS)
    return [(action, settings.CUSTODY_STEP_UP_SECONDS, methods) for action in settings.CUSTODY_STEP_UP_ACTIONS]
