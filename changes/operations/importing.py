"""Import: the lines of an uploaded CSV file change rows or become new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from audit.entity import SoftDeleted
from changes import staging
from changes.errors import BadOption, ImportNotFound
from changes.import_freezing import ImportFreezer
from changes.models import Change
from changes.operations.base import OperationKind, only_known
from changes.plan import Plan
from changes.selection import Selection
from changes.states import Operation


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the lines that are staged under the change's own number."""
    return ImportFreezer(change).freeze_import()


def read_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"import": number of the upload, "leave_out": whether its wrong lines are left out}. Raises ImportNotFound."""
    only_known(asked, ("import", "leave_out"))
    upload = staging.get(asked.get("import"))
    if upload.entity != entity._meta.label_lower:
        raise ImportNotFound(field="options.import", value=upload.pk)
    leave_out = asked.get("leave_out", False)
    if not isinstance(leave_out, bool):
        raise BadOption(field="options.leave_out", value=str(leave_out)[:40], known="true, false")
    return {"import": upload.pk, "leave_out": leave_out, "file": upload.options["file"]}


def in_words(change: Change) -> tuple[str, ...]:
    """The file, its columns, and what becomes of wrong lines."""
    file = change.options.get("file", {})
    words = [_("columns of the file: %s") % ", ".join(file.get("columns", ()))]
    if file.get("match"):
        words.append(_("rows are found by %s") % ", ".join(file["match"]))
    else:
        words.append(_("every line is a new row"))
    if change.options.get("leave_out"):
        words.append(_("wrong lines are left out"))
    return tuple(words)


KIND = OperationKind(
    name=Operation.IMPORT,
    label=Operation.IMPORT.label,
    freeze=freeze,
    needs_selection=False,
    read_options=read_options,
    in_words=in_words,
)
