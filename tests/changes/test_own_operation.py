"""A project adds an operation in its own app: one file, one name in the setting, and it goes through the same door."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from changes.errors import BadOption, UnknownOperation
from changes.models import SkippedRow
from changes.operations import REGISTRY, registered
from changes.states import SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import agree, ask, carry_out, checksum, keys_of, start, undo, work
from tests.personas import orders
from tests.servers import PROJECT

OPTIONS = {"field": "note", "mark": " ✓"}


@pytest.fixture
def stamp(monkeypatch: pytest.MonkeyPatch) -> str:
    """The operation, as the setting would register it."""
    from tests.testapp.stamp import KIND

    monkeypatch.setitem(REGISTRY, KIND.name, KIND)
    return KIND.name


def test_it_is_asked_for_approved_run_and_undone(stamp: str, real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        rows = orders(12, note="paid")
        before = checksum("shop_order")
    outcome = ask(operator, "shop.order", keys_of(rows), operation=stamp, options=OPTIONS)
    assert outcome.ticket is not None
    assert outcome.change.title.endswith("note gets “ ✓”")
    done = carry_out(outcome, operator, approver)
    assert (done.state, done.applied) == (State.DONE, 12)
    assert done.verification is not None
    assert done.verification["equal"]
    with acting(operator):
        assert set(Order.objects.values_list("note", flat=True)) == {"paid ✓"}
    assert undo(done, operator, approver).applied == 12
    with acting(operator):
        assert checksum("shop_order") == before


def test_what_moved_since_is_left_alone(stamp: str, real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        rows = orders(12)
    outcome = ask(operator, "shop.order", keys_of(rows), operation=stamp, options=OPTIONS)
    agree(outcome.ticket, approver)
    with acting(operator):
        Order.objects.filter(pk=rows[0].pk).update(note="mine")
    start(outcome.change, operator)
    assert work(outcome.change).applied == 11
    with acting(operator):
        assert SkippedRow.objects.get().reason == SkipReason.CHANGED


@pytest.mark.django_db
def test_its_own_options_are_checked(stamp: str, at_work: Actor) -> None:
    with pytest.raises(BadOption):
        ask(at_work, "shop.order", keys_of(orders(1)), operation=stamp, options={"field": "note"})


@pytest.mark.django_db
def test_without_the_setting_nobody_knows_it(at_work: Actor) -> None:
    with pytest.raises(UnknownOperation):
        ask(at_work, "shop.order", keys_of(orders(1)), operation="stamp", options=OPTIONS)


def test_the_setting_registers_it(servers: Any) -> None:
    code = "import django; django.setup(); from changes.operations import REGISTRY; print(REGISTRY['stamp'].label)"
    environment = os.environ | servers.environment("none") | {"CUSTODY_OPERATIONS": "tests.testapp.stamp.KIND"}
    environment["DJANGO_SETTINGS_MODULE"] = "console.settings"
    said = subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert said.stdout == "stamp\n", said.stderr


def test_no_operation_takes_the_name_of_another() -> None:
    from tests.testapp.stamp import KIND

    with pytest.raises(ImproperlyConfigured, match="delete"):
        registered([replace(KIND, name="delete")])
    with pytest.raises(ImproperlyConfigured, match="stamp"):
        registered([KIND, KIND])
    with pytest.raises(ImproperlyConfigured, match="16"):
        registered([replace(KIND, name="a very long name of it")])
    with pytest.raises(ImproperlyConfigured, match="effect"):
        registered([replace(KIND, effects={"delete": KIND.effects["stamp"]})])
