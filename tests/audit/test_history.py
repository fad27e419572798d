"""Everything django-simple-history promises its readers, on rows that the database wrote."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin
from simple_history.utils import get_history_manager_for_model, get_history_model_for_model

from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.personas import customer, order, orders


@pytest.fixture(autouse=True)
def _acting(operator: Actor) -> Any:
    with acting(operator, reason="first"):
        yield


def _renamed(*names: str) -> Any:
    made = customer(name=names[0])
    for name in names[1:]:
        made.name = name
        made.save()
    return made


def test_python_signals_write_nothing_on_top() -> None:
    made = _renamed("One", "Two")
    assert made.history.count() == 2


def test_versions_come_newest_first() -> None:
    made = _renamed("One", "Two", "Three")
    assert [version.name for version in made.history.all()] == ["Three", "Two", "One"]
    assert made.history.latest().name == "Three"
    assert made.history.earliest().name == "One"
    assert made.history.first().history_type == "~"
    assert made.history.last().get_history_type_display() == "Created"


def test_as_of_of_one_record() -> None:
    made = _renamed("One")
    then = timezone.now()
    made.name = "Two"
    made.save()
    assert made.history.as_of(then).name == "One"
    assert made.history.as_of(timezone.now()).name == "Two"
    with pytest.raises(Customer.DoesNotExist):
        made.history.as_of(then - timedelta(days=1))


def test_as_of_of_the_whole_table() -> None:
    made = _renamed("One")
    then = timezone.now()
    _renamed("Later")
    made.name = "Two"
    made.save()
    assert [row.name for row in Customer.history.as_of(then)] == ["One"]
    assert sorted(row.name for row in Customer.history.as_of(timezone.now())) == ["Later", "Two"]
    assert list(Customer.history.as_of(then - timedelta(days=1))) == []


def test_as_of_knows_its_version() -> None:
    made = _renamed("One")
    past = made.history.as_of(timezone.now())
    assert isinstance(past, Customer)
    assert past._history.history_type == "+"


def test_latest_of_each() -> None:
    _renamed("One", "Two")
    _renamed("Three")
    assert sorted(version.name for version in Customer.history.latest_of_each()) == ["Three", "Two"]


def test_most_recent() -> None:
    made = _renamed("One", "Two")
    recent = made.history.most_recent()
    assert isinstance(recent, Customer)
    assert recent.name == "Two"


def test_neighbouring_versions() -> None:
    made = _renamed("One", "Two", "Three")
    middle = made.history.get(name="Two")
    assert (middle.prev_record.name, middle.next_record.name) == ("One", "Three")
    assert made.history.earliest().prev_record is None
    assert made.history.latest().next_record is None


def test_neighbours_of_the_same_instant_are_told_apart() -> None:
    """Two statements of one transaction may carry the same time on a coarse clock; history_id decides."""
    made = _renamed("One", "Two", "Three")
    names, version = [], made.history.earliest()
    while version is not None:
        names.append(version.name)
        version = version.next_record
    assert names == ["One", "Two", "Three"]


def test_a_version_is_an_instance() -> None:
    made = _renamed("One", "Two")
    old = made.history.earliest().instance
    assert isinstance(old, Customer)
    assert (old.pk, old.name, old.email, old.tenant_id) == (made.pk, "One", made.email, 1)


def test_the_difference_of_two_versions() -> None:
    made = _renamed("One", "Two")
    delta = made.history.latest().diff_against(made.history.earliest())
    assert set(delta.changed_fields) == {"name"}
    change = next(change for change in delta.changes if change.field == "name")
    assert (change.old, change.new) == ("One", "Two")


def test_the_difference_of_a_relation() -> None:
    made = order()
    other = customer(name="Other")
    made.customer = other
    made.save()
    delta = made.history.latest().diff_against(made.history.earliest(), foreign_keys_are_objs=True)
    assert next(change.new for change in delta.changes if change.field == "customer") == other


def test_a_version_leads_to_its_relations() -> None:
    made = order()
    assert made.history.latest().customer == made.customer


def test_who_and_why() -> None:
    made = _renamed("One")
    version = made.history.get()
    assert version.history_user.get_full_name() == "Olivia Park"
    assert version.history_change_reason == "first"


def test_history_can_be_filtered_like_a_table(operator: Actor) -> None:
    orders(3, state="paid")
    assert Order.history.filter(state="paid", history_user_id=operator.user_id, history_type="+").count() == 3


def test_utilities_find_the_historical_model() -> None:
    assert get_history_model_for_model(Order) is Order.history.model
    assert get_history_manager_for_model(Order) is not None


def test_a_deleted_row_s_versions_stay(operator: Actor) -> None:
    made = _renamed("One")
    Customer.objects.filter(pk=made.pk).update(is_deleted=True)
    assert [version.is_deleted for version in made.history.all()] == [True, False]
    assert Customer.history.as_of(timezone.now()).get(pk=made.pk).is_deleted


def test_the_history_page_of_its_admin(rf: Any, operator: Actor) -> None:
    """SimpleHistoryAdmin works on our models: its history view lists the versions with their changes."""
    from django.contrib.admin import AdminSite

    from tests.personas import user_of

    made = _renamed("One", "Two")
    request = rf.get("/")
    request.user = user_of(operator)
    request.user.is_superuser = True
    view = SimpleHistoryAdmin(Customer, AdminSite())
    rows = view.get_history_queryset(request, Customer.history, "id", str(made.pk))
    assert [row.name for row in rows] == ["Two", "One"]
    assert view.has_view_history_permission(request, made)
