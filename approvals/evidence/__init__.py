"""The evidence pack: everything the record holds about one change, as one zip that can be checked without the console."""

from __future__ import annotations

from approvals.evidence.packing import Pack, pack

__all__ = ["Pack", "pack"]
