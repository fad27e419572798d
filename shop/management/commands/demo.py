"""`manage.py demo`: load demo data with the owner's login."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from shop.demo import loading
from shop.demo.scales import SCALES


class Command(BaseCommand):
    help = "Load deterministic demo data of five tenants. A larger scale adds to a smaller one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", choices=sorted(SCALES), default="small")
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there are rows already")

    def handle(self, *args: Any, **options: Any) -> None:
        self._require_owner()
        if options["if_empty"] and not loading.is_empty():
            self.stdout.write("Demo data: there are rows already, nothing added.")
            return
        if loading.holds_other_rows():
            raise CommandError("The shop holds rows that are no demo data; demo data goes into an empty shop only.")
        began = time.monotonic()
        added = loading.load(SCALES[options["scale"]], say=lambda line: self.stdout.write(f"  {line}"))
        self.stdout.write(f"Demo data, scale {options['scale']}: {added:,} rows in {time.monotonic() - began:.1f} s.")

    def _require_owner(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_has_role(session_user, 'custody_owner', 'MEMBER')")
            if not cursor.fetchone()[0]:
                raise CommandError("Demo data is loaded with the owner's login: set CUSTODY_DB_LOGIN=owner.")
