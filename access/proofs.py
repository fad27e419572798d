"""Fresh proofs of who one is. The database keeps them, their time and their use; this asks it.

A proof belongs to one account, its person, and the session or token it was given in. An action of
`CUSTODY_STEP_UP_ACTIONS` needs one that is not older than `CUSTODY_STEP_UP_SECONDS`, by the database's clock.
"""

from __future__ import annotations

import hashlib
import math

from django.conf import settings
from django.db import connection

from access.errors import MethodNotTaken, StepUpNeeded
from access.models import Proof
from foundation import context
from foundation.actor import Actor


def bound_to(kind: str, key: str) -> str:
    """What a proof is bound to: the hash of a session's or a token's key, in 32 characters. `kind`: session, token."""
    return hashlib.sha256(f"custody:{kind}:{key}".encode()).hexdigest()[:32]


def asks(action: str) -> bool:
    """Whether the action asks for a fresh proof."""
    return action in settings.CUSTODY_STEP_UP_ACTIONS


def require(actor: Actor, action: str, resource: str = "") -> int | None:
    """The id of the proof that the act rests on, noted as used for `resource`. None where none is asked for.

    Services are not asked: they act by their own rule and can decide nothing. Raises StepUpNeeded.
    """
    if actor.kind == "service":
        return None
    if not _in_hand(actor):
        raise needed(action)
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.use_proof(%s, %s)", [action, resource])
        (proof,) = cursor.fetchone()
    if proof is None:
        raise needed(action)
    return int(proof) or None


def record(actor: Actor, method: str, *, meant: str = "") -> Proof:
    """Keep a proof that was just verified, for the session of the work in hand. `meant`: the action it was asked for.

    The caller has verified the password, the code or the passkey: this cannot. Raises MethodNotTaken.
    """
    if method not in settings.CUSTODY_STEP_UP_METHODS:
        raise MethodNotTaken(method=method, methods=", ".join(settings.CUSTODY_STEP_UP_METHODS))
    if not _in_hand(actor):
        raise LookupError("a proof is given inside of acting(actor)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.record_proof(%s, %s)", [method, meant])
        (proof,) = cursor.fetchone()
    return Proof.objects.get(pk=proof)


def spend_step(user_id: int, step: int) -> bool:
    """Take the time step of a one-time code for this login; False when it, or a later one, was taken before.

    Of two at once one wins: it is one statement on one row.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_spentcode (user_id, step) VALUES (%s, %s) "
            "ON CONFLICT (user_id) DO UPDATE SET step = excluded.step WHERE access_spentcode.step < excluded.step",
            [user_id, step],
        )
        return bool(cursor.rowcount)


def needed(action: str) -> StepUpNeeded:
    """The refusal of an act that lacks its proof."""
    seconds = settings.CUSTODY_STEP_UP_SECONDS
    return StepUpNeeded(action=action, seconds=seconds, minutes=max(1, math.ceil(seconds / 60)))


def _in_hand(actor: Actor) -> bool:
    """Whether the work in hand is this actor's own: the database takes account and session from there."""
    work = context.current()
    return work is not None and actor.user_id is not None and work.actor.user_id == actor.user_id
