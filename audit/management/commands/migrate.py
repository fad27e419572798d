"""migrate, with the autodetector of this project's makemigrations.

The catalog checks compare the database with the declarations; before a migration they must differ, so
they are left to `check --database` and to the time after.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

from audit.management.commands.makemigrations import GovernedAutodetector


class Command(Migrate):
    autodetector = GovernedAutodetector

    def handle(self, *args: Any, **options: Any) -> None:
        """A migration is the owner's work, and says so to the guard."""
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT set_config('custody.mass_write', 'manage.py migrate', false)")
        try:
            super().handle(*args, **options)
        finally:
            with connections[options["database"]].cursor() as cursor:
                cursor.execute("RESET custody.mass_write")

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        return BaseCommand.get_check_kwargs(self, options)
