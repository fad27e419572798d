"""`manage.py catalogue`: bring the Chinese catalogue in step with the code, or say what is missing (`--check`).

Django's makemessages finds what stands in gettext calls and templates. The sentences of errors are docstrings,
so they are added here. Compiles the catalogue afterwards.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import polib
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser, call_command

from foundation.errors import CustodyError

LANGUAGE = "zh_Hans"
CATALOGUE = Path(settings.BASE_DIR) / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"
IGNORED = (
    "var/*",
    "tests/*",
    ".venv/*",
    "venv/*",
    "build/*",
    "node_modules/*",
    "bench/*",
    "chaos/*",
    "scripts/*",
    "docs/*",
)
ERROR_PLACE = "errors"


def error_sentences() -> set[str]:
    """The sentences of all errors of the house."""
    for config in apps.get_app_configs():
        if Path(config.path).parent == Path(settings.BASE_DIR):
            _import_whole(config)
    return {kind().sentence for kind in _kinds(CustodyError)} - {""}


def _import_whole(config: AppConfig) -> None:
    """Errors stand beside the code that raises them, in any module: an answer must not hang on what was imported."""
    skipped = ("__main__", "management", "migrations", "settings", "wsgi", "asgi")
    for module in walk_packages([config.path], f"{config.name}."):
        if not any(part in skipped for part in module.name.split(".")):
            import_module(module.name)


def _kinds(base: type[CustodyError]) -> set[type[CustodyError]]:
    found = {base}
    for kind in base.__subclasses__():
        found |= _kinds(kind)
    return {kind for kind in found if kind.__module__.split(".")[0] != "tests"}


class Command(BaseCommand):
    """Writes the catalogue, or with --check only reads it."""

    help = "Bring the Chinese catalogue in step with the code (--check: only say what is missing)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            before = _translations()
            call_command(
                "makemessages",
                locale=[LANGUAGE],
                ignore_patterns=list(IGNORED),
                no_location=True,
                no_wrap=True,
                no_obsolete=True,
                verbosity=0,
            )
            _add_errors(before)
            call_command("compilemessages", locale=[LANGUAGE], verbosity=0)
        missing = gaps()
        if missing:
            raise CommandError("Not translated:\n" + "\n".join(missing))
        self.stdout.write(f"{CATALOGUE.name}: complete.")


def _translations() -> dict[str, str]:
    """What is translated now: makemessages drops what it does not find itself."""
    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(CATALOGUE))} if CATALOGUE.exists() else {}


def _add_errors(before: dict[str, str]) -> None:
    catalogue = polib.pofile(str(CATALOGUE), wrapwidth=10_000)
    catalogue.header, catalogue.metadata_is_fuzzy = "Simplified Chinese of Custody. Renew with: manage.py catalogue", 0
    catalogue.metadata.pop("POT-Creation-Date", None)  # would change with every run
    known = {entry.msgid for entry in catalogue}
    for sentence in sorted(error_sentences() - known):
        catalogue.append(
            polib.POEntry(
                msgid=sentence,
                msgstr=before.get(sentence, ""),
                comment=ERROR_PLACE,
                flags=["python-format"] if "%(" in sentence else [],
            )
        )
    catalogue.save()


def gaps() -> list[str]:
    """Entries without a translation or with a doubtful one, and error sentences the catalogue does not know."""
    catalogue = polib.pofile(str(CATALOGUE))
    found = [entry.msgid for entry in catalogue if not entry.obsolete and (entry.fuzzy or not entry.translated())]
    return sorted(found + list(error_sentences() - {entry.msgid for entry in catalogue}))
