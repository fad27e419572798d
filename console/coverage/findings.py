"""One thing that was looked at, and how it stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Standing(StrEnum):
    """How a model, view, action, task or route stands."""

    GOVERNED = "governed"
    OPEN = "declared open"
    UNGOVERNED = "NOT governed"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`name` is unique within its kind; `why` is what governs it, the declared reason, or what is missing."""

    name: str
    standing: Standing
    why: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def governed(name: str, why: str) -> Finding:
    return Finding(name, Standing.GOVERNED, why)


def opened(name: str, why: str) -> Finding:
    return Finding(name, Standing.OPEN, why)


def ungoverned(name: str, why: str) -> Finding:
    return Finding(name, Standing.UNGOVERNED, why)
