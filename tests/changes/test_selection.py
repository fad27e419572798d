"""A selection is read by an allow-list: what does not fit is refused with its place, and nothing else happens."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from changes.errors import BadSelection, BadValue, EmptySelection, TooManyKeys, UnknownField, UnknownLookup, WholeTable
from changes.selection import KEY_LIMIT, Selection, filterable, lookups_for
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Customer, Order
from tests.personas import customer, log, order


def chosen(model: Any, *conditions: tuple[str, str, Any], any_of: Any = ()) -> set[Any]:
    data: dict[str, Any] = {"where": [{"field": f, "op": op, "value": v} for f, op, v in conditions]}
    if any_of:
        data["any"] = [{"where": [{"field": f, "op": op, "value": v} for f, op, v in group]} for group in any_of]
    return set(Selection.parse(data, model).narrow(model.objects.all()).values_list("pk", flat=True))


@pytest.mark.django_db
class TestOperators:
    @pytest.fixture(autouse=True)
    def _rows(self, at_work: Actor) -> None:
        buyer = customer(name="Ada Byron", born_on=date(1815, 12, 10), score=1.5)
        self.ada = buyer.pk
        self.bob = customer(name="Bob_100%", born_on=None, score=-2).pk
        self.orders = {
            n: order(buyer, number=f"N{n}", total=n, state="paid" if n % 2 else "open").pk for n in range(1, 6)
        }

    def picked(self, *conditions: Any, **more: Any) -> set[int]:
        found = chosen(Order, *conditions, **more)
        return {n for n, pk in self.orders.items() if pk in found}

    @pytest.mark.parametrize(
        ("op", "value", "expected"),
        [
            ("eq", 3, {3}),
            ("ne", 3, {1, 2, 4, 5}),
            ("lt", 3, {1, 2}),
            ("lte", "3.00", {1, 2, 3}),
            ("gt", 3.5, {4, 5}),
            ("gte", 4, {4, 5}),
            ("in", [1, 5, 99], {1, 5}),
            ("between", [2, 4], {2, 3, 4}),
            ("isnull", False, {1, 2, 3, 4, 5}),
            ("isnull", True, set()),
        ],
    )
    def test_comparisons(self, op: str, value: Any, expected: set[int]) -> None:
        assert self.picked(("total", op, value)) == expected

    def test_conditions_in_where_all_hold(self) -> None:
        assert self.picked(("total", "gt", 1), ("state", "eq", "paid")) == {3, 5}

    def test_one_group_of_any_is_enough(self) -> None:
        groups = [[("total", "eq", 1)], [("total", "gt", 3), ("state", "eq", "open")]]
        assert self.picked(any_of=groups) == {1, 4}

    def test_where_and_any_both_hold(self) -> None:
        assert self.picked(("state", "eq", "paid"), any_of=[[("total", "lt", 2)], [("total", "eq", 4)]]) == {1}

    def test_contains_knows_no_wildcards_and_no_case(self) -> None:
        assert chosen(Customer, ("name", "contains", "_100%")) == {self.bob}
        assert chosen(Customer, ("name", "startswith", "ADA")) == {self.ada}
        assert chosen(Customer, ("name", "contains", "%")) == {self.bob}

    def test_empty_values_are_found_by_isnull(self) -> None:
        assert self.bob in chosen(Customer, ("born_on", "isnull", True))
        assert chosen(Customer, ("born_on", "isnull", False)) == {self.ada}

    def test_ne_takes_empty_values_along(self) -> None:
        assert self.bob in chosen(Customer, ("born_on", "ne", "1815-12-10"))

    def test_dates_before_1970_and_negative_numbers(self) -> None:
        assert chosen(Customer, ("born_on", "lt", "1900-01-01")) == {self.ada}
        assert chosen(Customer, ("score", "lt", 0)) == {self.bob}

    def test_a_link_is_compared_by_key(self) -> None:
        assert self.picked(("customer", "eq", self.ada)) == set(self.orders)
        assert chosen(Order, ("customer", "in", [self.bob])) == set()

    def test_a_day_without_a_time_compares_with_a_moment(self) -> None:
        entry = log()
        assert entry.pk in chosen(BehaviourLog, ("happened_at", "lt", "2024-06-01"))

    def test_deleted_rows_are_never_selected_for_a_delete(self, at_work: Actor) -> None:
        with acting(at_work, reason="made by mistake"):
            Order.objects.get(pk=self.orders[1]).delete()
        assert self.picked(("total", "lt", 3)) == {2}


def test_the_words_of_a_selection_name_field_comparison_and_value() -> None:
    data = {"where": [{"field": "total", "op": "lt", "value": 5}, {"field": "note", "op": "isnull", "value": True}]}
    assert Selection.parse(data, Order).describe() == "orders where total less than 5 and note is empty"
    then = {
        "where": [{"field": "placed_at", "op": "lt", "value": "2023-01-01T00:00Z"}, {"field": "state", "value": "open"}]
    }
    words = Selection.parse(then, Order).describe()
    assert words.startswith("orders where placed before 2023-01-01")
    assert words.endswith("and state is open")


def test_the_words_of_a_list_of_keys_stay_short() -> None:
    text = Selection.parse({"keys": list(range(1, 5001))}, Order).describe()
    assert text == "orders with the keys 1, 2, 3, 4, 5 and 4995 more"


def test_control_columns_cannot_be_named() -> None:
    assert not {"is_deleted", "deleted_at", "tenant_id"} & set(filterable(Order))


BAD_SHAPES: list[Any] = [
    None,
    [],
    "all",
    7,
    {"where": "x"},
    {"where": {}},
    {"where": [1]},
    {"where": [{}]},
    {"where": [{"field": 1}]},
    {"where": [[]]},
    {"any": "x"},
    {"any": [1]},
    {"any": [{"where": 3}]},
    {"keys": "1,2"},
    {"keys": {"1": 2}},
    {"keys": [1], "where": []},
    {"filter": []},
    {"where": [{"field": "total", "value": 1}] * 51},
    {"any": [[{"field": "total", "value": 1}]] * 51},
    {"any": [[{"field": "total", "value": 1}] * 26, [{"field": "total", "value": 1}] * 26]},
]


@pytest.mark.parametrize("data", BAD_SHAPES, ids=range(len(BAD_SHAPES)))
def test_what_is_no_selection_is_refused(data: Any) -> None:
    with pytest.raises(BadSelection) as refused:
        Selection.parse(data, Order)
    assert str(refused.value)
    assert refused.value.facts["field"].startswith("selection")


@pytest.mark.parametrize("data", [{}, {"where": []}, {"any": []}, {"where": [], "any": [[]]}, {"any": [{"where": []}]}])
def test_everything_is_no_selection(data: Any) -> None:
    with pytest.raises(WholeTable):
        Selection.parse(data, Order)


def test_an_empty_group_would_be_everything() -> None:
    with pytest.raises(WholeTable):
        Selection.parse({"any": [[{"field": "total", "value": 1}], []]}, Order)


@pytest.mark.parametrize(
    "field", ["nope", "customer__email", "pk", "is_deleted", "tenant_id", "total__lt", "", "id; DROP", "customer_id"]
)
def test_an_unknown_field_is_named_with_the_known_ones(field: str) -> None:
    with pytest.raises(UnknownField) as refused:
        Selection.parse({"where": [{"field": field, "value": 1}]}, Order)
    assert refused.value.facts["field"] == "selection.where.0.field"
    assert "number" in str(refused.value)


@pytest.mark.parametrize("op", ["exact", "regex", "lt; --", "", None, ["eq"], 1, "iexact"])
def test_an_unknown_comparison_is_refused(op: Any) -> None:
    with pytest.raises(UnknownLookup):
        Selection.parse({"where": [{"field": "total", "op": op, "value": 1}]}, Order)


@pytest.mark.parametrize(
    ("field", "op"), [("preferences", "eq"), ("labels", "contains"), ("referred_by", "lt"), ("born_on", "contains")]
)
def test_a_comparison_the_field_does_not_have_is_refused(field: str, op: str) -> None:
    with pytest.raises(UnknownLookup) as refused:
        Selection.parse({"where": [{"field": field, "op": op, "value": "x"}]}, Customer)
    assert lookups_for(filterable(Customer)[field])[0] in str(refused.value)


BAD_VALUES: list[tuple[str, str, Any]] = [
    ("total", "eq", "many"),
    ("total", "eq", None),
    ("total", "eq", {}),
    ("total", "eq", [1]),
    ("total", "eq", "1E+999999"),
    ("total", "eq", True),
    ("placed_at", "lt", "yesterday"),
    ("placed_at", "lt", "2024-13-01"),
    ("placed_at", "lt", 5),
    ("number", "eq", "a\x00b"),
    ("number", "contains", "\x00"),
    ("number", "eq", "\ud800"),
    ("customer", "eq", "seven"),
    ("customer", "eq", 2**63),
    ("customer", "in", [1, 2**70]),
    ("total", "in", []),
    ("total", "in", 5),
    ("total", "between", [1]),
    ("total", "between", [1, 2, 3]),
    ("total", "isnull", "yes"),
    ("total", "isnull", 1),
    ("id", "eq", 2**63),
    ("id", "gt", -(2**70)),
]


@pytest.mark.parametrize(("field", "op", "value"), BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_a_value_that_does_not_fit_is_refused_with_its_place(field: str, op: str, value: Any) -> None:
    with pytest.raises(BadValue) as refused:
        Selection.parse({"where": [{"field": "total", "value": 1}, {"field": field, "op": op, "value": value}]}, Order)
    assert refused.value.facts["field"] == "selection.where.1.value"
    assert str(refused.value)


@pytest.mark.parametrize("keys", [[]])
def test_no_keys_are_an_empty_selection(keys: list[Any]) -> None:
    with pytest.raises(EmptySelection):
        Selection.parse({"keys": keys}, Order)


@pytest.mark.parametrize("key", ["x", None, {}, [1, 2], [], 1.5, "1.5", 2**63, -(2**63) - 1, "9" * 5000, "1\x00", True])
def test_a_key_that_is_none_is_refused_with_its_place(key: Any) -> None:
    with pytest.raises(BadValue) as refused:
        Selection.parse({"keys": [1, 2, key]}, Order)
    assert refused.value.facts["field"] == "selection.keys.2"


def test_keys_may_come_as_text_or_one_by_one_in_lists() -> None:
    assert Selection.parse({"keys": ["1", 2, [3], " 4"]}, Order).keys == (1, 2, 3, 4)


def test_repeated_keys_count_once_and_are_remembered() -> None:
    selection = Selection.parse({"keys": [5, 5, "5", 6]}, Order)
    assert (selection.keys, selection.given) == ((5, 6), 4)


def test_as_many_keys_as_the_limit_are_read() -> None:
    assert len(Selection.parse({"keys": list(range(KEY_LIMIT))}, Order).keys or ()) == 100_000


def test_one_key_more_is_refused_with_both_numbers() -> None:
    with pytest.raises(TooManyKeys, match="100001 keys are too many"):
        Selection.parse({"keys": list(range(KEY_LIMIT + 1))}, Order)


def test_a_long_list_in_a_condition_is_refused_like_keys_and_never_cut() -> None:
    with pytest.raises(TooManyKeys):
        Selection.parse({"where": [{"field": "number", "op": "in", "value": ["x"] * (KEY_LIMIT + 1)}]}, Order)
