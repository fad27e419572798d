"""The policy: which role may do what. Pure; silence is denial."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.actor import Actor

OPERATOR, APPROVER, AUDITOR = "operator", "approver", "auditor"
ENGINEER, ADMINISTRATOR, SERVICE = "engineer", "administrator", "service"
ROLES = (OPERATOR, APPROVER, AUDITOR, ENGINEER, ADMINISTRATOR)

ALLOWED: dict[str, frozenset[str]] = {
    "entity.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER, ADMINISTRATOR}),
    "entity.edit": frozenset({OPERATOR, ENGINEER}),
    "history.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "change.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "change.request": frozenset({OPERATOR, ENGINEER}),
    "change.large": frozenset({ENGINEER}),
    "change.check": frozenset({OPERATOR, APPROVER, ENGINEER}),
    "change.start": frozenset({OPERATOR, ENGINEER, SERVICE}),
    "change.discard": frozenset({OPERATOR, ENGINEER}),
    "change.pause": frozenset({OPERATOR, ENGINEER}),
    "change.tune": frozenset({OPERATOR, ENGINEER}),
    "change.cancel": frozenset({OPERATOR, ENGINEER}),
    "change.undo": frozenset({OPERATOR, ENGINEER}),
    "change.rollback": frozenset({ENGINEER}),
    "snapshot.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "snapshot.take": frozenset({OPERATOR, ENGINEER}),
    "change.purge": frozenset({ENGINEER}),
    "archive.browse": frozenset({AUDITOR, ENGINEER}),
    "archive.verify": frozenset({AUDITOR, ENGINEER}),
    "hold.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "hold.place": frozenset({APPROVER, AUDITOR}),
    "hold.lift": frozenset({APPROVER, AUDITOR}),
    "evidence.download": frozenset({APPROVER, AUDITOR, ENGINEER}),
    "ticket.vote": frozenset({APPROVER}),
    "ticket.withdraw": frozenset({OPERATOR, ENGINEER}),
    "rule.browse": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER, ADMINISTRATOR}),
    "amendment.browse": frozenset({APPROVER, AUDITOR, ENGINEER, ADMINISTRATOR}),
    "amendment.propose": frozenset({ADMINISTRATOR}),
    "amendment.agree": frozenset({APPROVER, ADMINISTRATOR}),
    "ticket.comment": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "ticket.watch": frozenset({OPERATOR, APPROVER, AUDITOR, ENGINEER}),
    "exemption.browse": frozenset({APPROVER, AUDITOR, ENGINEER, ADMINISTRATOR}),
    "exemption.request": frozenset({ENGINEER}),
    "exemption.agree": frozenset({APPROVER}),
    "exemption.withdraw": frozenset({APPROVER, ENGINEER}),
    "account.secure": frozenset(ROLES),
    "notice.browse": frozenset(ROLES),
    "notice.settle": frozenset(ROLES),
    "receiver.browse": frozenset({AUDITOR, ENGINEER, ADMINISTRATOR}),
    "receiver.manage": frozenset({ADMINISTRATOR}),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and the rule that gave it."""

    allowed: bool
    rule: str


def decide(actor: Actor, action: str, resource: str) -> Verdict:
    """Whether `actor` may do `action` on `resource` (an entity label, or an id in words).

    An unknown action and an actor without a fitting role are both denied.
    """
    roles = ALLOWED.get(action)
    if roles is None:
        return Verdict(False, "no rule for this action")
    fitting = sorted(roles & actor.roles)
    if not fitting:
        return Verdict(False, "no role that may")
    if actor.kind == "user" and actor.tenant_id is None:
        return Verdict(False, "no tenant")
    return Verdict(True, f"role {fitting[0]}")


def roles_for(action: str) -> tuple[str, ...]:
    """Roles of people that may do the action, for error messages and hints."""
    return tuple(sorted(ALLOWED.get(action, frozenset()) - {SERVICE}))
