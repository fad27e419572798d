"""The whole policy as one table; what is not in it is denied."""

from __future__ import annotations

import itertools

import pytest

from access import policy
from foundation.actor import Actor

ROLES = ("operator", "approver", "auditor", "engineer", "administrator")
MAY = {
    "operator": {
        "entity.browse", "entity.edit", "history.browse", "change.browse", "change.request", "change.start",
        "change.discard", "change.pause", "change.tune", "change.cancel", "change.undo", "ticket.withdraw", "snapshot.browse",
        "snapshot.take", "rule.browse", "account.secure", "change.check", "hold.browse", "ticket.comment", "ticket.watch",
    },
    "engineer": {
        "entity.browse", "entity.edit", "history.browse", "change.browse", "change.request", "change.start",
        "change.discard", "change.pause", "change.tune", "change.cancel", "change.undo", "change.rollback", "change.purge",
        "archive.browse", "archive.verify", "ticket.withdraw", "change.large", "change.check", "hold.browse", "evidence.download",
        "ticket.comment", "ticket.watch",
        "exemption.browse", "exemption.request", "exemption.withdraw", "snapshot.browse", "snapshot.take",
        "rule.browse", "amendment.browse", "account.secure",
    },
    "approver": {"entity.browse", "history.browse", "change.browse", "ticket.vote", "exemption.browse",
                 "exemption.agree", "exemption.withdraw", "snapshot.browse", "rule.browse", "amendment.browse",
                 "amendment.agree", "account.secure", "change.check", "hold.browse", "hold.place", "hold.lift",
                 "evidence.download", "ticket.comment", "ticket.watch"},
    "auditor": {"entity.browse", "archive.browse", "archive.verify", "history.browse", "change.browse", "exemption.browse", "snapshot.browse",
                "rule.browse", "amendment.browse", "account.secure", "hold.browse", "hold.place", "hold.lift",
                "evidence.download", "ticket.comment", "ticket.watch"},
    "administrator": {"entity.browse", "exemption.browse", "rule.browse", "amendment.browse", "amendment.propose",
                      "amendment.agree", "account.secure"},
}  # fmt: skip
for _role in ROLES:
    MAY[_role] |= {"notice.browse", "notice.settle"}
MAY["administrator"] |= {"receiver.browse", "receiver.manage"}
MAY["engineer"] |= {"receiver.browse"}
MAY["auditor"] |= {"receiver.browse"}
ACTIONS = sorted(set().union(*MAY.values()))


def _person(*roles: str, tenant: int | None = 1) -> Actor:
    return Actor(kind="user", name="x", user_id=1, person_id=1, tenant_id=tenant, roles=frozenset(roles))


@pytest.mark.parametrize(("role", "action"), list(itertools.product(ROLES, ACTIONS)))
def test_each_role_and_action(role: str, action: str) -> None:
    verdict = policy.decide(_person(role), action, "shop.order")
    assert verdict.allowed == (action in MAY[role])
    assert verdict.rule == (f"role {role}" if verdict.allowed else "no role that may")


def test_the_table_names_every_action_and_role() -> None:
    assert set(policy.ALLOWED) == set(ACTIONS)
    assert set(policy.ROLES) == set(ROLES)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_role_everything_is_denied(action: str) -> None:
    assert not policy.decide(_person(), action, "shop.order").allowed


@pytest.mark.parametrize("action", ["", "entity.purge", "ENTITY.BROWSE", "ticket.vote ", "*"])
def test_an_unknown_action_is_denied_to_everybody(action: str) -> None:
    assert not policy.decide(_person(*ROLES), action, "shop.order").allowed


@pytest.mark.parametrize("action", ACTIONS)
def test_a_person_without_a_tenant_may_nothing(action: str) -> None:
    assert not policy.decide(_person(*ROLES, tenant=None), action, "shop.order").allowed


def test_a_service_starts_changes_and_nothing_else() -> None:
    service = Actor.service("worker", tenant_id=1)
    assert {action for action in ACTIONS if policy.decide(service, action, "x").allowed} == {"change.start"}


def test_nobody_votes_by_holding_every_other_role() -> None:
    assert not policy.decide(_person(*(set(ROLES) - {"approver"})), "ticket.vote", "T-1").allowed


def test_roles_are_named_for_the_hint() -> None:
    assert policy.roles_for("change.start") == ("engineer", "operator")
    assert policy.roles_for("no.such") == ()
