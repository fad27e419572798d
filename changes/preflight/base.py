"""What a check is: it gets a subject and answers pass, warn or block, as a code with facts. One small file per check.

A project adds a check of its own with one file that makes a `Check`, and one line in the setting CUSTODY_PREFLIGHT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.entity import SoftDeleted
from changes.models import Change
from changes.plan import Plan
from changes.states import Operation
from foundation.actor import Actor

PASS, WARN, BLOCK = "pass", "warn", "block"
LEVELS = (PASS, WARN, BLOCK)
# Bringing rows back is never held up by what a check of size or load says.
BRINGS_BACK = frozenset({Operation.UNDO.value, Operation.ROLLBACK.value, Operation.RESTORE.value})


class Moment(TextChoices):
    """When the checks were made."""

    REQUEST = "request", _("when it was asked for")
    VOTE = "vote", _("at a vote")
    START = "start", _("before a start")
    AGAIN = "again", _("because somebody asked again")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer. `facts` are JSON values for the sentence of `code`.

    A check of a project has no sentence in the console: it says `text`, and `lines` of evidence, in its facts.
    """

    check: str
    level: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table and what happens to them."""

    number: int
    entity: type[SoftDeleted]
    effect: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a check may look at. The rows are frozen: `changes_frozenrow`.

    requester  who asked, with the roles of this moment; None where the login is gone
    plan       what the freeze found out, only while it happens
    """

    change: Change
    moment: str
    requester: Actor | None
    parts: tuple[Part, ...]
    plan: Plan | None = None

    @classmethod
    def of_plan(cls, change: Change, plan: Plan, requester: Actor | None) -> Subject:
        """At the freeze."""
        parts = tuple(Part(p.number, p.entity, str(p.effect), tuple(p.columns), p.rows) for p in plan.parts)
        return cls(change=change, moment=Moment.REQUEST, requester=requester, parts=parts, plan=plan)

    @classmethod
    def of_change(cls, change: Change, moment: str, requester: Actor | None) -> Subject:
        """Later on."""
        parts = tuple(
            Part(p.part, registry.entity(p.entity), p.effect, tuple(p.columns), p.rows) for p in change.parts.all()
        )
        return cls(change=change, moment=moment, requester=requester, parts=parts)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def entities(self) -> tuple[type[SoftDeleted], ...]:
        """The tables of the change, each once."""
        return tuple(dict.fromkeys(part.entity for part in self.parts))

    @property
    def brings_back(self) -> bool:
        return self.change.operation in BRINGS_BACK


# None: nothing to look at here.
Ask = Callable[[Subject], Finding | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A registered check.

    name     kept in every finding, at most 32 characters
    label    what people call it
    ask      answers; its SQL is cut off after CUSTODY_PREFLIGHT_SECONDS, an error of it is a block
    way      what to do when it blocks: a sentence
    planned  looks at the plan, so it is made once, when the rows are frozen
    passes   what it looks for goes by itself: until the start a block of it is a warning
    """

    name: str
    label: str | Promise
    ask: Ask
    way: str | Promise = ""
    planned: bool = False
    passes: bool = False
