"""One step of a change's life: a conditional UPDATE, so that of two who try one is told."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db.models import Q
from kombu.exceptions import OperationalError as BrokerDown

from changes import lanes, record
from changes.errors import ChangeNotFound, WrongState
from changes.models import Change
from changes.states import ALLOWED, Held, State
from foundation.postgres.transactions import durable

log = logging.getLogger(__name__)


def get(change_id: int) -> Change:
    """A change of the current tenant. Raises ChangeNotFound."""
    change = Change.objects.filter(pk=change_id).first()
    if change is None:
        raise ChangeNotFound(change_id=change_id)
    return change


def move(change: Change, to: State, *, seen: str | None = None, where: Q | None = None, **columns: Any) -> None:
    """Take a step of the published graph, if the change still stands where a step to `to` begins.

    `seen` is the state the caller has decided on; any other one is refused then. `where` narrows further.

    Raises WrongState when it does not, also when somebody else was faster.
    """
    sources = [state for state, targets in ALLOWED.items() if to in targets]
    begins = [source for source in sources if seen in (None, source)]
    moved = Change.objects.filter(where or Q(), pk=change.pk, state__in=begins).update(state=to, **columns)
    if not moved:
        now = Change.objects.filter(pk=change.pk).first()
        raise WrongState(
            change_id=change.pk,
            state=now.get_state_display() if now else "?",
            needed=", ".join(str(source.label) for source in sources),
        )
    change.refresh_from_db()


def hold(change: Change, why: Held, **facts: Any) -> bool:
    """Pause a running change by itself, and say why. Return whether this caller did it; another may have been first."""
    try:
        with durable():
            move(change, State.PAUSED, seen=State.RUNNING, held=why, held_facts=facts)
            record.note(change, "change.held", why=str(why), **facts)
    except WrongState:
        return False
    return True


def wake(change: Change) -> None:
    """Tell workers to look. A broker that does not answer is no failure: the sweeper looks anyway."""
    for _ in range(max(1, lanes.claimable(change))):
        try:
            current_app.send_task("changes.work", args=[change.pk, change.tenant_id])
        except (BrokerDown, OSError):
            log.warning("broker does not answer; the sweeper will pick up change %s", change.pk)
            return
