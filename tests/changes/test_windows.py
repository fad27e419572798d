"""A change works in its window only: started outside it is refused, and at its end it holds itself until the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approvals import tickets
from changes import clock, execution, sweeping, windows
from changes.errors import BadWindow, OutsideWindow
from changes.models import Change
from changes.states import Held, State
from foundation.actor import Actor
from foundation.context import acting
from tests.changes.test_races import at_once
from tests.journey import agree, ask, keys_of, one_chunk, start, work
from tests.personas import orders

NIGHT = {"days": ["fri"], "from": "22:00", "to": "05:00", "zone": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def night() -> windows.Window:
    found = windows.parse(NIGHT)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-05-01T21:59:59+02:00", False),  # a Friday
        ("2026-05-01T22:00:00+02:00", True),
        ("2026-05-02T04:59:59+02:00", True),  # past midnight belongs to the day it began
        ("2026-05-02T05:00:00+02:00", False),
        ("2026-05-02T23:00:00+02:00", False),
    ],
)
def test_a_night_belongs_to_the_day_it_began(moment: str, is_open: bool) -> None:
    assert night().is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-05-02T12:00:00+02:00", "2026-05-08T22:00:00+02:00"),
        ("2026-05-01T23:00:00+02:00", "2026-05-01T23:00:00+02:00"),
        ("2026-10-24T12:00:00+02:00", "2026-10-30T22:00:00+01:00"),  # clocks go back in between
    ],
)
def test_it_says_when_it_opens_next(moment: str, opens: str) -> None:
    assert night().next_open(at(moment)) == at(opens)


def test_a_night_in_which_clocks_go_forward_is_an_hour_shorter() -> None:
    window = windows.parse({"from": "01:00", "to": "04:00", "zone": "Europe/Berlin"})
    assert window is not None
    assert window.is_open(at("2026-03-29T03:30:00+02:00"))
    assert not window.is_open(at("2026-03-29T04:00:00+02:00"))


def test_absolute_bounds_hold_beside_the_weekly_ones() -> None:
    window = windows.parse({**NIGHT, "not_before": "2026-05-03T00:00:00Z", "not_after": "2026-05-08T21:00:00Z"})
    assert window is not None
    assert not window.is_open(at("2026-05-01T23:00:00+02:00"))
    assert window.next_open(at("2026-05-01T23:00:00+02:00")) == at("2026-05-08T22:00:00+02:00")
    assert window.next_open(at("2026-05-08T23:00:00+02:00")) is None


def test_what_is_kept_reads_as_the_same_window() -> None:
    for value in (
        NIGHT,
        {"not_before": "2026-05-03T00:00:00+00:00"},
        {**NIGHT, "not_after": "2030-01-01T00:00:00+00:00"},
    ):
        window = windows.parse(value)
        assert window is not None
        assert windows.parse(window.as_json()) == window


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("nights", "window"),
        ({"until": "05:00"}, "window"),
        ({"from": "22:00"}, "window.to"),
        ({"from": "22:00+02:00", "to": "05:00"}, "window.from"),
        ({"from": "late", "to": "05:00"}, "window.from"),
        ({"from": 22, "to": "05:00"}, "window.from"),
        ({**NIGHT, "days": ["friday"]}, "window.days"),
        ({**NIGHT, "days": []}, "window.days"),
        ({**NIGHT, "zone": "Berlin"}, "window.zone"),
        ({**NIGHT, "zone": "../etc/passwd"}, "window.zone"),
        ({"days": ["fri"]}, "window.from"),
        ({"not_before": "tomorrow"}, "window.not_before"),
        ({"not_before": "2026-05-03T00:00:00"}, "window.not_before"),
        ({"not_before": "2026-05-03T00:00:00Z", "not_after": "2026-05-03T00:00:00Z"}, "window.not_after"),
    ],
)
def test_what_is_no_window_is_refused_and_named(value: Any, field: str) -> None:
    with pytest.raises(BadWindow) as refused:
        windows.parse(value)
    assert refused.value.facts["field"] == field


def later(**span: int) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


@pytest.mark.django_db
class TestStart:
    def test_outside_it_is_refused_with_when_it_opens(self, operator: Actor, approver: Actor) -> None:
        with acting(operator):
            asked = ask(operator, "shop.order", keys_of(orders(12)), window={"not_before": later(hours=5)})
            agree(asked.ticket, approver)
            with pytest.raises(OutsideWindow) as refused:
                start(asked.change, operator)
            assert refused.value.facts["opens"] not in ("", "never again")
            asked.change.refresh_from_db()
            assert asked.change.state == State.CLEARED

    def test_a_small_change_waits_for_its_window_instead_of_starting(self, at_work: Actor) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(2)), window={"not_before": later(hours=5)}).change
        assert change.state == State.CLEARED

    def test_inside_it_runs(self, at_work: Actor) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(2)), window={"not_after": later(hours=5)}).change
        assert work(change).state == State.DONE

    def test_the_window_is_part_of_what_is_approved(self, at_work: Actor) -> None:
        made = keys_of(orders(12))
        one = ask(at_work, "shop.order", made)
        tickets.withdraw(one.ticket.pk, actor=at_work)
        other = ask(at_work, "shop.order", made, window={"not_after": later(hours=5)})
        assert one.change.digest != other.change.digest


class TestItsEnd:
    """The window is that of the database's clock; here its end comes between two chunks."""

    @pytest.fixture
    def held(self, real_db: Any, operator: Actor, chunks_of_two: None) -> Change:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(6)), window={"not_after": later(hours=5)}).change
        one_chunk(change)
        self.set_window(real_db, change, {"not_before": later(hours=1)})
        return work(change)

    def set_window(self, real_db: Any, change: Change, window: dict[str, str]) -> None:
        import json

        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute("ALTER TABLE changes_change DISABLE TRIGGER custody_step")
            owner.execute(
                "UPDATE changes_change SET options = options || %s::jsonb WHERE id = %s",
                [json.dumps({"window": window}), change.pk],
            )
            owner.execute("ALTER TABLE changes_change ENABLE ALWAYS TRIGGER custody_step")
        change.options = {**change.options, "window": window}

    def test_it_pauses_by_itself_and_says_why(self, held: Change) -> None:
        assert (held.state, held.held) == (State.PAUSED, Held.WINDOW)

    def test_the_sweeper_lets_it_go_on_when_it_opens(self, real_db: Any, held: Change, operator: Actor) -> None:
        with acting(operator):
            assert sweeping.reopen() == 0
        self.set_window(real_db, held, {"not_after": later(hours=1)})
        with acting(Actor.service("scheduler", tenant_id=1), channel="task"):
            assert sweeping.reopen() == 1
        done = work(held)
        assert (done.state, done.applied, done.held) == (State.DONE, 6, "")

    def test_two_sweepers_at_once_open_it_once(self, real_db: Any, held: Change) -> None:
        from tests.changes.test_races import as_actor

        self.set_window(real_db, held, {"not_after": later(hours=1)})
        sweeper = Actor.service("scheduler", tenant_id=1)
        assert sorted(at_once(*[as_actor(sweeper, sweeping.reopen)] * 2)) == [0, 1]

    def test_a_person_who_pauses_it_meanwhile_keeps_it_paused(
        self, real_db: Any, held: Change, operator: Actor
    ) -> None:
        with acting(operator):
            execution.pause(held.pk, actor=operator)
        self.set_window(real_db, held, {"not_after": later(hours=1)})
        with acting(operator):
            assert sweeping.reopen() == 0

    def test_a_person_cannot_let_it_go_on_either(self, held: Change, operator: Actor) -> None:
        with pytest.raises(OutsideWindow):
            start(held, operator)

    def test_it_can_be_stopped_outside_of_it(self, held: Change, operator: Actor) -> None:
        with acting(operator):
            execution.cancel(held.pk, actor=operator)
            assert clock.opens_at(held) is not None
        assert work(held).state == State.CANCELLED
