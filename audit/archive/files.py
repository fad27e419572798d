"""Where archive files lie, and how one comes to be: under a temporary name, on disk, then renamed. Never a half file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from django.conf import settings

from audit.errors import ArchivePathOutside

TEMPORARY = ".tmp"
BLOCK = 1024 * 1024


def relative_path(*, tenant: int, entity: str, change: int, part: int, number: int) -> str:
    """tenant/entity/change/part-N.parquet; the second file of a part is part-N-1.parquet and so on."""
    more = f"-{number}" if number else ""
    return str(PurePosixPath(str(tenant), entity, str(change), f"part-{part}{more}.parquet"))


def place(path: str) -> Path:
    """The file of a stored path. Raises ArchivePathOutside for one that leaves the archive."""
    root = place_of_all()
    found = (root / path).resolve()
    if not found.is_relative_to(root) or found == root:
        raise ArchivePathOutside(path=path)
    return found


def begin(path: str) -> Path:
    """A temporary name beside the final one. What a writer that died left there goes away first.

    A writer that only slept finds its file gone when it wakes, and cannot put it in place.
    """
    final = place(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    for left in final.parent.glob(f".{final.name}.*{TEMPORARY}"):
        left.unlink(missing_ok=True)
    return final.parent / f".{final.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY}"


def settle(temporary: Path) -> None:
    """The file's bytes are on disk when this returns."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())


def put(temporary: Path, path: str) -> Path:
    """Give the file its name, at once and for good; raises FileNotFoundError when somebody else has taken it away."""
    final = place(path)
    os.replace(temporary, final)
    for directory in (final.parent, *final.parent.parents):
        _sync(directory)
        if directory == place_of_all():
            break
    return final


def place_of_all() -> Path:
    """The directory of the archive."""
    return Path(settings.CUSTODY_ARCHIVE_DIR).resolve()


def _sync(directory: Path) -> None:
    """A name that was just given, or a directory just made, survives a power cut only after this."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
