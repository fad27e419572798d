"""What can be wrong with the baseline."""

from __future__ import annotations

from foundation.errors import Invalid


class BadBaseline(Invalid):
    """%(file)s cannot be read: %(fault)s."""

    code = "bad_baseline"
