"""The terms of an undo in words: what it undoes, by which rules, and which part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from audit import registry
from audit.errors import UnknownEntity
from changes.errors import EventNotFound
from changes.models import Change
from changes.selection import Selection
from changes.undoing import first_of, written_by
from console.pages.labels import plural
from console.presenters.statement import Statement, statement
from console.presenters.undo import reason_word, rule_word
from foundation.errors import CustodyError


def statement_of(source: Mapping[str, Any]) -> Statement | None:
    """The statements a change undoes; None when they are not there for the reader."""
    events, transaction = list(source["events"]), bool(source["transaction"])
    try:
        first = first_of(events)
    except EventNotFound:
        return None
    return statement(events, first, written_by(events, transaction=transaction), transaction=transaction, label=plural)


def terms_of(change: Change) -> tuple[str, ...]:
    """One sentence per rule and per chosen part, as the change was asked for."""
    rules = change.options.get("conflicts", {})
    only = change.options.get("only", {})
    sentences = [_rows(label, chosen) for label, chosen in only.get("rows", {}).items()]
    sentences += [_fields(label, names) for label, names in only.get("fields", {}).items()]
    sentence = _("Conflict “%(reason)s”: %(rule)s.")
    sentences += [sentence % {"reason": reason_word(name), "rule": rule_word(rule)} for name, rule in rules.items()]
    return tuple(sentences)


def _rows(label: str, chosen: dict[str, Any]) -> str:
    try:
        text = Selection.parse(chosen, registry.entity(label)).describe()
    except CustodyError:
        text = plural(label)
    return _("Only a part: %(rows)s.") % {"rows": text}


def _fields(label: str, names: list[str]) -> str:
    facts = {"entity": plural(label), "fields": ", ".join(_name(label, name) for name in names)}
    return _("Only these fields of %(entity)s: %(fields)s.") % facts


def _name(label: str, name: str) -> str:
    """A field as people call it, by its own name when it is no longer there."""
    try:
        fields = {field.name: field for field in registry.entity(label)._meta.get_fields()}
    except UnknownEntity:
        return name
    if name == "is_deleted":
        return _("whether it is deleted")
    return str(getattr(fields.get(name), "verbose_name", name))
