"""The trial of a change: a first share of its rows, then a time in which people and signals can complain, then a verdict.

Rows of the first tables only: what depends on others, or is depended on, keeps its order in a trial too. The verdict
is the sweeper's or whichever worker comes by first; one conditional UPDATE decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, Sum
from django.db.models.functions import Now

from changes import record, throttling
from changes.errors import BadCanary, WrongState
from changes.models import Change, Lane, SkippedRow
from changes.moving import hold, move, wake
from changes.states import Canary, Held, SkipReason, State
from foundation.postgres.transactions import durable

GO_ON, PAUSE, TAKE_BACK = "go_on", "pause", "take_back"
ON_TROUBLE = (GO_ON, PAUSE, TAKE_BACK)
MEMBERS = ("percent", "watch_s", "on_trouble")
PERCENT_MOST, WATCH_MOST_S = 25, 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Trial:
    """What was asked for: a share in percent, seconds to watch, and what to do when something is wrong."""

    percent: float = 1
    watch_s: int = 60
    on_trouble: str = PAUSE

    def as_json(self) -> dict[str, Any]:
        return {"percent": self.percent, "watch_s": self.watch_s, "on_trouble": self.on_trouble}


def parse(value: Any) -> Trial | None:
    """A trial as it was asked for; None for none. Raises BadCanary, which names the member."""
    if value in (None, {}):
        return None
    if not isinstance(value, dict):
        raise BadCanary(field="canary", value=str(value)[:40], hint=", ".join(MEMBERS))
    for name in value:
        if name not in MEMBERS:
            raise BadCanary(field="canary", value=str(name)[:40], hint=", ".join(MEMBERS))
    found = Trial(**{**Trial().as_json(), **value})
    if not _number(found.percent) or not 0 < found.percent <= PERCENT_MOST:
        raise BadCanary(field="canary.percent", value=str(found.percent)[:40], hint=f"0 < percent ≤ {PERCENT_MOST}")
    if not _number(found.watch_s) or found.watch_s != int(found.watch_s) or not 0 <= found.watch_s <= WATCH_MOST_S:
        raise BadCanary(field="canary.watch_s", value=str(found.watch_s)[:40], hint=f"0 … {WATCH_MOST_S}")
    if found.on_trouble not in ON_TROUBLE:
        raise BadCanary(field="canary.on_trouble", value=str(found.on_trouble)[:40], hint=", ".join(ON_TROUBLE))
    return found


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def due(change: Change) -> bool:
    """Whether the trial can take a step: its rows are done, or it was watched for long enough."""
    if change.state != State.RUNNING:
        return False
    if change.canary == Canary.TRYING:
        return not Lane.objects.filter(change_id=change.pk, canary=True).exclude(state=Lane.State.DONE).exists()
    return Change.objects.filter(pk=change.pk, canary=Canary.WATCHING, canary_until__lte=Now()).exists()


def step(change: Change) -> None:
    """Take that step. Harmless at any time and at once: the second of two finds it done."""
    change.refresh_from_db()
    if not due(change):
        return
    try:
        if change.canary == Canary.TRYING:
            _watch(change)
        else:
            _judge(change)
    except WrongState:
        change.refresh_from_db()


def _watch(change: Change) -> None:
    trial = parse(change.options["canary"]) or Trial()
    with durable():
        _once(change, Canary.TRYING, canary=Canary.WATCHING, canary_until=Now() + timedelta(seconds=trial.watch_s))
        record.note(change, "change.watched", rows=_rows(change), seconds=trial.watch_s)


def _judge(change: Change) -> None:
    """Nothing wrong: the rest follows. Else what was asked for in that case."""
    trial = parse(change.options["canary"]) or Trial()
    wrong = trouble(change)
    if not wrong or trial.on_trouble == GO_ON:
        with durable():
            _once(change, Canary.WATCHING, canary=Canary.PASSED)
            record.note(change, "change.canary_passed", rows=_rows(change), wrong=wrong)
        wake(change)
    elif trial.on_trouble == PAUSE:
        hold(change, Held.CANARY, wrong=wrong)
    else:
        take_back(change, wrong)


def take_back(change: Change, wrong: list[dict[str, Any]]) -> None:
    """Return the trial's rows to what they were; the change ends stopped. Raises WrongState."""
    with durable():
        move(
            change,
            State.CANCELLING,
            seen=change.state,
            where=Q(canary=Canary.WATCHING),
            canary=Canary.TAKING_BACK,
        )
        for lane in Lane.objects.filter(change_id=change.pk, canary=True, state=Lane.State.DONE):
            Lane.objects.filter(pk=lane.pk).update(
                state=Lane.State.OPEN, cursor=lane.lo, worker="", attempts=0, limit=0, error="", not_before=None
            )
        record.note(change, "change.taking_back", rows=_rows(change), wrong=wrong)
    wake(change)


def trouble(change: Change) -> list[dict[str, Any]]:
    """What speaks against going on: rows the database refused, too many left alone, signals beyond their limits."""
    found: list[dict[str, Any]] = []
    refused = SkippedRow.objects.filter(change_id=change.pk, reason=SkipReason.ERROR).count()
    if refused:
        found.append({"what": "errors", "rows": refused})
    sums = Lane.objects.filter(change_id=change.pk, canary=True).aggregate(skipped=Sum("skipped"), rows=Sum("rows"))
    skipped, rows = sums["skipped"] or 0, sums["rows"] or 0
    if skipped * 100 > rows * settings.CUSTODY_CANARY_SKIPPED:
        found.append({"what": "left_alone", "rows": skipped, "of": rows})
    found += [{"what": "signal", **reading.as_json()} for reading in throttling.look(change)]
    return found


def _rows(change: Change) -> int:
    return Lane.objects.filter(change_id=change.pk, canary=True).aggregate(rows=Sum("applied"))["rows"] or 0


def _once(change: Change, seen: Canary, **columns: Any) -> None:
    """Raises WrongState when another worker has taken the step."""
    if not Change.objects.filter(pk=change.pk, state=State.RUNNING, canary=seen).update(**columns):
        raise WrongState(change_id=change.pk, state=change.get_state_display(), needed=str(State.RUNNING.label))
    change.refresh_from_db()
