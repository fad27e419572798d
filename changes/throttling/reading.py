"""One value of a signal and the limit it is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Watched:
    """What a signal may look at: the quoted names of the tables of one change."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` and `limit` in the signal's own unit."""

    signal: str
    value: float
    limit: float

    @property
    def over(self) -> bool:
        return self.value > self.limit

    @property
    def excess(self) -> float:
        """How many times the limit."""
        return self.value / self.limit if self.limit else self.value

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


# None when it is turned off or cannot be known.
Signal = Callable[[Watched], Reading | None]
