"""migrate, with the autodetector of this project's makemigrations.

The catalog checks compare the database with the declarations; before a migration they must differ, so
they are left to `check --database` and to the time after.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.core.management.commands.migrate import Command as Migrate

from audit.management.commands.makemigrations import GovernedAutodetector


class Command(Migrate):
    autodetector = GovernedAutodetector

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        return BaseCommand.get_check_kwargs(self, options)
