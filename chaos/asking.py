"""What people ask for: one function per kind of request, each through the product's own door."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from chaos.data import file_of
from chaos.stage import TENANT

REASON = "chaos asked for this"
NEW_ROWS, FILE_ROWS = 300, 400
# What may follow what, per table, with weights: a step each, on the same batch.
PLANS: dict[str, list[tuple[int, tuple[str, ...]]]] = {
    "shop.usertag": [
        (26, ("delete", "undo")),
        (8, ("delete", "undo", "undo")),
        (5, ("delete",)),
        (9, ("delete", "restore")),
        (14, ("delete", "purge", "add")),
        (14, ("update", "undo")),
        (6, ("update",)),
        (8, ("add", "undo")),
        (8, ("load", "undo")),
        (8, ("events",)),
    ],
    "shop.order": [
        (40, ("delete", "undo")),
        (15, ("delete", "restore")),
        (20, ("update", "undo")),
        (15, ("snapshot", "delete", "rollback")),
        (10, ("snapshot", "update", "rollback", "undo")),
    ],
    "shop.behaviourlog": [(60, ("delete", "undo")), (20, ("update", "undo")), (20, ("delete", "restore"))],
}
SET = {
    "shop.usertag": {"weight": 2.5},
    "shop.order": {"note": "set by a change"},
    "shop.behaviourlog": {"status": "held"},
}
ROLLED_BACK = ("shop.order", "shop.orderitem")


@dataclass(slots=True)
class Case:
    """One batch on its way through its plan. `change` is the one of the present step, `asked` those before it."""

    entity: str
    selection: dict[str, Any]
    plan: tuple[str, ...] = ()
    at: int = 0
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    change: int | None = None
    asked: list[int] = field(default_factory=list)
    snapshot: int | None = None
    upload: int | None = None
    event: int | None = None
    empty: bool = False
    refusals: int = 0

    @property
    def step(self) -> str:
        return self.plan[self.at]

    def begin(self, plan: tuple[str, ...]) -> None:
        """A new round with this batch."""
        self.plan, self.at, self.key, self.change, self.asked = plan, 0, uuid.uuid4(), None, []
        self.snapshot = self.upload = self.event = None
        self.refusals = 0

    def goes_on(self) -> bool:
        """To the next step; whether there is one."""
        self.at, self.key, self.upload, self.refusals = self.at + 1, uuid.uuid4(), None, 0
        if self.change is not None:
            self.asked.append(self.change)
        self.change = None
        return self.at < len(self.plan)


def ask(case: Case, actor: Any, canary: dict[str, Any] | None) -> Any:
    """Ask for the case's present step: an outcome, or None where there is nothing to ask for."""
    from approvals import gate

    said = {"reason": REASON, "request_key": case.key}
    if case.step == "undo":
        return gate.request_undo(case.asked[-1], actor=actor, **said)
    if case.step == "rollback":
        return gate.rollback_to_snapshot(case.snapshot, actor=actor, **said) if case.snapshot else None
    if case.step == "events":
        case.event = case.event or _some_event(case)
        return gate.request_undo_of_events([case.event], actor=actor, **said) if case.event else None
    if case.step in ("add", "load"):
        return _import(case, actor, said)
    options = {"set": SET[case.entity]} if case.step == "update" else {}
    more: dict[str, Any] = {"canary": canary} if canary else {}
    return gate.request(
        actor, entity=case.entity, operation=case.step, selection=case.selection, options=options, **said, **more
    )


def take_snapshot(case: Case, actor: Any) -> None:
    """Of the order tables, under the case's key; asked twice it is there already."""
    from audit import registry
    from audit.snapshots import taking
    from audit.snapshots.errors import SnapshotExists
    from audit.snapshots.models import Snapshot

    name = f"before {case.key}"
    try:
        taken = taking.take(name, entities=[registry.entity(label) for label in ROLLED_BACK], actor=actor)
    except SnapshotExists:
        taken = Snapshot.objects.get(name=name)
    case.snapshot = taken.pk


def _import(case: Case, actor: Any, said: dict[str, Any]) -> Any:
    from approvals import gate
    from changes import staging
    from shop.models import Customer, UserTag

    source = str(case.selection["where"][0]["value"])
    if case.upload is None:
        ids: list[int] = []
        if case.step == "load":
            ids = list(UserTag.objects.filter(source=source).order_by("pk").values_list("pk", flat=True)[:FILE_ROWS])
            if not ids:
                return None
        first = Customer.objects.order_by("pk").values_list("pk", flat=True)[0]
        stream = BytesIO(file_of(source, NEW_ROWS, ids, first))
        match = "key" if ids else ""
        case.upload = staging.stage(actor, entity=case.entity, stream=stream, name="chaos.csv", match=match).pk
    return gate.request(
        actor,
        entity=case.entity,
        operation="import",
        selection=None,
        draft_id=case.upload,
        options={"import": case.upload, "leave_out": True},
        **said,
    )


def _some_event(case: Case) -> int | None:
    """A statement of late that no change made and that took something away, or altered it."""
    from audit.models import Event

    done = Event.objects.filter(entity=case.entity, change_id=None, tenant_id=TENANT).order_by("-pk")
    for operation in ("-", "~"):
        found = list(done.filter(operation=operation).values_list("pk", flat=True)[:20])
        if found and (operation == "~" or case.key.int % 2):
            return int(found[case.key.int % len(found)])
    return None
