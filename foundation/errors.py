"""Families of errors. A concrete error's docstring is the user's sentence, its facts are keywords.

Only the console knows status codes. `code` is stable and part of the API; the sentence is translated.
"""

from __future__ import annotations

import inspect
from typing import Any

from django.utils.translation import gettext


class CustodyError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.code, facts)

    @property
    def sentence(self) -> str:
        """The untranslated sentence: first paragraph of the docstring, the key in the catalogues."""
        paragraph = inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0]
        return " ".join(paragraph.split())

    def __str__(self) -> str:
        return gettext(self.sentence) % _Facts(self.facts)


class _Facts(dict[str, Any]):
    """A missing fact shows as its name instead of hiding the error behind a KeyError."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class Denied(CustodyError):
    """You may not do this."""

    code = "denied"


class Invalid(CustodyError):
    """The input cannot be used. The fact `field` names the place."""

    code = "invalid"


class Conflict(CustodyError):
    """The state has moved on meanwhile."""

    code = "conflict"


class NotFound(CustodyError):
    """There is nothing here by that name."""

    code = "not_found"


class Unavailable(CustodyError):
    """A part of the system does not answer now; try again."""

    code = "unavailable"
