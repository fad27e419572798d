"""Unique among the living: in the database and in forms alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer
from tests.personas import customer


@pytest.fixture(autouse=True)
def _acting(operator: Actor) -> Any:
    with acting(operator):
        yield


def _archive(row: Any) -> None:
    type(row).objects_and_deleted.filter(pk=row.pk).update(is_deleted=True)


def test_the_database_refuses_a_second_living_row() -> None:
    customer(email="a@test.example")
    with pytest.raises(IntegrityError, match="shop_customer_live_email"), transaction.atomic():
        customer(email="a@test.example")


def test_a_form_refuses_it_too() -> None:
    customer(email="a@test.example")
    with pytest.raises(ValidationError):
        Customer(name="Second", email="a@test.example").full_clean()


def test_a_value_of_a_deleted_row_is_free_again() -> None:
    _archive(customer(email="a@test.example"))
    Customer(name="Second", email="a@test.example").full_clean()
    customer(email="a@test.example")


def test_many_deleted_rows_may_share_a_value() -> None:
    for _ in range(3):
        _archive(customer(email="a@test.example"))
    assert Customer.deleted.filter(email="a@test.example").count() == 3


def test_a_deleted_row_can_be_checked_though_its_value_is_taken() -> None:
    old = customer(email="a@test.example")
    _archive(old)
    customer(email="a@test.example")
    old.refresh_from_db()
    old.full_clean()


def test_a_row_cannot_come_back_to_a_taken_value() -> None:
    old = customer(email="a@test.example")
    _archive(old)
    customer(email="a@test.example")
    with pytest.raises(IntegrityError), transaction.atomic():
        Customer.deleted.filter(pk=old.pk).update(is_deleted=False)


def test_a_row_does_not_conflict_with_itself() -> None:
    customer(email="a@test.example").full_clean()


def test_another_tenant_s_value_is_no_conflict_and_not_told(outsider: Actor) -> None:
    with acting(outsider):
        customer(email="a@test.example")
    Customer(name="Ours", email="a@test.example").full_clean()
