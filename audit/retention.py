"""How long a deleted row stays before it may be removed for good: one registry of policies, kept by the database.

A policy says it in its own name (`gdpr_30d`, `tax_10y`), or the setting CUSTODY_RETENTION says it for one that does not
(`standard`). Any other policy has no end: its rows are never removed. `custody.retention(policy)` is what asks; the
settings reach it after every migrate.
Pure: the settings read themselves with it.
"""

from __future__ import annotations

import re

TOLD_BY_NAME = re.compile(r"(^|_)[0-9]{1,4}[dy]$")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}$")
SPAN = re.compile(r"([0-9]{1,4})([dy])$")
UNITS = {"d": "days", "y": "years"}


def read(text: str) -> dict[str, str]:
    """`standard=365d, other=2y` as policy -> interval of PostgreSQL. Raises ValueError with the way out."""
    found: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, _, span = (part.strip() for part in entry.partition("="))
        said = SPAN.match(span)
        if not NAME.match(name) or said is None:
            raise ValueError(f"{entry!r} is no policy=span; write for example standard=365d or ledger=10y")
        if TOLD_BY_NAME.search(name):
            raise ValueError(f"{name!r} says by its own name how long; give it another name to keep it otherwise")
        found[name] = f"{int(said[1])} {UNITS[said[2]]}"
    return found
