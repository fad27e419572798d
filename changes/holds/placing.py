"""Placing and lifting. What is held is frozen by key at that moment; rows that come to match later are not held."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection
from django.db.models.functions import Now

from access.enforcement import enforce
from audit import registry
from audit.entity import SoftDeleted
from audit.names import quote
from changes.errors import EmptySelection
from changes.holds.errors import BadScope, HoldNotFound, HoldNotOpen, NotByAPerson, OwnHold, TextMissing
from changes.holds.models import Hold
from changes.selection import Selection
from changes.tables import table_of
from foundation import context
from foundation.actor import Actor
from foundation.postgres.transactions import consistent, durable

REASON_LEAST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is to be held. `selection` as `changes.selection` reads it, for the scope rows."""

    name: str
    matter: str
    reason: str
    scope: str
    entity: str = ""
    selection: Any = None


def get(hold_id: int) -> Hold:
    """A hold of the current tenant. Raises HoldNotFound."""
    found = Hold.objects.filter(pk=hold_id).first()
    if found is None:
        raise HoldNotFound(hold_id=hold_id)
    return found


def place(terms: Terms, *, actor: Actor) -> Hold:
    """Hold rows, live and deleted ones, from now on. One consistent transaction.

    Raises NotAllowed, NotByAPerson, TextMissing, BadScope, UnknownEntity, EmptySelection, an Invalid of the selection.
    """
    enforce(actor, "hold.place", terms.entity or "*")
    if actor.person_id is None:
        raise NotByAPerson()
    said = {
        name: _text(getattr(terms, name), name, least) for name, least in (("name", 1), ("matter", 1), ("reason", 10))
    }
    if terms.scope not in Hold.Scope.values:
        raise BadScope(field="scope", value=str(terms.scope)[:40], known=", ".join(Hold.Scope.values))
    model = None if terms.scope == Hold.Scope.TENANT else registry.entity(terms.entity)
    selection = Selection.parse(terms.selection, model) if terms.scope == Hold.Scope.ROWS and model else None
    with consistent():
        hold = Hold(
            tenant_id=actor.tenant,
            scope=terms.scope,
            entity=model._meta.label_lower if model else "",
            selection=terms.selection if selection is not None else {},
            placed_person_id=actor.person_id,
            placed_name=actor.name,
            **said,
        )
        hold.rows = 0 if selection is None else _count(selection)
        if selection is not None and not hold.rows:
            raise EmptySelection(field="selection")
        hold.save()
        if selection is not None and model is not None:
            _freeze(hold, model, selection)
        hold.refresh_from_db()
        _note(hold, "hold.placed", scope=hold.scope, reason=hold.reason)
    return hold


def lift(hold_id: int, *, actor: Actor, reason: str) -> Hold:
    """End a hold that another person placed. Raises HoldNotFound, HoldNotOpen, OwnHold, NotByAPerson, TextMissing."""
    hold = get(hold_id)
    enforce(actor, "hold.lift", str(hold))
    if actor.person_id is None:
        raise NotByAPerson()
    said = _text(reason, "reason", REASON_LEAST)
    try:
        with durable():
            moved = Hold.objects.filter(pk=hold.pk, lifted_at__isnull=True).update(
                lifted_at=Now(), lifted_person_id=actor.person_id, lifted_name=actor.name, lifted_reason=said
            )
            if not moved:
                raise HoldNotOpen(hold_id=hold.pk)
            _note(hold, "hold.lifted", reason=said)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "changes_hold_two_persons":
            raise OwnHold(hold_id=hold.pk) from error
        raise
    hold.refresh_from_db()
    return hold


def _text(text: str, name: str, least: int) -> str:
    said = str(text or "").replace("\x00", "").strip()
    if len(said) < least:
        raise TextMissing(field=name, least=least)
    return said[: {"name": 200, "matter": 80}.get(name, 4000)]


def _count(selection: Selection) -> int:
    model: Any = selection.entity
    return int(selection.narrow(model.objects_and_deleted.all()).count())


def _freeze(hold: Hold, model: type[SoftDeleted], selection: Selection) -> None:
    """Keys of the selected rows, by INSERT … SELECT."""
    every: Any = model
    table = table_of(model)
    rows = selection.narrow(every.objects_and_deleted.all()).order_by()
    sql, params = rows.values_list(*[field.attname for field in model._meta.pk_fields]).query.sql_with_params()
    names = ", ".join(quote(column) for column, _ in table.key)
    key = f"{table.position()}::text" if table.integer_key else f"{table.key_json()}::text"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO changes_heldrow (tenant_id, hold_id, key) SELECT %s, %s, {key} FROM ({sql}) AS o ({names})",
            [hold.tenant_id, hold.pk, *params],
        )


def _note(hold: Hold, act: str, **facts: Any) -> None:
    """One event; a hold belongs to no change."""
    about = {"hold": hold.pk, "name": hold.name, "matter": hold.matter, **facts}
    with context.inside(change_id=None), connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, %s, %s, %s::jsonb)",
            [act, hold.entity, "changes_hold", hold.rows, json.dumps(about)],
        )
