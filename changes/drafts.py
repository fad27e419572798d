"""Drafts: a change somebody is still writing. Nothing is frozen, nothing is checked until it is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import OperationalError, connection

from access.enforcement import enforce
from audit import registry
from changes.errors import ChangeNotFound, NotTheRequester, WrongState
from changes.models import Change
from changes.selection import Selection
from changes.states import State
from foundation.actor import Actor

KEYS_SHOWN = 100
SERIALIZATION_FAILURE = "40001"
WHEN_AND_HOW = ("window", "canary")


def save(
    actor: Actor,
    *,
    entity: str,
    operation: str,
    selection: dict[str, Any],
    cascade_also: Iterable[str] = (),
    title: str = "",
    reason: str = "",
    draft_id: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Change:
    """Make a draft, or write over one of the actor's own. `options` are kept as they are."""
    model = registry.entity(entity)
    enforce(actor, "change.request", model._meta.label_lower)
    draft = get(draft_id, actor) if draft_id is not None else Change(state=State.DRAFT)
    draft.tenant_id = actor.tenant
    draft.operation, draft.entity = operation, model._meta.label_lower
    kept = when_and_how(draft)
    draft.selection, draft.options = selection, {"cascade_also": sorted(cascade_also), **kept, **(options or {})}
    draft.title, draft.reason = title[:200], reason[:4000]
    draft.requested_by_id, draft.requester_person_id = actor.user_id, actor.person_id
    draft.requester_name = actor.name
    draft.save()
    return draft


def say(actor: Actor, draft_id: int, *, title: str, reason: str) -> Change:
    """Keep the words of one's own draft, and nothing else."""
    draft = get(draft_id, actor)
    enforce(actor, "change.request", draft.entity)
    draft.title, draft.reason = title[:200], reason[:4000]
    draft.save(update_fields=["title", "reason"])
    return draft


def leave_out(actor: Actor, draft_id: int, chosen: bool) -> Change:
    """Choose whether the wrong lines of one's own upload are left out."""
    draft = get(draft_id, actor)
    draft.options = {**draft.options, "leave_out": chosen}
    draft.save(update_fields=["options"])
    return draft


def asked(draft: Change) -> dict[str, Any]:
    """What a draft asks for besides the selection, as `changes.submission.prepare` takes it."""
    return {name: value for name, value in draft.options.items() if name not in ("cascade_also", "file", *WHEN_AND_HOW)}


def when_and_how(draft: Change) -> dict[str, Any]:
    """The window and the trial of a draft that was frozen before, as `changes.submission.prepare` takes them."""
    return {name: draft.options[name] for name in WHEN_AND_HOW if name in draft.options}


def get(draft_id: int, actor: Actor) -> Change:
    """The actor's own draft. Raises ChangeNotFound, NotTheRequester, WrongState."""
    draft = Change.objects.filter(pk=draft_id).first()
    if draft is None:
        raise ChangeNotFound(change_id=draft_id)
    if draft.requester_person_id != actor.person_id:
        raise NotTheRequester(change_id=draft_id)
    if draft.state != State.DRAFT:
        raise WrongState(change_id=draft_id, state=draft.get_state_display(), needed=State.DRAFT.label)
    return draft


def take(draft_id: int, change: Change) -> None:
    """Submit a draft: the change takes its place, and the row lock lets only one submission through.

    What an earlier freeze of a change that was sent back took is forgotten.
    """
    try:
        draft = Change.objects.select_for_update().filter(pk=draft_id, state=State.DRAFT).first()
    except OperationalError as error:  # REPEATABLE READ: another submission committed while this one waited
        if getattr(error.__cause__, "sqlstate", "") != SERIALIZATION_FAILURE:
            raise
        draft = None
    if draft is None:
        raise WrongState(change_id=draft_id, state="submitted", needed=State.DRAFT.label)
    if draft.requester_person_id != change.requester_person_id:
        raise NotTheRequester(change_id=draft_id)
    change.pk = draft.pk
    change.created_at = draft.created_at
    if draft.frozen_at is not None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT custody.thaw(%s)", [draft.pk])


def as_json(selection: Selection | None) -> dict[str, Any]:
    """How a selection that came as a value is kept: its keys, shortened, because the rows are frozen anyway."""
    if selection is None:
        return {}
    keys = [list(key) if isinstance(key, tuple) else key for key in (selection.keys or ())[:KEYS_SHOWN]]
    return {"keys": [str(k) if not isinstance(k, (int, list)) else k for k in keys], "count": len(selection.keys or ())}
