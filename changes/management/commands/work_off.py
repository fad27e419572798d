"""Finish every running change in the foreground, without broker and worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from changes import sweeping
from changes.tasks import worker_name


class Command(BaseCommand):
    help = "Work off every running change of all tenants in this process."

    def handle(self, *args: Any, **options: Any) -> None:
        worked = sweeping.run_pending(worker=worker_name())
        self.stdout.write(f"{worked} changes worked off")
