"""manage.py era: begin a new era if the data came from another cluster, and list them all."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.snapshots import eras
from foundation.errors import CustodyError


class Command(BaseCommand):
    help = "Begins a new era after a dump was restored into another cluster (migrate does it too). Lists the eras."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            eras.open_era()
        except CustodyError as error:
            raise CommandError(str(error)) from error
        for era in eras.eras():
            how = "" if era.is_exact else ", boundary assumed: not loaded by COPY"
            self.stdout.write(
                f"era {era.number}: cluster {era.system_identifier}, from event {era.first_event_id}, "
                f"since {era.began_at:%Y-%m-%d %H:%M:%S} UTC{how}"
            )
