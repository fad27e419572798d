"""The test databases: who is logged in, what is kept apart."""

from __future__ import annotations

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection


@pytest.mark.django_db
def test_tests_work_as_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("custody_app",)


@pytest.mark.django_db
def test_owner_sees_the_same_database(owner: psycopg.Connection) -> None:
    name = owner.execute("SELECT current_database(), current_user").fetchone()
    assert name == (connection.settings_dict["NAME"], "custody_owner")


def test_real_database_commits(real_db) -> None:
    Group.objects.create(name="kept")
    with real_db.app() as other:
        assert other.execute("SELECT count(*) FROM auth_group WHERE name = 'kept'").fetchone() == (1,)


@pytest.mark.django_db
def test_real_database_leaves_no_trace() -> None:
    assert not Group.objects.filter(name="kept").exists()
