"""Roll back: some tables go back to a snapshot, or to a moment, in one transaction; a change like any other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from audit.snapshots import state as states
from audit.snapshots.errors import NotInSnapshot
from audit.snapshots.models import Snapshot
from changes import conflicts, partial
from changes.errors import BadOption, NothingDiffers
from changes.models import Change
from changes.operations.base import OperationKind, only_known
from changes.plan import Plan
from changes.rolling_back import RollbackFreezer
from changes.selection import Selection
from changes.states import Operation

KNOWN = ("snapshot", "at", "entities", "conflicts", "only")


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze every row that differs from the state, each with its version then and its version now."""
    freezer = RollbackFreezer(change)
    freezer.freeze_rollback(change.options["entities"], state_of(change.options))
    plan = freezer.plan()
    plan.empty = NothingDiffers()
    return plan


def state_of(options: Mapping[str, Any]) -> states.State:
    """The state that is meant. Raises SnapshotNotFound, BeforeRecording, NothingRecorded."""
    if "snapshot" in options:
        return states.of_snapshot(states.get(options["snapshot"]))
    moment = parse_datetime(options["at"])
    assert moment is not None
    return states.at(moment)


def read_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"snapshot": id} or {"at": time with zone}, {"entities": [labels]}, {"conflicts": …}, {"only": …}.

    Without entities: every table of the snapshot, or the one the change names.
    """
    only_known(asked, KNOWN)
    if ("snapshot" in asked) == ("at" in asked):
        raise BadOption(field="options.snapshot", value="", known="snapshot, at")
    options = _of_snapshot(asked) if "snapshot" in asked else _of_moment(entity, asked)
    if rules := conflicts.parse(asked.get("conflicts")):
        options["conflicts"] = rules
    if only := partial.parse(asked.get("only")):
        options["only"] = only
    return options


def of_snapshot(number: int, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The table a rollback to a snapshot goes by, and its options. Raises what `read_options` does."""
    options = read_options(registry.entities()[0], {**asked, "snapshot": number})
    return options["entities"][0], options


def _of_snapshot(asked: Mapping[str, Any]) -> dict[str, Any]:
    number = asked["snapshot"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
        raise BadOption(field="options.snapshot", value=str(number)[:40], known="the number of a snapshot")
    snapshot = states.get(number)
    held = list(snapshot.tables.values_list("entity", flat=True))
    wanted = _labels(asked.get("entities"), held)
    missing = [label for label in wanted if label not in held]
    if missing:
        raise NotInSnapshot(field="options.entities", name=snapshot.name, entity=missing[0], held=", ".join(held))
    return {"snapshot": number, "entities": wanted}


def _of_moment(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    moment = _moment(asked["at"])
    if moment is None:
        raise BadOption(field="options.at", value=str(asked["at"])[:40], known="2026-11-24T14:03:00+01:00")
    states.at(moment)
    return {"at": moment.isoformat(), "entities": _labels(asked.get("entities"), [entity._meta.label_lower])}


def _moment(value: Any) -> datetime | None:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _labels(asked: Any, default: list[str]) -> list[str]:
    if asked is None:
        return default
    if not isinstance(asked, list) or not asked or not all(isinstance(label, str) for label in asked):
        raise BadOption(field="options.entities", value=str(asked)[:40], known=", ".join(default))
    try:
        return sorted({registry.entity(label)._meta.label_lower for label in asked})
    except UnknownEntity as error:
        raise BadOption(field="options.entities", value=str(asked)[:40], known=", ".join(default)) from error


def snapshot_of(change: Change) -> Snapshot | None:
    """The snapshot a rollback goes back to, if it still exists."""
    if change.operation != Operation.ROLLBACK or "snapshot" not in change.options:
        return None
    return Snapshot.objects.filter(pk=change.options["snapshot"]).first()


KIND = OperationKind(
    name=Operation.ROLLBACK,
    label=Operation.ROLLBACK.label,
    freeze=freeze,
    action="change.rollback",
    needs_selection=False,
    live_rows=False,
    read_options=read_options,
    whole=True,
)
