"""What an undo would do by the form: one plan without rules, one by the rules, kept while the form is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.core.cache import cache

from approvals import gate
from changes import conflicts
from changes.states import Operation
from changes.undoing import UndoPreview, preview_undo, preview_undo_of_events
from console.pages.undo_form import Asked, mark_of, only_of, rules_of
from foundation.actor import Actor
from foundation.errors import Invalid

KEEP_SECONDS, SAMPLE = 300, 5


class Previewed(Protocol):
    """What can be looked at by the form; `sign` tells it from anything else."""

    @property
    def sign(self) -> list[Any]: ...

    @property
    def operation(self) -> str:
        """What it would be asked for as."""
        ...

    def preview(self, actor: Actor, options: Mapping[str, Any]) -> UndoPreview:
        """Count it for real."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be undone: a change, or (`source`) statements on `entity` and others."""

    entity: str
    change_id: int | None = None
    source: Mapping[str, Any] | None = None
    operation: str = Operation.UNDO

    @property
    def sign(self) -> list[Any]:
        return [self.change_id, self.source, self.entity]

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as the engine takes them."""
        return {**options, "source": dict(self.source)} if self.source is not None else dict(options)

    def preview(self, actor: Actor, options: Mapping[str, Any]) -> UndoPreview:
        """Count it for real. Raises what `changes.undoing` does."""
        asked = self.options(options)
        if self.change_id is not None:
            return preview_undo(self.change_id, actor=actor, options=asked, size=SAMPLE)
        return preview_undo_of_events(self.entity, actor=actor, options=asked, size=SAMPLE)


@dataclass(frozen=True, slots=True)
class Look:
    """What the page shows.

    found    the conflicts as they stand, whatever the rules
    by_rule  what would come back by the rules; rows whose rule is to stop are counted among the conflicts
    options  what would be asked for
    error    why the chosen part cannot be read; then found and by_rule are of the whole
    """

    found: UndoPreview
    by_rule: UndoPreview
    options: dict[str, Any]
    approvals: int
    error: Invalid | None = None

    @property
    def mark(self) -> str:
        return mark_of(self.options)


def look(actor: Actor, subject: Previewed, asked: Asked, *, fresh: bool) -> Look:
    """Look at what the form asks for. Raises a Conflict when it cannot be undone at all."""
    whole = _kept(actor, subject, {}, fresh=fresh)
    options: dict[str, Any] = {}
    found, error = whole, None
    try:
        if only := only_of(asked, whole.scope):
            options["only"] = only
            found = _kept(actor, subject, options, fresh=fresh)
    except Invalid as refused:
        options, error = {}, refused
    counted = {**options, "conflicts": rules} if (rules := _known(rules_of(asked, stopping=False))) else options
    by_rule = _kept(actor, subject, counted, fresh=fresh) if counted != options else found
    if rules := _known(rules_of(asked, stopping=True)):
        options = {**options, "conflicts": rules}
    needed = gate.foreseen(
        subject.operation, ((part.entity, part.rows) for part in by_rule.parts), least=by_rule.approvals_least
    )
    return Look(found, by_rule, options, needed.approvals, error)


def stopping(seen: Look) -> list[str]:
    """Classes whose rule is to stop and that still hold rows."""
    rules = seen.options.get("conflicts", {})
    held = {tally.reason for tally in seen.by_rule.tallies}
    held |= {"column_gone"} if seen.by_rule.lost else set()
    return [name for name, rule in rules.items() if rule == conflicts.ABORT and name in held]


def _known(rules: dict[str, str]) -> dict[str, str]:
    """A forged rule is no rule; the engine would refuse it, the page shows the usual one."""
    return {name: rule for name, rule in rules.items() if rule in conflicts.RULES[name]}


def _kept(actor: Actor, subject: Previewed, options: dict[str, Any], *, fresh: bool) -> UndoPreview:
    """A plan counted less than five minutes ago is good enough while somebody fills in the form."""
    what = mark_of([actor.tenant, *subject.sign, options])
    kept: UndoPreview | None = None if fresh else cache.get(f"undo:{what}")
    if kept is None:
        kept = subject.preview(actor, options)
        cache.set(f"undo:{what}", kept, KEEP_SECONDS)
    return kept
