"""Step 1 of a new change: what was typed, and the place of an error."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from changes.errors import BadValue
from changes.selection import Selection
from console.pages.choosing import Choice, Row, bound, from_selection, pressed, to_selection
from console.presenters.choice import button, counted, form
from foundation.errors import Invalid
from shop.models import Order


def choice(query: str) -> Choice:
    return bound(QueryDict(query), Order)


def test_one_group_is_a_conjunction():
    made = to_selection(choice("f-0=state&o-0=eq&v-0=open&g-0=0&f-1=total&o-1=gt&v-1=5&g-1=0"), Order)
    assert made == {
        "where": [{"field": "state", "op": "eq", "value": "open"}, {"field": "total", "op": "gt", "value": "5"}]
    }


def test_several_groups_are_alternatives():
    made = to_selection(choice("f-0=state&v-0=open&g-0=0&f-1=state&v-1=paid&g-1=1"), Order)
    assert [group[0]["value"] for group in made["any"]] == ["open", "paid"]


def test_lines_without_a_field_are_no_condition():
    assert to_selection(choice("f-0=&g-0=0"), Order) == {"where": []}


def test_lists_and_ranges_are_split():
    made = to_selection(choice("f-0=state&o-0=in&v-0=open, paid&g-0=0&f-1=total&o-1=between&v-1=1 .. 9&g-1=0"), Order)
    assert [condition["value"] for condition in made["where"]] == [["open", "paid"], ["1", "9"]]


def test_pasted_keys_come_in_any_shape():
    assert to_selection(choice("mode=keys&keys=1,2%0A3;4 5"), Order) == {"keys": ["1", "2", "3", "4", "5"]}


@pytest.mark.parametrize(
    "selection",
    [
        {"where": [{"field": "state", "op": "eq", "value": "open"}]},
        {
            "any": [
                [{"field": "state", "op": "eq", "value": "open"}],
                [{"field": "total", "op": "between", "value": ["1", "9"]}],
            ]
        },
        {"keys": ["1", "2"]},
        {"where": [{"field": "note", "op": "isnull", "value": False}]},
    ],
)
def test_a_draft_comes_back_as_it_was(selection):
    again = to_selection(from_selection(selection), Order)
    assert again == selection


def test_buttons_change_only_the_form():
    start = Choice(groups=((Row("state"),),))
    assert len(pressed(start, "add:0").groups[0]) == 2
    assert len(pressed(start, "group").groups) == 2
    assert pressed(start, "remove:0.0").groups == ((Row(),),), "one empty line always stays"
    assert pressed(start, "mode:keys").mode == "keys"
    assert pressed(start, "remove:9.9") == start
    assert pressed(start, "nonsense") == start


def test_an_error_stands_beside_the_line_it_is_about():
    typed = choice("f-0=&g-0=0&f-1=state&v-1=open&g-1=0&f-2=total&o-2=gt&v-2=many&g-2=0")
    with pytest.raises(Invalid) as refused:
        Selection.parse(to_selection(typed, Order), Order)
    lines = form(typed, Order, refused.value).groups[0]
    assert [bool(line.error) for line in lines] == [False, False, True]


def test_an_error_of_no_line_is_said_on_top():
    shown = form(Choice(), Order, BadValue(field="selection", name="x", value="y", hint=""))
    assert shown.error
    assert not any(line.error for group in shown.groups for line in group)


def test_comparisons_fit_the_field():
    line = form(Choice(groups=((Row("state", "contains", "x"),),)), Order).groups[0][0]
    assert "contains" in [option.value for option in line.ops]
    assert line.input == "text"
    assert form(Choice(groups=((Row("state", "eq", "open"),),)), Order).groups[0][0].input == "select"


def test_the_count_is_capped_and_never_invented():
    assert counted(100_001, "orders").title == "More than 100,000"
    assert counted(None, "orders").title == "Too many to count quickly"
    assert counted(1204, "orders").title == "1,204"


def test_the_last_button_says_what_it_does():
    assert button("delete", 53_563, 1204, "customers", 1) == "Freeze 53,563 rows and ask for approval"
    assert button("delete", 6, 6, "orders", 0) == "Delete 6 rows now"
    assert button("restore", 1, 1, "orders", 0) == "Restore 1 row now"
