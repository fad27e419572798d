"""Who is told: persons, found in the transaction that tells them."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth import get_user_model

from access.models import Account


def of_group(group: str, tenant_id: int) -> set[int]:
    """Persons with an active login of the tenant in a group."""
    found = Account.objects.filter(tenant_id=tenant_id, user__is_active=True, user__groups__name=group)
    return set(found.values_list("person_id", flat=True))


def of_tenant(persons: Iterable[int | None], tenant_id: int) -> set[int]:
    """Those of the persons who have an active login of the tenant: whoever left is told nothing."""
    wanted = {person for person in persons if person is not None}
    if not wanted:
        return set()
    found = Account.objects.filter(tenant_id=tenant_id, user__is_active=True, person_id__in=wanted)
    return set(found.values_list("person_id", flat=True))


def address_of(person_id: int, tenant_id: int) -> str:
    """The e-mail address of a person's oldest active login of the tenant that has one, "" without."""
    users = get_user_model().objects.filter(account__person_id=person_id, account__tenant_id=tenant_id, is_active=True)
    return str(users.exclude(email="").order_by("pk").values_list("email", flat=True).first() or "")
