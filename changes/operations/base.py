"""What an operation is: what it asks for, how it freezes, in which order it walks its parts.

What happens to the rows is the effect of each part (`changes.effects`). A project adds an operation of its own with one
file that makes a kind, and one line in the setting CUSTODY_OPERATIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise

from audit.entity import SoftDeleted
from changes.effects.base import EffectKind
from changes.errors import BadOption
from changes.models import Change
from changes.plan import Plan
from changes.selection import Selection

# (change, selection, cascade_also) -> plan, rows frozen
Freeze = Callable[[Change, Selection | None, frozenset[str]], Plan]
# (entity, what was asked) -> the options as they are stored in the change; raises an Invalid that names the field
ReadOptions = Callable[[type[SoftDeleted], Mapping[str, Any]], dict[str, Any]]
# change -> one phrase per thing that is to happen
InWords = Callable[[Change], tuple[str, ...]]


def no_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """An operation that takes nothing but a selection."""
    only_known(asked, ())
    return {}


def only_known(asked: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise BadOption for anything the operation does not know."""
    for name in asked:
        if name not in known:
            raise BadOption(field=f"options.{name}"[:80], value=str(name)[:40], known=", ".join(known) or "-")


def no_words(change: Change) -> tuple[str, ...]:
    """An operation whose name says it all."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationKind:
    """A registered operation.

    name            stored in `Change.operation`, at most 16 characters
    label           shown to people, an imperative
    freeze          plans and freezes
    action          what the policy is asked besides “change.request”
    deepest_first   dependants are changed before what they depend on
    needs_selection the caller names rows; otherwise the options say what is meant
    live_rows       works on live rows; otherwise on the recycle bin
    read_options    checks what was asked besides the selection
    whole           runs in one transaction: everything or nothing
    approvals       other persons that must agree however few the rows are
    in_words        what the options mean, for the title and the pages, in the current language
    effects         effects of its own, by the name that its parts carry, at most 16 characters
    """

    name: str
    label: str | Promise
    freeze: Freeze
    action: str = ""
    deepest_first: bool = False
    needs_selection: bool = True
    live_rows: bool = True
    read_options: ReadOptions = no_options
    whole: bool = False
    approvals: int = 0
    in_words: InWords = no_words
    effects: Mapping[str, EffectKind] = field(default_factory=dict)

    def rows(self, selection: Selection) -> Any:
        """The queryset the operation may select from."""
        model: Any = selection.entity
        return selection.narrow(model.objects.all() if self.live_rows else model.deleted.all())
