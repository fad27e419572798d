"""Trying once more what a change could not do: exactly the rows it left alone, as a change of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count

from audit import registry
from changes.effects import EFFECTS
from changes.errors import NothingToRetry, UnknownReason, WrongState
from changes.freezing import MANY, Freezer
from changes.models import Change, SkippedRow
from changes.plan import Plan
from changes.reverting import INTO
from changes.states import Effect, SkipReason, State
from changes.tables import Table, table_of
from changes.versions import same

RETRYABLE = (State.DONE, State.CANCELLED)
USUAL = (SkipReason.ERROR,)
# Options that are no operation's own.
HOW = ("cascade_also", "window", "canary", "retry_of", "reasons")


def left_alone(change: Change) -> dict[str, int]:
    """Rows per reason why they were left alone."""
    found = SkippedRow.objects.filter(change_id=change.pk).order_by().values_list("reason")
    return dict(found.annotate(rows=Count("pk")))


def chosen_reasons(change: Change, reasons: Iterable[str]) -> list[str]:
    """Check what is to be tried again. Raises WrongState, UnknownReason, NothingToRetry."""
    wanted = sorted(set(reasons) or USUAL)
    for reason in wanted:
        if reason not in SkipReason.values:
            raise UnknownReason(field="reasons", value=str(reason)[:40], known=", ".join(SkipReason.values))
    if change.state not in RETRYABLE:
        needed = ", ".join(str(state.label) for state in RETRYABLE)
        raise WrongState(change_id=change.pk, state=change.get_state_display(), needed=needed)
    there = left_alone(change)
    if not any(there.get(reason) for reason in wanted):
        raise NothingToRetry(change_id=change.pk)
    return wanted


def options_of(change: Change, reasons: list[str]) -> dict[str, Any]:
    """What the new change is asked with: as the first, without its trial."""
    kept = {name: value for name, value in change.options.items() if name != "canary"}
    return {**kept, "retry_of": change.pk, "reasons": reasons}


def asked_again(change: Change) -> dict[str, Any]:
    """What the operation itself was asked, besides when and how it runs."""
    return {name: value for name, value in change.options.items() if name not in HOW}


def freeze(change: Change) -> Plan:
    """Freeze the rows that were left alone, as they are now. Links that were to be cleared go with their parents only."""
    assert change.retry_of is not None
    freezer = Freezer(tenant_id=change.tenant_id, change_id=change.pk)
    for done in change.retry_of.parts.exclude(effect=Effect.CLEAR).order_by("part"):
        entity, columns = registry.entity(done.entity), tuple(done.columns)
        part = freezer.add_part(entity, Effect(done.effect), columns, depth=done.depth, via=done.via)
        part.rows = freezer.execute(
            _sql(table_of(entity), part.number, part.effect, columns),
            hint_rows=MANY + 1,
            original=change.retry_of.pk,
            done_part=done.part,
            reasons=change.options["reasons"],
        )
    return Plan(parts=[part for part in freezer.parts if part.rows])


def _sql(table: Table, number: int, effect: Effect | str, columns: tuple[str, ...]) -> str:
    """A row that is to be deleted must be there; one that comes back must still be what the first change undid."""
    row, token, still = f"JOIN {table.name} o ON {table.match()} AND {table.tenant()}", "o.xmin", "true"
    if effect is Effect.DELETE:
        still = "NOT o.is_deleted"
    elif effect in (Effect.REVERT, Effect.RECALL):
        row += f" JOIN {table.history} a ON a.history_id = r.after_id"
        still = same(table.model, columns, "o", "a")
    elif not EFFECTS[effect].locked:  # a row to be added is not there yet
        row, token = "", "r.token"
    return (
        f"{INTO} SELECT %(tenant)s, %(change)s, {number}, r.position, {token}, r.key, r.before_id, r.after_id "
        "FROM changes_skippedrow s JOIN changes_frozenrow r ON r.tenant_id = s.tenant_id "
        "AND r.change_id = s.change_id AND r.part = s.part AND r.position = s.position "
        f"{row} "
        "WHERE s.tenant_id = %(tenant)s AND s.change_id = %(original)s AND s.part = %(done_part)s "
        f"AND s.reason = ANY(%(reasons)s) AND {still} ORDER BY 4"
    )
