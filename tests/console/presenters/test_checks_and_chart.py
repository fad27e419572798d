"""Checks in words, and the bars of the overview."""

from __future__ import annotations

from datetime import date

import pytest

from changes.models import Change
from changes.plan import KeyReport, PartPlan, Plan, Protected
from changes.preflight import Finding, Subject
from changes.preflight.register import CHECKS
from changes.states import Effect
from console.presenters.chart import Day, chart, nice_ceiling, short
from console.presenters.checks import checks
from shop.models import Order


def inspect(plan: Plan) -> list[Finding]:
    """The checks that look at nothing but the plan."""
    subject = Subject.of_plan(Change(operation="delete", entity="shop.order"), plan, None)
    asked = [check.ask(subject) for check in CHECKS.values() if check.planned and check.name != "estimate"]
    return [finding for finding in asked if finding is not None]


def found(plan: Plan):
    known = {name: (str(check.label), str(check.way)) for name, check in CHECKS.items()}
    return checks([finding.as_json() for finding in inspect(plan)], label=lambda entity: entity, known=known)


def plan(rows: int, **facts) -> Plan:
    return Plan(parts=[PartPlan(number=0, entity=Order, effect=Effect.DELETE, columns=(), rows=rows)], **facts)


def test_what_blocks_comes_first():
    lines = found(plan(50, protected=[Protected("shop.orderitem", "shop.orderitem.order", 12, ("7", "9"))]))
    assert [line.tone for line in lines][:2] == ["bad", "warn"]
    assert lines[0].text.startswith("12 rows hold on")
    assert "7, 9" in lines[0].evidence[0]


def test_every_code_of_the_preflight_has_a_sentence():
    plans = [plan(5), plan(50_000, table_rows=50_000), plan(3, keys=KeyReport(9, 8, 3, ("1",))), plan(5, table_rows=9)]
    plans.append(Plan(parts=[PartPlan(number=0, entity=Order, effect=Effect.REVERT, columns=(), rows=4, conflicts=2)]))
    codes = {finding.code for one in plans for finding in inspect(one)}
    texts = {line.text for one in plans for line in found(one)}
    assert not codes & texts, "a code without a sentence is shown as itself"


def test_the_key_report_names_unknown_and_repeated_keys():
    line = next(line for line in found(plan(3, keys=KeyReport(9, 8, 3, ("77",)))) if line.name == "Keys")
    assert line.text == "3 rows found for 9 keys given."
    assert line.evidence == ("5 keys are not there: 77", "1 key was given again")


@pytest.mark.parametrize(("most", "top"), [(0, 4), (3, 4), (5, 8), (31_240, 40_000), (1_000_000, 1_200_000)])
def test_the_axis_ends_on_a_round_number(most, top):
    assert nice_ceiling(most) == top


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (900, "900"), (20_000, "20k"), (1_500_000, "1.5M")])
def test_axis_labels_are_short(value, text):
    assert short(value) == text


def test_bars_stand_on_the_floor_and_stay_inside():
    shown = chart([Day(date(2026, 3, day), 10 * day, day) for day in range(1, 15)])
    for bar in shown.bars:
        top, height = float(bar.deleted.y), float(bar.deleted.height)
        assert top >= 13.9
        assert abs(top + height - float(shown.base_y)) < 0.2


def test_a_day_of_nothing_has_no_bar():
    shown = chart([Day(date(2026, 3, 1), 0, 0)])
    assert shown.bars[0].deleted is None
    assert shown.title == "1 days: 0 rows deleted and 0 brought back in all."
