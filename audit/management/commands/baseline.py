"""manage.py baseline: write the history of rows that were there before adoption; go on where it stopped."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from audit.adoption import baseline, verification
from foundation.errors import CustodyError


class Command(BaseCommand):
    help = "Writes the baseline history of an adopted app, in batches, beside running programs. Resumable."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app", help="the adopted app")
        parser.add_argument("--batch", type=int, default=baseline.BATCH_ROWS, help="rows per transaction")
        parser.add_argument("--verify", action="store_true", help="compare history with the tables afterwards")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._write(options["app"], options["batch"])
            if options["verify"]:
                self._verify(options["app"])
        except CustodyError as error:
            raise CommandError(str(error)) from error

    def _write(self, app: str, batch: int) -> None:
        shown = time.monotonic()
        for progress in baseline.write(connection, app, batch_rows=batch):
            if progress.done:
                rate = f", {progress.rows / progress.seconds:,.0f} rows/s" if progress.seconds > 0.5 else ""
                self.stdout.write(f"{progress.table}: {progress.rows:,} rows{rate}")
            elif time.monotonic() - shown > 2:
                shown = time.monotonic()
                self.stdout.write(f"{progress.table}: {progress.rows:,} rows so far")

    def _verify(self, app: str) -> None:
        faults = 0
        for finding in verification.verify(connection, app):
            faults += finding.count
            if finding.count:
                self.stdout.write(f"{finding.table}: {finding.count:,} {finding.what}")
        if faults:
            raise CommandError("History and tables differ.")
        self.stdout.write("History and tables agree.")
