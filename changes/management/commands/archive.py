"""The files of removed rows: list them, and compare each with its record and with what a reader finds in it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.models import Tenant
from audit import registry
from audit.archive.examining import Health, examine_and_note
from audit.models import ArchiveFile
from foundation.actor import Actor
from foundation.context import acting


class Command(BaseCommand):
    help = "List or verify the archive of removed rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=("list", "verify"))
        parser.add_argument("--entity", help="only files of this table (app.model)")
        parser.add_argument("--change", type=int, help="only files of this change")

    def handle(self, *args: Any, **options: Any) -> None:
        unsound = total = 0
        for archive in _files(options["entity"], options["change"]):
            total += 1
            line = f"{archive.pk:>6}  {archive.path}  {archive.rows} rows  {archive.bytes} bytes  {archive.sha256}"
            if options["act"] == "verify":
                found = examine_and_note(archive)
                unsound += found != Health.SOUND
                line = f"{found.value:<10}{line}"
            self.stdout.write(line)
        if unsound:
            raise CommandError(f"{unsound} of {total} files are not what the record says.")


def _files(entity: str | None, change: int | None) -> Iterator[ArchiveFile]:
    """Files of every tenant, each in the tenant's own context."""
    label = registry.entity(entity)._meta.label_lower if entity else None
    for tenant in Tenant.objects.order_by("pk").values_list("pk", flat=True):
        with acting(Actor.service("archive", tenant_id=tenant), channel="shell"):
            found = ArchiveFile.objects.order_by("pk")
            if label is not None:
                found = found.filter(entity=label)
            if change is not None:
                found = found.filter(change_id=change)
            yield from found
