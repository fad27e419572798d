"""`manage.py provisioning open|closed`: whether roles and persons may be written without an amendment. The owner's act."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection


class Command(BaseCommand):
    help = "Open: roles and persons are written directly (an identity provider keeps them). Closed: by amendments only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("state", choices=("open", "closed", "show"))

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            if options["state"] != "show":
                cursor.execute("SELECT has_table_privilege('public.approvals_house', 'UPDATE')")
                if not cursor.fetchone()[0]:
                    raise CommandError("Only the owner's login may say so: run it with CUSTODY_DB_LOGIN=owner.")
                cursor.execute("UPDATE public.approvals_house SET provisioning = %s", [options["state"] == "open"])
            cursor.execute("SELECT provisioning FROM public.approvals_house")
            row = cursor.fetchone()
        self.stdout.write("open" if row and row[0] else "closed")
