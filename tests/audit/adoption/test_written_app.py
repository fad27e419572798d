"""The written app is ordinary Django: it checks clean, reads and writes every row, and drifts nowhere."""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction

from audit import registry
from tests.audit.adoption.conftest import Adoption


@pytest.fixture
def app(odd: Adoption, django_db_blocker: Any) -> Iterator[Any]:
    """The models module of the odd app; everything written is rolled back."""
    with django_db_blocker.unblock(), odd.installed("odd"), transaction.atomic():
        yield importlib.import_module("odd.models")
        transaction.set_rollback(True)


def test_the_app_checks_clean_and_needs_no_migration(odd: Adoption) -> None:
    assert "odd." not in odd.manage("check", "--database", "default", check=False).stderr
    assert "No changes" in odd.manage("makemigrations", "--check", "--dry-run", "odd").stdout


def test_every_table_is_an_entity_and_every_row_can_be_read(app: Any) -> None:
    adopted = [entity for entity in registry.entities() if entity._meta.app_label == "odd"]
    assert len(adopted) == 13
    for entity in adopted:
        for row in entity.objects.all()[:60]:
            str(row)


def test_defaults_are_the_databases(app: Any) -> None:
    row = app.Person.objects.create(name="Zoë")
    row.refresh_from_db()
    assert (row.mood, row.moods, row.labels, row.share) == ("so-so", [], ["a", "b"], Decimal("12.50"))
    assert row.settings == {"a": 1}
    assert row.token is not None
    assert row.full_name == "Zoë !"
    assert (row.code, row.pause) == ("xyz", datetime.timedelta(hours=1))


def test_an_unchanged_row_can_be_saved(app: Any) -> None:
    """Arrays, ranges, enums, json, identity, generated and unknown types survive the way out and back."""
    for entity in (app.Person, app.City, app.MixedCaseTable, app.Link, app.Reading, app.Order):
        row = entity.objects.first()
        before = entity.objects.filter(pk=row.pk).values().get()
        row.save()
        assert entity.objects.filter(pk=row.pk).values().get() == before


def test_a_local_timestamp_is_never_shifted(app: Any) -> None:
    moment = datetime.datetime(2023, 1, 1, 0, 30)
    row = app.Person.objects.create(name="Local", seen=moment)
    row.refresh_from_db()
    assert row.seen == moment
    assert app.Person.objects.filter(seen=moment, seen__year=2023).count() == 1
    assert app.Person.objects.filter(seen__lt="2023-01-01T00:30:01Z", name="Local").exists()


def test_enums_and_arrays_can_be_selected_and_updated(app: Any) -> None:
    sad = app.Person.objects.filter(mood="sad")
    amount = sad.count()
    assert sad.update(moods=["sad"]) == amount
    assert app.Person.objects.filter(moods=["sad"]).count() == amount
    rows = list(app.Person.objects.all()[:3])
    for row in rows:
        row.mood = "very happy"
    assert app.Person.objects.bulk_update(rows, ["mood"]) == 3


def test_relations_follow_the_databases_rules(app: Any) -> None:
    assert app.Link._meta.get_field("person").remote_field.on_delete is models.CASCADE
    assert app.Person._meta.get_field("boss").remote_field.on_delete is models.SET_NULL
    assert app.City._meta.get_field("mayor").remote_field.on_delete is models.PROTECT
    person = app.Person.objects.get(name="Pérson 3")
    assert person.cities_by_mayor.get().name == "City 3"
    assert person.profiles.text == "text"
    assert app.City.objects.filter(by_token__isnull=True).count() == 20


def test_composite_keys_find_their_rows(app: Any) -> None:
    link = app.Link.objects.get(pk=(3, 3))
    assert link.person.name == "Pérson 3"
    assert app.Link.objects.filter(pk__in=[(1, 1), (2, 2), (9, 1)]).count() == 2
    reading = app.Reading.objects.order_by("taken").first()
    assert app.Reading.objects.get(pk=(reading.sensor, reading.taken)) == reading


def test_django_never_touches_the_table(odd: Adoption, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), odd.installed("odd"):
        models_ = importlib.import_module("odd.models")
        with connection.schema_editor(collect_sql=True) as editor:
            assert not models_.City._meta.managed
        assert not editor.collected_sql
        call_command("makemigrations", "odd", check_changes=True, dry_run=True, verbosity=0)
