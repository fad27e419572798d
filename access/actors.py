"""From a login to the actor it stands for."""

from __future__ import annotations

from typing import Any

from access.models import Account
from foundation.actor import Actor


def actor_for(user: Any, *, tenant_id: int | None = None) -> Actor:
    """The actor of a Django user: its person, its tenant, its roles (the names of its groups).

    A login without an account is an actor without tenant and person: it may nothing. A superuser gets
    no role by being one.
    """
    account = Account.objects.filter(user_id=user.pk).select_related("person").first()
    roles = frozenset(user.groups.values_list("name", flat=True)) if user.is_active else frozenset()
    return Actor(
        kind="user",
        user_id=user.pk,
        person_id=None if account is None else account.person_id,
        name=user.get_full_name() or user.get_username(),
        tenant_id=account.tenant_id if account is not None and tenant_id is None else tenant_id,
        roles=roles if account is not None else frozenset(),
    )
