"""Checks of the guard: its functions are those that were written, its buckets are nobody's, its partitions are covered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error

from audit import capture, inspection
from audit.names import QualifiedName

SQL = Path(__file__).resolve().parent / "sql"
FUNCTIONS = ("exemption", "refuse_sum", "weigh_sum", "refuse_uncovered")
# Written as one SQL expression, which PostgreSQL keeps as a tree: it is asked what it mentions.
EXPRESSIONS = {
    "mass_write": ("custody.mass_write", "session_user", "custody_owner"),
    "writer": ("session_user", "custody_app", "person"),
}
BUCKETS = ("custody", "write_bucket")


def guard(cursor: Any) -> Iterator[CheckMessage]:
    """Everything the guard of every table rests on."""
    yield from functions(cursor, SQL / "guard_v1.sql", FUNCTIONS)
    yield from functions(cursor, SQL / "guard_v2.sql", ("weigh_write",))
    yield from functions(cursor, SQL / "exemptions_v1.sql", ("exemption_step",))
    for name, words in EXPRESSIONS.items():
        if not inspection.expression_has(cursor, name, words):
            yield Error(f"function custody.{name} differs from its migration", id="custody.E026")
    if inspection.persistence(cursor, BUCKETS) is None:
        yield Error("the guard's buckets are missing; run migrate", id="custody.E026")
    trigger = inspection.trigger(cursor, ("public", "audit_exemption"), "custody_step")
    if trigger is None or trigger.enabled != "A" or trigger.function != "exemption_step":
        yield Error("trigger custody_step of audit_exemption is missing or switched off", id="custody.E012")


def functions(cursor: Any, file: Path, names: Iterable[str]) -> Iterator[CheckMessage]:
    """Bodies in the database differ from the file that wrote them."""
    text = file.read_text()
    for name in names:
        start = text.index("$f$", text.index(f"FUNCTION custody.{name}(")) + len("$f$")
        if inspection.function_body(cursor, name) != text[start : text.index("$f$", start)]:
            yield Error(f"function custody.{name} differs from its migration", id="custody.E026")


def partitions(cursor: Any, model: Any, table: QualifiedName) -> Iterator[CheckMessage]:
    """A partition written directly fires its own triggers only, so each must have them all."""
    triggers = [capture.trigger_name(operation) for operation in capture.OPERATIONS]
    for leaf in inspection.leaves_without(cursor, table, triggers):
        yield Error(
            f"partition {leaf} of {'.'.join(table)} has no capture triggers: a governed table of Custody's own is not "
            "partitioned. Put it back in one piece, or adopt it (manage.py adopt)",
            obj=model,
            id="custody.E027",
        )
