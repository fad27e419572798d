"""The life of a change: states, and the legal steps between them. Pure.

The database refuses every other step too (`changes/sql/guards_v1.sql`).
"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    DRAFT = "draft", _("draft")
    FROZEN = "frozen", _("frozen")
    WAITING = "waiting", _("waiting for approval")
    CLEARED = "cleared", _("ready to start")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    CANCELLING = "cancelling", _("stopping")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("stopped")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("refused")


ALLOWED: dict[State, frozenset[State]] = {
    # draft -> frozen: submitted; -> refused: thrown away
    State.DRAFT: frozenset({State.FROZEN, State.REFUSED}),
    # frozen -> waiting: a ticket was opened; -> cleared: at or below every threshold
    State.FROZEN: frozenset({State.WAITING, State.CLEARED, State.REFUSED}),
    # waiting -> cleared: enough other persons agreed; -> refused: rejected, withdrawn, expired; -> draft: sent back, to be
    # written and frozen anew
    State.WAITING: frozenset({State.CLEARED, State.REFUSED, State.DRAFT}),
    # cleared -> running: a person started it; -> refused: called off before it began; -> waiting: so many rows
    # have changed since that people vote on it once more
    State.CLEARED: frozenset({State.RUNNING, State.REFUSED, State.WAITING}),
    # running -> done: verified; -> paused: somebody held it, or it holds itself (`Held`); -> cancelling: somebody
    # stopped it, or its trial is taken back; -> failed: it cannot go on by itself
    State.RUNNING: frozenset({State.DONE, State.PAUSED, State.CANCELLING, State.FAILED}),
    # paused -> running: somebody lets it go on, or its window opens; -> cancelling: somebody stops it for good
    State.PAUSED: frozenset({State.RUNNING, State.CANCELLING}),
    # cancelling -> cancelled: the last chunk ended; -> done: it had ended before
    State.CANCELLING: frozenset({State.CANCELLED, State.DONE, State.FAILED}),
    # failed -> running: somebody continues it
    State.FAILED: frozenset({State.RUNNING}),
    State.DONE: frozenset(),
    State.CANCELLED: frozenset(),
    State.REFUSED: frozenset(),
}

# Workers look at these; a paused change has begun and not ended, but nobody works on it.
ACTIVE = (State.RUNNING, State.CANCELLING)
UNFINISHED = (*ACTIVE, State.PAUSED)
UNDOABLE = (State.DONE, State.CANCELLED, State.FAILED)


class Held(TextChoices):
    """Why a change is paused. What a window holds goes on by itself; everything else asks a person."""

    PERSON = "person", _("paused by a person")
    WINDOW = "window", _("outside of its window")
    SCHEMA = "schema_moved", _("its table has changed")
    CANARY = "canary", _("its trial needs a look")


class Canary(TextChoices):
    """How far the trial of a change is."""

    TRYING = "trying", _("trying")
    WATCHING = "watching", _("watching")
    PASSED = "passed", _("passed")
    TAKING_BACK = "taking_back", _("being taken back")


class Operation(TextChoices):
    DELETE = "delete", _("delete")
    RESTORE = "restore", _("restore")
    UPDATE = "update", _("update")
    UNDO = "undo", _("undo")
    ROLLBACK = "rollback", _("roll back")
    PURGE = "purge", _("purge")
    IMPORT = "import", _("import")


class Effect(TextChoices):
    DELETE = "delete", _("deleted")
    CLEAR = "clear", _("kept, link cleared")
    REVERT = "revert", _("brought back")
    RECALL = "recall", _("brought back to a version")
    SET = "set", _("updated")
    ADD = "add", _("added")
    LINK = "link", _("linked again")
    LOAD = "load", _("updated from the file")
    CREATE = "create", _("added from the file")
    REMOVE = "remove", _("removed for good")


class Verdict(TextChoices):
    """What a line of an imported file would do."""

    NEW = "new", _("new row")
    CHANGED = "changed", _("changes a row")
    SAME = "same", _("nothing to do")
    CONFLICT = "conflict", _("in conflict")
    WRONG = "wrong", _("wrong")


class SkipReason(TextChoices):
    CHANGED = "changed_since", _("changed since it was frozen")
    GONE = "gone", _("no longer there")
    DELETED = "deleted", _("it is in the recycle bin")
    UNIQUE = "unique_taken", _("a unique value is taken by another row")
    PARENT = "parent_deleted", _("the row it belongs to is deleted")
    REUSED = "key_reused", _("its key is in use again")
    DEPENDANTS = "dependants", _("other rows hang on it")
    COLUMN = "column_gone", _("the column is no longer there")
    ERROR = "error", _("refused by the database")
    RECREATED = "recreated", _("deleted and added again since it was frozen")
    TAKEN_BACK = "taken_back", _("changed as a trial and taken back")
    HOLD = "legal_hold", _("under a legal hold")
