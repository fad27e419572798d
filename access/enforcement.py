"""The policy enforcement point: ask, record, refuse."""

from __future__ import annotations

import uuid

from access import policy
from access.errors import NotAllowed
from access.models import Decision
from foundation.actor import Actor


def enforce(actor: Actor, action: str, resource: str) -> uuid.UUID:
    """Refuse with NotAllowed unless the policy allows it; the decision is recorded and its id returned.

    Inside a transaction that the refusal rolls back, the refusal's record goes with it; edges call this first.
    """
    verdict = policy.decide(actor, action, resource)
    decision = Decision(
        id=uuid.uuid4(),
        tenant_id=actor.tenant_id,
        user_id=actor.user_id,
        person_id=actor.person_id,
        actor_name=actor.name,
        action=action,
        resource=resource,
        allowed=verdict.allowed,
        rule=verdict.rule,
    )
    decision.save(force_insert=True)
    if not verdict.allowed:
        raise NotAllowed(action=action, resource=resource, roles=", ".join(policy.roles_for(action)) or "-")
    return decision.id


def allowed(actor: Actor, action: str, resource: str = "") -> bool:
    """What to show: the same answer without a record."""
    return policy.decide(actor, action, resource).allowed
