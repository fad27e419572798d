"""Amendments: rules, roles, groups and persons are changed by two people. The database does what was agreed to.

See `approvals/sql/amendments_v1.sql`: the agreement's own UPDATE writes the rule, the role or the person, and nothing
else the application can do writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from access.enforcement import enforce
from access.models import Account, Person
from approvals.errors import (
    AmendmentNotFound,
    AmendmentNotOpen,
    AmendmentSubject,
    BadAmendment,
    NotAPerson,
    NothingAmended,
    OwnAmendment,
    ReasonTooShort,
    UnknownKind,
)
from approvals.models import Amendment
from approvals.rules import versions
from foundation.actor import Actor
from foundation.postgres.transactions import durable

REASON_LEAST = 10
LIFE = timedelta(days=14)
# What the events of an amendment are about: no table, the house itself.
ENTITY = "approvals.amendment"
Kind, State = Amendment.Kind, Amendment.State


def get(amendment_id: int) -> Amendment:
    """An amendment of the current tenant. Raises AmendmentNotFound."""
    found = Amendment.objects.filter(pk=amendment_id).first()
    if found is None:
        raise AmendmentNotFound(amendment_id=amendment_id)
    return found


def propose(kind: str, payload: Mapping[str, Any], *, actor: Actor, reason: str) -> Amendment:
    """Propose a change of who may what; it does nothing until another person agrees.

    Raises NotAllowed, UnknownKind, BadAmendment, BadRule, RulesConflict, NothingAmended, ReasonTooShort, NotAPerson.
    """
    enforce(actor, "amendment.propose", str(kind)[:40])
    if kind not in Kind.values:
        raise UnknownKind(field="kind", value=str(kind)[:40])
    if actor.person_id is None:
        raise NotAPerson()
    said = reason.replace("\x00", "").strip()[:4000]
    if len(said) < REASON_LEAST:
        raise ReasonTooShort(field="reason", least=REASON_LEAST)
    content = READERS[Kind(kind)](payload)
    evidence = versions.preview(content["rules"]).as_json() if kind == Kind.RULES else {}
    with durable():
        made = Amendment.objects.create(
            tenant_id=actor.tenant,
            kind=kind,
            payload=content,
            evidence=evidence,
            reason=said,
            author_person_id=actor.person_id,
            author_name=actor.name,
            expires_at=Now() + LIFE,
        )
        _note(made, "amendment.proposed", reason=said)
    made.refresh_from_db()
    return made


def agree(amendment_id: int, *, actor: Actor, answer: str = "") -> Amendment:
    """Agree to what another person proposed; from now on it is so.

    Raises NotAllowed, AmendmentNotFound, OwnAmendment, AmendmentSubject, AmendmentNotOpen, NotAPerson.
    """
    return _decide(amendment_id, State.AGREED, actor, answer)


def refuse(amendment_id: int, *, actor: Actor, answer: str) -> Amendment:
    """Say no, and why. Raises as `agree`, and ReasonTooShort."""
    if len(answer.strip()) < REASON_LEAST:
        raise ReasonTooShort(field="answer", least=REASON_LEAST)
    return _decide(amendment_id, State.REFUSED, actor, answer)


def withdraw(amendment_id: int, *, actor: Actor) -> Amendment:
    """Take one's own proposal back. Raises OwnAmendment for another person's, AmendmentNotOpen."""
    found = get(amendment_id)
    enforce(actor, "amendment.propose", f"A-{found.pk}")
    if found.author_person_id != actor.person_id:
        raise AmendmentNotFound(amendment_id=amendment_id)
    with durable():
        _move(found, State.WITHDRAWN, actor, "")
    return found


def _decide(amendment_id: int, state: str, actor: Actor, answer: str) -> Amendment:
    found = get(amendment_id)
    enforce(actor, "amendment.agree", f"A-{found.pk}")
    if actor.person_id is None or actor.user_id is None:
        raise NotAPerson()
    if found.author_person_id == actor.person_id:
        raise OwnAmendment(amendment_id=found.pk)
    if actor.person_id in (found.subject_person_id, found.payload.get("person")):
        raise AmendmentSubject(amendment_id=found.pk)
    if state == State.AGREED and found.kind == Kind.RULES:
        versions.read(found.payload["rules"])  # tables and groups may be others by now
    try:
        with durable():
            _move(found, state, actor, answer.replace("\x00", "").strip()[:4000])
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", ""):
            raise OwnAmendment(amendment_id=found.pk) from error
        raise
    return found


def _move(found: Amendment, state: str, actor: Actor, answer: str) -> None:
    """One conditional UPDATE; the database does the rest. Raises AmendmentNotOpen."""
    moved = Amendment.objects.filter(pk=found.pk, state=State.PROPOSED, expires_at__gt=Now()).update(
        state=state,
        decided_at=Now(),
        decided_user_id=actor.user_id,
        decided_person_id=actor.person_id,
        decided_name=actor.name,
        answer=answer,
    )
    if not moved:
        raise AmendmentNotOpen(amendment_id=found.pk)
    found.refresh_from_db()
    _note(found, f"amendment.{state}", answer=answer)


def _note(amendment: Amendment, act: str, **facts: Any) -> None:
    told = {"amendment": amendment.pk, "kind": amendment.kind, **amendment.payload, **facts}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, 'approvals_amendment', 0, %s::jsonb)",
            [act, ENTITY, json.dumps(told)],
        )


def _read_rules(payload: Mapping[str, Any]) -> dict[str, Any]:
    rules = [rule.as_json() for rule in versions.read(payload.get("rules"))]
    if rules == versions.in_force().rules:
        raise NothingAmended(field="rules")
    return {"rules": rules}


def _read_role(payload: Mapping[str, Any]) -> dict[str, Any]:
    user = _user(payload)
    group = Group.objects.filter(name=str(payload.get("group"))[:150]).first()
    if group is None:
        raise BadAmendment(field="group", hint="the name of a role or group")
    holds = payload.get("holds", True)
    if not isinstance(holds, bool):
        raise BadAmendment(field="holds", hint="true or false")
    if not Account.objects.filter(user=user).exists():
        raise BadAmendment(field="user", hint="a login that belongs to a person")
    if user.groups.filter(pk=group.pk).exists() == holds:
        raise NothingAmended(field="group")
    return {"user": user.pk, "login": user.get_username(), "group": group.name, "holds": holds}


def _read_group(payload: Mapping[str, Any]) -> dict[str, Any]:
    name = str(payload.get("name") or "").replace("\x00", "").strip()
    if not 0 < len(name) <= 150:
        raise BadAmendment(field="name", hint="a name of at most 150 characters")
    if Group.objects.filter(name=name).exists():
        raise NothingAmended(field="name")
    return {"name": name}


def _read_person(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The person behind a login: one that is there, or a new one by name."""
    user = _user(payload)
    content: dict[str, Any] = {"user": user.pk, "login": user.get_username()}
    if payload.get("person") is not None:
        person = Person.objects.filter(pk=_key(payload, "person")).first()
        if person is None:
            raise BadAmendment(field="person", hint="the number of a person, or leave it out and give a name")
        if Account.objects.filter(user=user, person=person).exists():
            raise NothingAmended(field="person")
        return content | {"person": person.pk, "name": person.name}
    name = str(payload.get("name") or "").replace("\x00", "").strip()
    if not 0 < len(name) <= 120:
        raise BadAmendment(field="name", hint="a name of at most 120 characters, or the number of a person")
    return content | {"name": name}


def _user(payload: Mapping[str, Any]) -> Any:
    """A login of the current tenant, or one that belongs to nobody yet."""
    user = get_user_model().objects.filter(pk=_key(payload, "user")).first()
    if user is None or Account.objects.filter(user=user).exclude(tenant_id=_tenant()).exists():
        raise BadAmendment(field="user", hint="the number of a login")
    return user


def _key(payload: Mapping[str, Any], member: str) -> int:
    value = payload.get(member)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise BadAmendment(field=member, hint="a number")
    return value


def _tenant() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.tenant()")
        return int(cursor.fetchone()[0])


READERS = {Kind.RULES: _read_rules, Kind.ROLE: _read_role, Kind.GROUP: _read_group, Kind.PERSON: _read_person}
