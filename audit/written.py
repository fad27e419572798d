"""SQL as an earlier version of it was written, for the way back of a migration that replaces a function."""

from __future__ import annotations

from pathlib import Path

END = "END $f$;"


def function_as_written(file: Path, name: str) -> str:
    """`CREATE OR REPLACE FUNCTION custody.name…` with the body that the file gives it."""
    text = file.read_text()
    start = text.index(f"FUNCTION custody.{name}(")
    return f"CREATE OR REPLACE {text[start : text.index(END, start)]}{END}"
