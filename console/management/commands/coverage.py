"""`manage.py coverage`: what is governed, what is open on purpose, what is forgotten. Needs no database.

`--fail` compares with the frozen baseline and is what CI calls; `--freeze` writes it and keeps the reasons in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from console.coverage import baseline, report
from console.coverage.errors import BadBaseline

BASELINE = Path(settings.BASE_DIR) / "governance-baseline.json"


class Command(BaseCommand):
    """Prints a table per kind, or JSON."""

    help = "Models, views, admin actions, tasks and API routes: governed, open on purpose, or not governed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="everything, for programs")
        parser.add_argument("--all", action="store_true", help="list what is governed, too")
        parser.add_argument("--fail", action="store_true", help="exit 1 unless the baseline says the same")
        parser.add_argument("--freeze", action="store_true", help="write the baseline; reasons in it are kept")
        parser.add_argument("--baseline", type=Path, default=BASELINE, help=f"default: {BASELINE.name}")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["baseline"]
        whole = report.report()
        try:
            known = baseline.read(path)
        except BadBaseline as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(whole), indent=2, ensure_ascii=False))
        else:
            listed = report.summary(whole) if options["fail"] else report.lines(whole, everything=options["all"])
            self.stdout.write("\n".join(listed))
        if options["freeze"]:
            known = baseline.freeze(whole, known)
            baseline.write(path, known)
            self.stderr.write(f"{path.name}: {sum(map(len, known.values()))} not governed. Give each its reason.")
        if options["fail"] and (faults := list(baseline.faults(whole, known))):
            raise CommandError("\n".join(faults))
