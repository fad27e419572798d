"""One login per role, made once; its password is kept where only this user reads it."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from access.actors import actor_for

pytestmark = pytest.mark.django_db


def _call() -> str:
    output = StringIO()
    call_command("demo_logins", stdout=output)
    return output.getvalue()


@pytest.fixture(autouse=True)
def _home(settings: Any, tmp_path: Path) -> None:
    settings.CUSTODY_HOME = tmp_path / "home"
    settings.CUSTODY_DEMO_PASSWORD = ""


def test_a_login_per_role() -> None:
    _call()
    actors = {user.username: actor_for(user) for user in get_user_model().objects.all()}
    assert {name: set(actor.roles) for name, actor in actors.items()} == {
        "operator": {"operator"},
        "approver": {"approver"},
        "approver2": {"approver"},
        "auditor": {"auditor"},
        "engineer": {"engineer"},
        "administrator": {"administrator"},
        "outsider": set(),
    }
    assert len({actor.person_id for actor in actors.values()}) == 7
    assert actors["outsider"].tenant_id != actors["operator"].tenant_id
    assert all(user.is_staff and not user.is_superuser for user in get_user_model().objects.all())


def test_the_password_works_and_is_private(tmp_path: Path) -> None:
    table = _call()
    kept = tmp_path / "home" / "demo-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() in table
    assert get_user_model().objects.get(username="approver").check_password(kept.read_text().strip())


def test_a_given_password_is_used(settings: Any, tmp_path: Path) -> None:
    settings.CUSTODY_DEMO_PASSWORD = "correct horse"
    assert "correct horse" in _call()
    assert not (tmp_path / "home").exists()


def test_a_second_call_changes_nothing_and_tells_again() -> None:
    first = _call()
    before = list(get_user_model().objects.order_by("pk").values())
    assert _call() == first
    assert list(get_user_model().objects.order_by("pk").values()) == before


def test_a_changed_password_is_not_shown() -> None:
    _call()
    user = get_user_model().objects.get(username="auditor")
    user.set_password("mine alone")
    user.save()
    line = next(line for line in _call().splitlines() if "auditor" in line)
    assert "(changed)" in line


def test_an_administrator_keeps_users_and_not_roles() -> None:
    _call()
    user = get_user_model().objects.get(username="administrator")
    assert user.has_perms(["auth.add_user", "auth.change_user", "auth.view_group", "access.add_account"])
    assert not user.has_perm("auth.change_group")
    assert not user.has_perm("auth.delete_user")
