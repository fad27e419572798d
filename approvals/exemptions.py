"""Exemptions of a login from the row limits of one table: asked, agreed to by another person, withdrawn. Each an event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.utils import timezone

from access import proofs
from access.enforcement import enforce
from approvals.errors import (
    BadExpiry,
    ExemptionNotFound,
    ExemptionNotOpen,
    LoginNotExemptible,
    NotAPerson,
    ReasonTooShort,
    SelfApproval,
    WindowTooSmall,
)
from audit import registry
from audit.models import Exemption
from foundation.actor import Actor
from foundation.postgres.transactions import durable

REASON_LEAST = 10
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an exemption would allow: one login, one table, so many rows, until then."""

    entity: str
    role: str
    transaction_rows: int
    window_rows: int
    reason: str
    expires_at: datetime


def get(exemption_id: int) -> Exemption:
    """An exemption of the current tenant. Raises ExemptionNotFound."""
    found = Exemption.objects.filter(pk=exemption_id).first()
    if found is None:
        raise ExemptionNotFound(exemption_id=exemption_id)
    return found


def ask(terms: Terms, *, actor: Actor) -> Exemption:
    """Ask for an exemption; it is void until somebody else agrees.

    Raises UnknownEntity, LoginNotExemptible, WindowTooSmall, BadExpiry, ReasonTooShort, NotAPerson.
    """
    entity = registry.entity(terms.entity)._meta.label_lower
    enforce(actor, "exemption.request", entity)
    reason = terms.reason.replace("\x00", "").strip()[:4000]
    if actor.person_id is None:
        raise NotAPerson()
    if len(reason) < REASON_LEAST:
        raise ReasonTooShort(field="reason", least=REASON_LEAST)
    if terms.window_rows < terms.transaction_rows:
        raise WindowTooSmall(field="window_rows", rows=terms.transaction_rows)
    if not timezone.now() < terms.expires_at <= timezone.now() + LONGEST - timedelta(minutes=1):
        raise BadExpiry(field="expires_at")
    _refuse_login(terms.role)
    with durable():
        made = Exemption.objects.create(
            tenant_id=actor.tenant,
            entity=entity,
            role=terms.role,
            transaction_rows=terms.transaction_rows,
            window_rows=terms.window_rows,
            reason=reason,
            expires_at=terms.expires_at,
            asked_person_id=actor.person_id,
            asked_name=actor.name,
        )
        made.refresh_from_db()
        _note(made, "exemption.asked", until=made.expires_at.isoformat(), reason=reason)
    return made


def agree(exemption_id: int, *, actor: Actor) -> Exemption:
    """Agree to what another person asked for; it holds from now on.

    Raises ExemptionNotFound, SelfApproval, NotAPerson, ExemptionNotOpen, StepUpNeeded.
    """
    found = get(exemption_id)
    enforce(actor, "exemption.agree", f"E-{found.pk}")
    if actor.person_id is None:
        raise NotAPerson()
    try:
        with durable():
            if found.asked_person_id == actor.person_id:
                raise SelfApproval(exemption_id=found.pk)
            proof = proofs.require(actor, "exemption.agree", f"E-{found.pk}")
            moved = Exemption.objects.filter(
                pk=found.pk, agreed_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=Now()
            ).update(agreed_at=Now(), agreed_person_id=actor.person_id, agreed_name=actor.name)
            if not moved:
                raise ExemptionNotOpen(exemption_id=found.pk)
            _note(found, "exemption.agreed", proof=proof)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "audit_exemption_two_persons":
            raise SelfApproval(exemption_id=found.pk) from error
        raise
    found.refresh_from_db()
    return found


def withdraw(exemption_id: int, *, actor: Actor) -> Exemption:
    """End an exemption, or the question for one, at once. Raises ExemptionNotFound, ExemptionNotOpen."""
    found = get(exemption_id)
    enforce(actor, "exemption.withdraw", f"E-{found.pk}")
    with durable():
        moved = Exemption.objects.filter(pk=found.pk, withdrawn_at__isnull=True).update(
            withdrawn_at=Now(), withdrawn_name=actor.name
        )
        if not moved:
            raise ExemptionNotOpen(exemption_id=found.pk)
        _note(found, "exemption.withdrawn")
    found.refresh_from_db()
    return found


def _refuse_login(role: str) -> None:
    """An existing login that is neither the application's nor the owner's, nor a member of either."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT pg_has_role(r.oid, 'custody_app', 'MEMBER') AND NOT pg_has_role(r.oid, 'custody_owner', 'MEMBER') "
            "FROM pg_roles r WHERE r.rolname = %s AND r.rolcanlogin",
            [role],
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        raise LoginNotExemptible(field="role", role=role[:63])


def _note(exemption: Exemption, act: str, **facts: Any) -> None:
    """One event in the current transaction, under the current context."""
    told = {
        "exemption": exemption.pk,
        "role": exemption.role,
        "transaction_rows": exemption.transaction_rows,
        "window_rows": exemption.window_rows,
    } | facts
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, 'audit_exemption', 0, %s::jsonb)",
            [act, exemption.entity, json.dumps(told)],
        )
