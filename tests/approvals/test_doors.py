"""`instance.delete()` and `queryset.delete()` go the governed way, wholly and at once, or refuse."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from access.errors import NotAllowed
from audit.errors import DeleteNeedsApproval, HardDeleteRefused, NobodyActing
from audit.models import Event
from changes.errors import ProtectedRows
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.journey import undo
from tests.personas import customer, log, order, order_with_items, orders


@pytest.mark.django_db
def test_an_instance_goes_with_its_dependants(at_work: Actor) -> None:
    made = order_with_items(2)
    assert made.delete() == (3, {"shop.order": 1, "shop.orderitem": 2})
    assert made.is_deleted
    assert made.status == "archived"
    assert (Order.objects.count(), OrderItem.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_a_queryset_goes_at_once(at_work: Actor) -> None:
    orders(10)
    assert Order.objects.all().delete() == (10, {"shop.order": 10})


@pytest.mark.django_db
def test_links_are_cleared_and_counted_apart(at_work: Actor) -> None:
    buyer = customer()
    entry = log(buyer)
    assert buyer.delete()[1] == {"shop.customer": 1}
    entry.refresh_from_db()
    assert entry.customer is None


@pytest.mark.django_db
def test_it_is_a_change_like_any_other(at_work: Actor) -> None:
    made = order()
    with acting(at_work, reason="placed by mistake"):
        made.delete()
    change = Change.objects.get()
    assert (change.state, change.reason, change.applied) == (State.DONE, "placed by mistake", 1)
    assert Event.objects.filter(change_id=change.pk, operation="~").count() == 1
    undo(change, at_work)
    made.refresh_from_db()
    assert not made.is_deleted


@pytest.mark.django_db
def test_without_a_reason_the_record_says_so(at_work: Actor) -> None:
    order().delete()
    assert Change.objects.get().reason == "deleted by program"


@pytest.mark.django_db
def test_above_the_threshold_it_refuses_and_touches_nothing(at_work: Actor) -> None:
    orders(11)
    with pytest.raises(DeleteNeedsApproval):
        Order.objects.all().delete()
    assert (Order.objects.count(), Change.objects.count()) == (11, 0)


@pytest.mark.django_db
def test_dependants_above_their_threshold_refuse_it_too(at_work: Actor) -> None:
    made = order()
    OrderItem.objects.bulk_create(OrderItem(order=made, product="p", price=1) for _ in range(501))
    with pytest.raises(DeleteNeedsApproval):
        made.delete()
    assert OrderItem.objects.count() == 501


@pytest.mark.django_db
def test_protected_rows_refuse_it(at_work: Actor) -> None:
    made = order()
    with pytest.raises(ProtectedRows):
        made.customer.delete()
    assert Customer.objects.count() == 1


@pytest.mark.django_db
def test_outside_of_acting_nobody_deletes(operator: Actor) -> None:
    with acting(operator):
        made = order()
    with pytest.raises(NobodyActing):
        Order.objects.filter(pk=made.pk).delete()


@pytest.mark.django_db
def test_who_may_not_ask_may_not_delete(operator: Actor, auditor: Actor) -> None:
    with acting(operator):
        made = order()
    with acting(auditor), pytest.raises(NotAllowed):
        made.delete()
    with acting(operator):
        assert Order.objects.count() == 1


@pytest.mark.django_db
def test_rows_of_other_tenants_are_not_reached(operator: Actor, persona: Any) -> None:
    with acting(operator):
        made = order()
    theirs = persona("operator", name="Their Operator", tenant=2)
    with acting(theirs):
        assert Order.objects.filter(pk=made.pk).delete() == (0, {})
    with acting(operator):
        assert Order.objects.count() == 1


@pytest.mark.django_db
def test_what_rolls_back_takes_the_delete_and_its_record_along(at_work: Actor) -> None:
    made = order_with_items(1)
    events = Event.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        made.delete()
        raise RuntimeError("changed my mind")
    made.refresh_from_db()
    assert not made.is_deleted
    assert (Change.objects.count(), Event.objects.count()) == (0, events)


@pytest.mark.django_db
def test_deleted_rows_are_not_deleted_again(at_work: Actor) -> None:
    made = order()
    made.delete()
    assert made.delete() == (0, {})
    assert Order.objects_and_deleted.filter(pk=made.pk).delete() == (0, {})


@pytest.mark.django_db
def test_nothing_selected_is_nothing_deleted(at_work: Actor) -> None:
    assert Order.objects.none().delete() == (0, {})
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_a_slice_is_refused_as_django_does(at_work: Actor) -> None:
    orders(2)
    with pytest.raises(TypeError, match="limit"):
        Order.objects.all()[:1].delete()


@pytest.mark.django_db
def test_the_raw_way_is_closed(at_work: Actor) -> None:
    order()
    with pytest.raises(HardDeleteRefused):
        Order.objects.all()._raw_delete("default")


def test_in_a_program_of_its_own_it_commits(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
        assert made.delete()[0] == 3
    with acting(operator):
        assert OrderItem.objects.count() == 0
        assert Change.objects.get().state == State.DONE
