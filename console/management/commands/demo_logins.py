"""`manage.py demo_logins`: one login per role on the first start, and their table on each."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import Q

from access.models import Account, Person, Tenant

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
# In the order in which an empty database numbers them; the demo data uses the same.
TENANTS = (("northwind", "Northwind Trading"), ("mueller", "Müller & Söhne GmbH"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One demo login; without a group it has no role."""

    username: str
    first_name: str
    last_name: str
    group: str | None
    tenant: str
    does: str


LOGINS = (
    Login(
        username="operator", first_name="Olivia", last_name="Park", group="operator", tenant="northwind",
        does="asks for bulk deletes, starts and undoes them",
    ),
    Login(
        username="approver", first_name="Amir", last_name="Haddad", group="approver", tenant="northwind",
        does="decides tickets",
    ),
    Login(
        username="approver2", first_name="Beatriz", last_name="Santos", group="approver", tenant="northwind",
        does="decides tickets, second person above 10,000 rows",
    ),
    Login(
        username="auditor", first_name="Ingrid", last_name="Solberg", group="auditor", tenant="northwind",
        does="reads history and tickets",
    ),
    Login(
        username="engineer", first_name="Kenji", last_name="Watanabe", group="engineer", tenant="northwind",
        does="asks, restores and undoes",
    ),
    Login(
        username="administrator", first_name="Nadia", last_name="Petrova", group="administrator", tenant="northwind",
        does="keeps users and roles",
    ),
    Login(
        username="outsider", first_name="Oskar", last_name="Lindqvist", group=None, tenant="mueller",
        does="no role, another tenant: sees nothing",
    ),
)  # fmt: skip


class Command(BaseCommand):
    help = "Create the demo logins if they are missing, and print them."

    def handle(self, *args: Any, **options: Any) -> None:
        password = demo_password()
        with transaction.atomic():
            tenants = {slug: _tenant(slug, name) for slug, name in TENANTS}
            _allow_administrators()
            encoded = make_password(password)
            users = [_create(login, tenants[login.tenant], encoded) for login in LOGINS]
        self.stdout.write(_table(users, password))


def demo_password() -> str:
    """CUSTODY_DEMO_PASSWORD, or one made once and kept in CUSTODY_HOME, readable by this user only."""
    if settings.CUSTODY_DEMO_PASSWORD:
        return str(settings.CUSTODY_DEMO_PASSWORD)
    kept = Path(settings.CUSTODY_HOME) / "demo-password"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        word = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(word + "\n")
    return kept.read_text().strip()


def _tenant(slug: str, name: str) -> Tenant:
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"name": name})
    return tenant


def _allow_administrators() -> None:
    """Users, persons and accounts; roles are assigned, not edited."""
    wanted = Permission.objects.filter(
        Q(content_type__app_label="auth", codename__in=("add_user", "change_user", "view_user", "view_group"))
        | Q(content_type__app_label="access", content_type__model__in=("person", "account", "tenant"))
    ).exclude(codename__startswith="delete_")
    Group.objects.get(name="administrator").permissions.add(*wanted)


def _create(login: Login, tenant: Tenant, encoded: str) -> Any:
    """The login's user; one that exists is left as it is."""
    users = get_user_model()
    user = users.objects.filter(username=login.username).first()
    if user is not None:
        return user
    user = users.objects.create(
        username=login.username,
        password=encoded,
        first_name=login.first_name,
        last_name=login.last_name,
        email=f"{login.username}@{login.tenant}.example",
        is_staff=True,
    )
    if login.group is not None:
        user.groups.add(Group.objects.get(name=login.group))
    person = Person.objects.create(name=f"{login.first_name} {login.last_name}")
    Account.objects.create(user=user, person=person, tenant=tenant)
    return user


def _table(users: list[Any], password: str) -> str:
    head = ("Login", "Password", "Name", "What for")
    # Hashing is slow on purpose, and the logins of one first start share one hash.
    valid = {encoded: check_password(password, encoded) for encoded in {user.password for user in users}}
    rows = [
        (
            user.get_username(),
            password if valid[user.password] else "(changed)",
            user.get_full_name(),
            login.does,
        )
        for user, login in zip(users, LOGINS, strict=True)
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, tuple("-" * width for width in widths), *rows)
    )
