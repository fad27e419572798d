"""Careless executors. Each leaves out one thing that ours is careful about; the machine has to find every one of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from changes import applying, chunks, conflicts, event_freezing, lanes
from changes.effects import EFFECTS, add, revert
from changes.models import Lane

Sabotage = Callable[[pytest.MonkeyPatch], None]


def looks_at_no_token(patch: pytest.MonkeyPatch) -> None:
    """Deletes what was frozen, whatever has become of it."""
    real = EFFECTS["delete"]

    def careless(*chunk: Any) -> str:
        return real.chunk_sql(*chunk).replace(" AND o.xmin = r.token", "")

    patch.setitem(EFFECTS, "delete", replace(real, chunk_sql=careless))


def decides_conflicts_before_it_locks(patch: pytest.MonkeyPatch) -> None:
    """What the freeze found free is brought back without another look."""
    real = EFFECTS["revert"]

    def careless(change: Any, table: Any, part: Any, bounds: str) -> str:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(revert, "undisputed", lambda *_: "true")
            inner.setattr(revert, "_still_possible", lambda *_: "")
            return real.chunk_sql(change, table, part, bounds)

    for effect in ("revert", "recall"):
        patch.setitem(EFFECTS, effect, replace(real, chunk_sql=careless))


def forgets_the_fold(patch: pytest.MonkeyPatch) -> None:
    """Of several writes only the last one is taken back."""
    real = revert.preceding
    patch.setattr(
        revert, "preceding", lambda table: real(table).replace("coalesce(r.before_id, r.after_id)", "r.after_id")
    )


def folds_what_others_wrote_between(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(event_freezing.EventFreezer, "_unbroken", lambda *_: "true")


def commits_rows_before_the_cursor(patch: pytest.MonkeyPatch) -> None:
    """Each statement is a transaction of its own."""
    patch.setattr(chunks, "durable", nullcontext)


def goes_on_with_a_lane_it_has_lost(patch: pytest.MonkeyPatch) -> None:
    """Asks for the present fence instead of showing its own."""
    real = chunks.advance

    def careless(change: Any, held: lanes.Claim, **more: Any) -> bool:
        fence = Lane.objects.values_list("fence", flat=True).get(pk=held.lane_id)
        return real(change, lanes.Claim(held.lane_id, fence), **more)

    patch.setattr(chunks, "advance", careless)


def takes_a_key_in_use_for_its_own(patch: pytest.MonkeyPatch) -> None:
    """Adds a row again though its key is in use; the refusal of the database is all that is left."""
    patch.setattr(add, "key_reused", lambda table: "false")


def compares_by_equality(patch: pytest.MonkeyPatch) -> None:
    """Takes -0 for 0 and 1.0 for 1.00."""
    real = revert.fields3
    loose = [(" *= ", " = "), (" *<> ", " <> ")]

    def careless(model: Any, columns: Any) -> Any:
        changed = real(model, columns)
        for old, new in loose:
            changed = tuple(
                replace(f, touched=f.touched.replace(old, new), moved=f.moved.replace(old, new)) for f in changed
            )
        return changed

    patch.setattr(revert, "fields3", careless)


def keeps_no_list_of_what_it_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(applying, "_list_skipped", lambda *_: None)


def does_not_stop_where_the_rule_says_stop(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conflicts, "refuse_aborting", lambda *_, **__: None)


SABOTAGES: tuple[Sabotage, ...] = (
    looks_at_no_token,
    decides_conflicts_before_it_locks,
    forgets_the_fold,
    folds_what_others_wrote_between,
    commits_rows_before_the_cursor,
    goes_on_with_a_lane_it_has_lost,
    takes_a_key_in_use_for_its_own,
    compares_by_equality,
    keeps_no_list_of_what_it_left,
    does_not_stop_where_the_rule_says_stop,
)
