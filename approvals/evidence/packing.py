"""Packing: one consistent state, the same bytes for the same state, memory that does not grow with the change.

The zip lies in a temporary file until it is sent, so that a slow reader holds no transaction open.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from access.enforcement import enforce
from approvals.evidence import gathering
from approvals.models import Ticket
from changes import moving
from changes.models import Change
from changes.states import State
from foundation import context
from foundation.actor import Actor
from foundation.errors import Conflict
from foundation.postgres.transactions import consistent, durable

FORMAT = "custody-evidence/1"
# No time of its own: the same state gives the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
IN_MEMORY = 1024 * 1024
# (rows of the short files by name, digests so far) -> further files by name
Pages = Callable[[Mapping[str, list[Any]], list[dict[str, Any]]], Mapping[str, bytes]]
# A page shows so many lines of a file; the file has them all.
SHOWN = 200


class NothingToProve(Conflict):
    """Change %(change_id)s is a draft: nothing is frozen, so there is nothing to prove yet."""

    code = "nothing_to_prove"


@dataclass(slots=True)
class Pack:
    """The zip, open at its beginning; whoever takes it closes it."""

    name: str
    file: IO[bytes]
    bytes: int
    sha256: str


def pack(change_id: int, *, actor: Actor, pages: Pages | None = None) -> Pack:
    """Write the pack of a change, and the event that says so. Raises ChangeNotFound, NotAllowed, NothingToProve."""
    enforce(actor, "evidence.download", f"C-{change_id}")
    change = moving.get(change_id)
    if change.state == State.DRAFT:
        raise NothingToProve(change_id=change_id)
    target: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the taker closes it
    with consistent():
        change = moving.get(change_id)
        ticket = Ticket.objects.filter(change_id=change.pk).first()
        with connection.cursor() as cursor:
            cursor.execute(gathering.PLAIN)
        _write(target, change, ticket, pages)
    made = Pack(
        f"{f'T-{ticket.pk}' if ticket else f'C-{change.pk}'}-evidence.zip", target, target.tell(), _sha256(target)
    )
    with durable():
        _note(change, made)
    return made


def _write(target: IO[bytes], change: Change, ticket: Ticket | None, pages: Pages | None) -> None:
    listed: list[dict[str, Any]] = []
    shown: dict[str, list[Any]] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in gathering.files(change, ticket):
            shown[file.name] = []
            listed.append(_add(archive, file.name, _texts(file, shown[file.name])))
        for name, content in sorted((pages(shown, list(listed)) if pages else {}).items()):
            listed.append(_add(archive, name, [content]))
        manifest = {"format": FORMAT, "change": change.pk, "ticket": ticket.pk if ticket else None,
                    "digest": change.digest, "files": listed}  # fmt: skip
        _add(archive, "manifest.json", [_json(manifest, indent=1) + b"\n"])


def _texts(file: gathering.File, shown: list[Any]) -> Iterable[bytes]:
    """The file's bytes row by row; the first rows are kept for the pages."""
    for row in file.rows():
        if len(shown) < SHOWN:
            shown.append(row)
        yield _json(row, indent=None if file.lines else 1) + b"\n"


def _json(value: Any, indent: int | None = None) -> bytes:
    text = json.dumps(value, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False, indent=indent)
    return text.encode("utf-8", errors="replace")


def _add(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Write one file; return its line of the manifest."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as entry:
        for piece in pieces:
            entry.write(piece)
            digest.update(piece)
            size += len(piece)
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def _sha256(target: IO[bytes]) -> str:
    """Of the whole zip; leaves it at its beginning."""
    target.seek(0)
    digest = hashlib.sha256()
    while piece := target.read(IN_MEMORY):
        digest.update(piece)
    target.seek(0)
    return digest.hexdigest()


def _note(change: Change, made: Pack) -> None:
    """That somebody took it is in the record, though not among the change's own events: a second pack equals the first."""
    facts = {"change": change.pk, "bytes": made.bytes, "sha256": made.sha256}
    with context.inside(change_id=None), connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, %s, %s, %s::jsonb)",
            ["evidence.downloaded", change.entity, "changes_change", 0, json.dumps(facts)],
        )
