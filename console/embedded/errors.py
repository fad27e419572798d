"""Why a start was refused, in one sentence for the person at the terminal."""

from __future__ import annotations


class Refused(Exception):
    """The start cannot go on; the text says what is in the way and what to do about it."""
