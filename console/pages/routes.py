"""Addresses of Custody's own pages, below /admin/. All of them need a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.pages.gallery import gallery

Route = tuple[str, Callable[..., Any], str]


def routes(*, debug: bool) -> list[Route]:
    """(path, view, name); the components page exists in DEBUG only."""
    pages: list[Route] = [("tickets/", gallery, "tickets"), ("search/", gallery, "search")]
    if debug:
        pages.append(("ui/", gallery, "ui"))
    return pages
