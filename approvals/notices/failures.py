"""Why an attempt to deliver has failed, as a short code. What the other side answered is not kept: it may hold secrets."""

from __future__ import annotations


class Failed(Exception):
    """One attempt went wrong. `final`: another one would go the same way."""

    def __init__(self, code: str, *, final: bool = False) -> None:
        super().__init__(code)
        self.code, self.final = code[:40], final


class Unwanted(Exception):
    """Nobody waits for this delivery any more."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:40]
