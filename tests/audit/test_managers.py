"""Deleted rows are hidden by default, Django's own machinery sees every row, and no delete removes one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from audit.errors import HardDeleteRefused
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.personas import customer, order


@pytest.fixture(autouse=True)
def _acting(operator: Actor) -> Any:
    with acting(operator):
        yield


def _archived() -> Any:
    row = customer()
    Customer.objects.filter(pk=row.pk).update(is_deleted=True)
    return row


def test_three_managers() -> None:
    live, gone = customer(), _archived()
    assert set(Customer.objects.all()) == {live}
    assert set(Customer.deleted.all()) == {gone}
    assert set(Customer.objects_and_deleted.all()) == {live, gone}


def test_django_s_own_machinery_sees_every_row() -> None:
    gone = _archived()
    assert Customer._default_manager.get(pk=gone.pk) == gone
    assert Customer._base_manager.get(pk=gone.pk) == gone


def test_a_relation_to_a_deleted_row_still_resolves() -> None:
    made = order()
    Customer.objects.filter(pk=made.customer_id).update(is_deleted=True)
    assert Order.objects.get(pk=made.pk).customer.is_deleted


def test_related_managers_see_every_row() -> None:
    made = order()
    Order.objects.filter(pk=made.pk).update(is_deleted=True)
    assert made.customer.orders.count() == 1
    assert made.customer.orders.filter(is_deleted=False).count() == 0


def test_a_sliced_queryset_cannot_be_deleted() -> None:
    customer()
    with pytest.raises(TypeError, match="limit"):
        Customer.objects.all()[:1].delete()


def test_an_unsaved_row_cannot_be_deleted() -> None:
    with pytest.raises(ValueError, match="id is None"):
        Customer(name="x").delete()


def test_the_raw_way_out_of_the_orm_is_closed() -> None:
    made = customer()
    with pytest.raises(HardDeleteRefused, match="never removed"), transaction.atomic():
        Customer.objects.filter(pk=made.pk)._raw_delete(using="default")
    assert Customer.objects.filter(pk=made.pk).exists()
