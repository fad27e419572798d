"""Everything simple-history promises readers works on adopted tables: lenient columns, keys of several columns."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from audit import registry
from tests.audit.adoption.conftest import Adoption


@pytest.fixture
def app(odd: Adoption, django_db_blocker: Any) -> Iterator[Any]:
    with django_db_blocker.unblock(), odd.installed("odd"), transaction.atomic():
        yield importlib.import_module("odd.models")
        transaction.set_rollback(True)


def test_every_row_has_its_baseline(app: Any) -> None:
    for entity in registry.entities():
        if entity._meta.app_label == "odd":
            history = registry.history_of(entity)
            baseline = history.objects.filter(history_change_reason="baseline")  # type: ignore[attr-defined]
            assert baseline.count() == entity.objects_and_deleted.count()
            for version in baseline[:20]:
                assert version.history_type == "+"
                str(version)


def test_the_history_of_one_row_and_its_differences(app: Any) -> None:
    city = app.City.objects.get(pk=7)
    city.name = "Renamed"
    city.save()
    city.is_deleted, city.deleted_at = True, timezone.now()
    city.save()

    deleted, renamed, baseline = city.history.all()

    assert [v.history_type for v in (deleted, renamed, baseline)] == ["~", "~", "+"]
    assert [(c.field, c.old, c.new) for c in renamed.diff_against(baseline).changes] == [("name", "City 7", "Renamed")]
    assert {c.field for c in deleted.diff_against(renamed).changes} == {"is_deleted", "deleted_at"}
    assert (renamed.prev_record, renamed.next_record) == (baseline, deleted)
    assert (baseline.prev_record, deleted.next_record) == (None, None)
    assert baseline.instance.name == "City 7"
    assert city.history.most_recent().is_deleted


def test_a_row_as_it_was(app: Any) -> None:
    city = app.City.objects.get(pk=8)
    then = timezone.now()
    app.City.objects.filter(pk=8).update(name="Later")
    assert city.history.as_of(then).name == "City 8"
    assert app.City.history.as_of(then).get(pk=8).name == "City 8"
    assert app.City.history.as_of(timezone.now()).get(pk=8).name == "Later"
    with pytest.raises(app.City.DoesNotExist):
        city.history.as_of(then - timedelta(days=3650))


def test_keys_of_two_columns_have_histories_of_their_own(app: Any) -> None:
    link = app.Link.objects.get(pk=(3, 3))
    other = app.Link.objects.create(person_id=3, city_id=4)
    then = timezone.now()
    link.retention_policy = "kept"
    link.save()

    assert [v.retention_policy for v in link.history.all()] == ["kept", "standard"]
    assert other.history.count() == 1
    newest = link.history.first()
    assert newest.prev_record.history_type == "+"
    assert newest.prev_record.next_record == newest
    assert newest.instance == link
    assert [c.field for c in newest.diff_against(newest.prev_record).changes] == ["retention_policy"]
    assert link.history.as_of(then).retention_policy == "standard"
    assert app.Link.history.as_of(timezone.now()).count() == app.Link.objects_and_deleted.count()
    assert app.Link.history.as_of(then).filter(pk=(3, 3)).get().retention_policy == "standard"
    assert app.Link.history.latest_of_each().count() == app.Link.objects_and_deleted.count()


def test_a_key_that_is_a_foreign_key(app: Any) -> None:
    profile = app.Profile.objects.get(pk=3)
    profile.text = "new"
    profile.save()
    newest, baseline = profile.history.all()
    assert [(c.field, c.old, c.new) for c in newest.diff_against(baseline).changes] == [("text", "text", "new")]
    assert baseline.next_record == newest


def test_a_partition_key_of_number_and_date(app: Any) -> None:
    reading = app.Reading.objects.order_by("taken").first()
    reading.value = 99
    reading.save()
    newest, baseline = reading.history.all()
    assert newest.value == 99
    assert baseline.prev_record is None


def test_values_of_every_type_are_told_apart(app: Any) -> None:
    person = app.Person.objects.get(name="Pérson 3")
    person.mood, person.labels, person.settings, person.price = "very happy", ["z"], {"b": 2}, "$9.99"
    person.save()
    newest = person.history.first()
    changed = {c.field: (c.old, c.new) for c in newest.diff_against(newest.prev_record).changes}
    assert changed["mood"] == ("sad", "very happy")
    assert changed["labels"] == (["x", "y"], ["z"])
    assert changed["settings"] == ({"a": 1}, {"b": 2})
    assert changed["price"] == ("$3.00", "$9.99")
    assert set(changed) == {"mood", "labels", "settings", "price"}


def test_generated_values_are_in_the_history(app: Any) -> None:
    person = app.Person.objects.get(name="Pérson 4")
    person.name = "Other"
    person.save()
    newest = person.history.first()
    assert newest.full_name == "Other !"
    assert "full_name" in {c.field for c in newest.diff_against(newest.prev_record).changes}


def test_columns_with_the_names_of_history_are_read_back(app: Any) -> None:
    row = app.MixedCaseTable.objects.get(pk=5)
    row.event_id_field = 4711
    row.save()
    newest = row.history.first()
    assert (newest.event_id_field, newest.xid_field) == (4711, "x")
    assert newest.event_id not in (4711, None)
