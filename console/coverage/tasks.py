"""Celery tasks. Governed is a task that does its work inside of `acting(Actor.service("name"))`, itself or in what it
calls: what it does is done by a named machine with a rule of its own in the policy, and says so in the record.
A task that may find nothing to do and ends is governed as well. Open is what says `declared_open`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from access.openness import reason_of
from console.celery import app
from console.coverage import doors
from console.coverage.exempt import TASKS
from console.coverage.findings import Finding, governed, opened, ungoverned


def findings(tasks: Mapping[str, Any] | None = None) -> Iterator[Finding]:
    """One per task of the project; Celery's own only carry others."""
    if tasks is None:
        app.loader.import_default_modules()
        tasks = app.tasks
    for name in sorted(tasks):
        if not name.startswith(TASKS):
            yield _finding(name, tasks[name])


def _finding(name: str, task: Any) -> Finding:
    if reason := reason_of(task.run):
        return opened(name, reason)
    services = doors.service(task.run)
    if services:
        return governed(name, f"acts as {', '.join(services)}")
    return ungoverned(name, "acts as nobody: work inside of acting(Actor.service(…))")
