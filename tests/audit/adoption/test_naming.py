"""Names that Python, Django and Custody can live with."""

from __future__ import annotations

import pytest

from audit.adoption import naming


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("name", "name"),
        ("First Name", "first_name"),
        ("2nd", "number_2nd"),
        ("class", "class_field"),
        ("match", "match_field"),
        ("check", "check_field"),
        ("save", "save_field"),
        ("objects", "objects_field"),
        ("history", "history_field"),
        ("models", "models_field"),
        ("pk", "pk_field"),
        ("id", "id_field"),
        ("event_id", "event_id_field"),
        ("is_deleted", "is_deleted_field"),
        ("__odd__name__", "odd_name"),
        ("größe", "größe"),
        ("-", "field"),
    ],
)
def test_a_field_name_is_legal_and_shadows_nothing(column: str, field: str) -> None:
    assert naming.field_name(column, set()) == field


def test_a_key_may_be_called_id() -> None:
    assert naming.field_name("id", set(), is_key=True) == "id"


def test_two_columns_never_get_one_name() -> None:
    assert naming.field_name("First-Name", {"first_name"}) == "first_name2"


def test_a_relation_drops_id_unless_that_name_is_taken() -> None:
    assert naming.relation_name("customer_id", set()) == "customer"
    assert naming.relation_name("customer_id", {"customer"}) == "customer2"
    assert naming.relation_name("reports_to", set()) == "reports_to"


def test_a_relation_leaves_the_columns_of_history_alone() -> None:
    assert f"{naming.relation_name('event_id', set())}_id" not in naming.TAKEN


def test_models_differ_whatever_the_case_and_from_historical_models() -> None:
    names: list[str] = []
    for table in ("Parts", "parts", "historical_parts", "2nd table", "Größe", "order"):
        names.append(naming.model_name(table, names))
    lower = [name.lower() for name in names]
    assert len(set(lower) | {f"historical{name}" for name in lower}) == 2 * len(names)
    assert all(name.isidentifier() for name in names)


def test_a_history_table_fits_into_a_name_and_stays_unique() -> None:
    long = naming.history_table("schema", "t" * 60), naming.history_table("schema", "t" * 59)
    assert long[0] != long[1]
    assert all(len(f"{name}_event") <= 63 for name in long)


@pytest.mark.parametrize(
    ("noun", "nouns"),
    [("invoice", "invoices"), ("city", "cities"), ("address", "address"), ("box", "boxes"), ("größe", "größe")],
)
def test_labels_are_plural_where_that_is_plain(noun: str, nouns: str) -> None:
    assert naming.plural(noun) == nouns
