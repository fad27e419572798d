"""Whether whoever asked may still ask for it: roles and logins go, tickets stay."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from access.enforcement import allowed
from changes.operations import REGISTRY
from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject
from changes.states import Operation


def ask(subject: Subject) -> Finding:
    change, requester = subject.change, subject.requester
    needed = ["change.undo" if change.operation == Operation.UNDO else "change.request"]
    if own := REGISTRY[change.operation].action:
        needed.append(own)
    if requester is None:
        return Finding("permission", BLOCK, "requester_gone", {"name": change.requester_name})
    missing = [action for action in needed if not allowed(requester, action, change.entity)]
    facts = {"name": requester.name, "roles": sorted(requester.roles)}
    if missing:
        return Finding("permission", BLOCK, "not_permitted", {**facts, "missing": missing})
    return Finding("permission", PASS, "permitted", facts)


CHECK = Check(
    name="permission",
    label=_("Permission"),
    ask=ask,
    way=_("Somebody who may ask for it has to ask anew."),
)
