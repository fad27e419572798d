"""The people of the tests, by role, and the rows they work on.

A persona is a real login with person, account (tenant 1; the outsider: tenant 2) and group. It lives in
the database of `real_db` when the test asks for that one, else in the one of `db`. Row builders work
inside `foundation.context.acting(...)`; the tenant comes from there.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foundation.actor import Actor

_number = itertools.count(1)


@pytest.fixture(autouse=True)
def proofs_at_hand(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever a test logs in has just proven who they are, in that session or by that token.

    Tests of the proof itself carry the mark `unproven`; there nobody has.
    """
    if _unproven(request):
        yield
        return
    from django.contrib.auth.signals import user_logged_in
    from django.db.models.signals import post_save
    from rest_framework.authtoken.models import Token

    from access.actors import actor_for
    from access.proofs import bound_to

    def logged_in(request: Any, user: Any, **more: Any) -> None:
        prove(actor_for(user), session=bound_to("session", request.session.session_key))

    def given_a_token(instance: Any, created: bool, **more: Any) -> None:
        if created:
            prove(actor_for(instance.user), session=bound_to("token", instance.key))

    user_logged_in.connect(logged_in)
    post_save.connect(given_a_token, sender=Token)
    yield
    user_logged_in.disconnect(logged_in)
    post_save.disconnect(given_a_token, sender=Token)


def prove(actor: Actor, *, session: str | None = None, method: str = "password") -> Any:
    """A fresh proof of the persona for a session or token (hashed), or for work without one; the proof."""
    from access import proofs
    from foundation.context import acting

    with acting(actor, session=session):
        return proofs.record(actor, method)


def _unproven(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("unproven") is not None


@pytest.fixture
def persona(request: pytest.FixtureRequest) -> Callable[..., Actor]:
    """Make one more: `persona("approver", name="Ann Other", tenant=2, person=actor.person_id)`."""
    request.getfixturevalue("real_db" if "real_db" in request.fixturenames else "db")
    return functools.partial(_make, proven=not _unproven(request))


@pytest.fixture
def operator(persona: Callable[..., Actor]) -> Actor:
    return persona("operator", name="Olivia Park")


@pytest.fixture
def approver(persona: Callable[..., Actor]) -> Actor:
    return persona("approver", name="Amir Haddad")


@pytest.fixture
def second_approver(persona: Callable[..., Actor]) -> Actor:
    return persona("approver", name="Beatriz Santos")


@pytest.fixture
def auditor(persona: Callable[..., Actor]) -> Actor:
    return persona("auditor", name="Ingrid Solberg")


@pytest.fixture
def engineer(persona: Callable[..., Actor]) -> Actor:
    return persona("engineer", name="Kenji Watanabe")


@pytest.fixture
def administrator(persona: Callable[..., Actor]) -> Actor:
    return persona("administrator", name="Nadia Petrova")


@pytest.fixture
def outsider(persona: Callable[..., Actor]) -> Actor:
    """No role, another tenant."""
    return persona(name="Oskar Lindqvist", tenant=2)


def _make(
    *roles: str, name: str, tenant: int | None = 1, person: int | None = None, proven: bool = True, **columns: Any
) -> Actor:
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    from access.actors import actor_for
    from access.models import Account, Person, Tenant

    first, _, last = name.partition(" ")
    username = f"{first.lower()}{next(_number)}"
    user = get_user_model().objects.create(
        username=username, first_name=first, last_name=last, is_staff=True, email=f"{username}@test.example", **columns
    )
    user.groups.add(*Group.objects.filter(name__in=roles))
    if tenant is not None:
        Tenant.objects.get_or_create(id=tenant, defaults={"name": f"Tenant {tenant}", "slug": f"tenant-{tenant}"})
    if person is None:
        person = Person.objects.create(name=name).pk
    Account.objects.create(user=user, person_id=person, tenant_id=tenant)
    actor = actor_for(user)
    if proven:
        prove(actor)
    return actor


def user_of(actor: Actor) -> Any:
    """The Django user behind a persona, for `client.force_login`."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(pk=actor.user_id)


def customer(**columns: Any) -> Any:
    """A customer; e-mail and name are made up unless given."""
    from shop.models import Customer

    n = next(_number)
    return Customer.objects.create(**{"name": f"Customer {n}", "email": f"customer{n}@test.example"} | columns)


def order(customer_: Any = None, **columns: Any) -> Any:
    """An order of the given customer, or of a new one."""
    from datetime import UTC, datetime

    from shop.models import Order

    made_up = {
        "number": f"T-{next(_number):06}",
        "placed_at": datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC),
        "total": "12.30",
    }
    return Order.objects.create(**made_up | {"customer": customer_ or customer()} | columns)


def orders(amount: int, **columns: Any) -> list[Any]:
    """That many orders of one customer, in one statement."""
    from datetime import UTC, datetime

    from shop.models import Order

    buyer = columns.pop("customer", None) or customer()
    placed = columns.pop("placed_at", datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC))
    return Order.objects.bulk_create(
        Order(number=f"T-{next(_number):06}", customer=buyer, placed_at=placed, **columns) for _ in range(amount)
    )


def item(order_: Any = None, **columns: Any) -> Any:
    """A line of the given order, or of a new one."""
    from shop.models import OrderItem

    made_up = {"product": "Filter papers", "quantity": 2, "price": "3.50"}
    return OrderItem.objects.create(**made_up | {"order": order_ or order()} | columns)


def order_with_items(amount: int = 2, **columns: Any) -> Any:
    """An order and that many lines."""
    made = order(**columns)
    for _ in range(amount):
        item(made)
    return made


def tag(customer_: Any = None, **columns: Any) -> Any:
    """A tag of the given customer, or of a new one."""
    from shop.models import UserTag

    return UserTag.objects.create(**{"tag": f"tag {next(_number)}"} | {"customer": customer_ or customer()} | columns)


def tags(amount: int, **columns: Any) -> list[Any]:
    """That many tags of one customer, in one statement."""
    from shop.models import UserTag

    owner = columns.pop("customer", None) or customer()
    return UserTag.objects.bulk_create(UserTag(tag=f"tag {n}", customer=owner, **columns) for n in range(amount))


def log(customer_: Any = None, **columns: Any) -> Any:
    """A behaviour log, of nobody unless a customer is given."""
    from datetime import UTC, datetime

    from shop.models import BehaviourLog

    made_up = {"happened_at": datetime(2024, 1, 2, tzinfo=UTC), "action": "view"}
    return BehaviourLog.objects.create(**made_up | {"customer": customer_} | columns)


def logs(amount: int) -> list[Any]:
    """That many behaviour logs of nobody, in one statement."""
    from datetime import UTC, datetime

    from shop.models import BehaviourLog

    happened = datetime(2024, 1, 1, tzinfo=UTC)
    return BehaviourLog.objects.bulk_create(BehaviourLog(happened_at=happened, action="seen") for _ in range(amount))
