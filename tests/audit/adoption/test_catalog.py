"""The catalog is read exactly, and what cannot be governed is named with its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from audit.adoption import catalog, survey
from audit.adoption.catalog import OnDelete, Relation
from tests.audit.adoption.conftest import Adoption


@pytest.fixture
def relations(odd: Adoption) -> Iterator[dict[str, Relation]]:
    with odd.owner() as connection, connection.cursor() as cursor:
        yield {relation.name: relation for relation in catalog.read(cursor, "odd")}


def test_types_are_followed_to_their_base(relations: dict[str, Relation]) -> None:
    person = relations["person"]
    assert (person.column("mail").type, person.column("mail").base) == ("odd.email", "character varying(120)")
    assert person.column("mood").labels == ("sad", "so-so", "very happy")
    assert (person.column("moods").dimensions, person.column("moods").element) == (1, "mood")
    assert person.column("matrix").dimensions == 2
    assert person.column("ticket").identity == "a"
    assert person.column("full_name").generated == "s"
    assert person.column("seen").default == "now()"
    assert person.column("share").comment == "Share in %"


def test_keys_and_relations_are_read_with_their_actions(relations: dict[str, Relation]) -> None:
    city = {fk.columns: fk for fk in relations["city"].foreign_keys}
    composite = city["country", "region_number"]
    assert (composite.target, composite.target_columns) == (("odd", "region"), ("country", "number"))
    assert composite.on_delete is OnDelete.CASCADE
    assert city["mayor_id",].on_delete is OnDelete.NO_ACTION
    assert city["by_token",].target_columns == ("token",)
    key = relations["link"].primary_key
    assert key is not None
    assert key.columns == ("person_id", "city_id")
    assert {key.columns for key in relations["person"].uniques} == {("token",), ("name", "born")}


def test_partitions_are_found_at_every_level(odd: Adoption) -> None:
    with odd.owner() as connection, connection.cursor() as cursor:
        names = [name for (_, name), _ in catalog.members(cursor, ("odd", "reading"))]
    assert names == ["reading", "reading_2023", "reading_2024", "reading_2024_low", "reading_2024_rest"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("no_key", "no primary key"),
        ("bones", "inherit from it"),
        ("old_bones", "inherits from odd.bones"),
        ("scratch", "unlogged"),
        ("binned", "column is_deleted of its own"),
        ('quo"te', "cannot quote"),
        ("percents", "cannot quote"),
        ("people", "view"),
        ("people_now", "view"),
        ("person", "governed already"),
    ],
)
def test_what_cannot_be_governed_is_named_with_the_reason(
    relations: dict[str, Relation], table: str, reason: str
) -> None:
    found = survey.survey(list(relations.values()), schema="odd", login="custody_owner")
    reasons = {refusal.relation.name: "; ".join(refusal.reasons) for refusal in found.refused}
    assert reason in reasons[table]


def test_a_table_of_somebody_else_names_the_grant_that_is_missing(adoption: Adoption) -> None:
    adoption.load("odd")
    with adoption.database.admin() as admin:
        admin.execute("CREATE ROLE odd_stranger")
        admin.execute("ALTER TABLE odd.city OWNER TO odd_stranger")
    try:
        said = adoption.manage("adopt", "--schema", "odd", "--app", "odd", "--tables", "city", check=False)
        assert said.returncode == 1
        assert 'run GRANT "odd_stranger" TO custody_owner first' in said.stdout
    finally:
        with adoption.database.admin() as admin:
            admin.execute("DROP OWNED BY odd_stranger CASCADE")
            admin.execute("DROP ROLE odd_stranger")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--schema", "nowhere", "--app", "x"), "There is no schema nowhere"),
        (("--schema", "odd", "--app", "shop"), "cannot be the name of an app"),
        (("--schema", "odd", "--app", "Not-A-Name"), "cannot be the name of an app"),
        (("--schema", "odd", "--app", "x", "--tables", "city,nothing"), "has no table nothing"),
        (("--app", "x"), "Name the schema"),
    ],
)
def test_nonsense_is_answered_with_one_sentence(odd: Adoption, arguments: Any, sentence: str) -> None:
    said = odd.manage("adopt", *arguments, check=False)
    assert said.returncode == 1
    assert sentence in said.stderr
    assert {path.name for path in (odd.home / "apps").iterdir()} == {"INSTALLED", "odd"}
