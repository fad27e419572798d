"""One sentence that matters, with its tone and icon, and perhaps a link. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """A banner; tone is bad, warn, ok, acc or empty."""

    tone: str
    icon: str
    title: str
    text: str = ""
    url: str = ""
    link: str = ""
