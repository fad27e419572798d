"""Where adopted apps live, and the steps that need a process of their own because the app is new to this one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings

from foundation.errors import Conflict, Invalid


class BadAppName(Invalid):
    """“%(app)s” cannot be the name of an app: use a lower-case Python name that nothing else has."""

    code = "bad_app_name"


class AppExists(Conflict):
    """There is something at %(path)s already. Choose another --app, or remove it after `migrate %(app)s zero`."""

    code = "app_exists"


class StepFailed(Conflict):
    """`%(step)s` failed; its last words: %(words)s"""

    code = "step_failed"


@dataclass(frozen=True, slots=True)
class Place:
    """The directory of one adopted app."""

    app: str
    parent: Path

    @property
    def directory(self) -> Path:
        return self.parent / self.app

    @property
    def is_default(self) -> bool:
        """Whether the console finds the app there by itself."""
        return self.parent.resolve() == Path(settings.CUSTODY_APPS_PATH).resolve()


def place_for(app: str, into: str | None) -> Place:
    """The place of a new app. Raises BadAppName, AppExists."""
    place = Place(app, Path(into) if into else Path(settings.CUSTODY_APPS_PATH))
    if not app.isidentifier() or app != app.lower() or app.startswith("_"):
        raise BadAppName(field="app", app=app)
    if place.directory.exists():
        raise AppExists(app=app, path=place.directory)
    if app in apps.app_configs or importlib.util.find_spec(app) is not None:
        raise BadAppName(field="app", app=app)
    return place


def register(place: Place) -> None:
    """List the app in INSTALLED, which the settings read."""
    listed = place.parent / "INSTALLED"
    names = listed.read_text().split() if listed.is_file() else []
    if place.app not in names:
        listed.write_text("".join(f"{name}\n" for name in [*names, place.app]))


def discard(place: Place) -> None:
    """Remove a half-written app."""
    shutil.rmtree(place.directory, ignore_errors=True)


def run(place: Place, *arguments: str, quiet: bool = False) -> None:
    """Run a management command in a new process that has the app installed. Raises StepFailed."""
    names = [*os.environ.get("CUSTODY_APPS", "").split(","), place.app]
    paths = [str(place.parent), str(settings.BASE_DIR), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "console.settings"),
        "CUSTODY_APPS": ",".join(name for name in names if name),
        "CUSTODY_DB_LOGIN": "owner",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    finished = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode:
        words = (finished.stderr or "").strip().splitlines()[-1:] or [f"exit code {finished.returncode}"]
        raise StepFailed(step=" ".join(arguments), words=words[0])
