"""Sentences for what the checks find out about people, tables and load. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.words import number, span

Facts = Mapping[str, Any]
Label = Callable[[str], str]
Said = tuple[str, Iterable[str]]


def _failed(facts: Facts, label: Label) -> Said:
    return _("This check failed, so it counts as a block."), [f"{facts.get('kind', '')}: {facts.get('error', '')}"]


def _too_slow(facts: Facts, label: Label) -> Said:
    text = _("This check took %(seconds)s seconds, more than the %(limit)s it may, so it counts as a block.")
    return text % {"seconds": facts.get("seconds"), "limit": facts.get("limit")}, ()


def _requester_gone(facts: Facts, label: Label) -> Said:
    return _("The login of %(name)s is no longer there.") % {"name": facts.get("name", "")}, ()


def _not_permitted(facts: Facts, label: Label) -> Said:
    text = _("%(name)s may no longer ask for this.") % {"name": facts.get("name", "")}
    return text, [_roles(facts), ", ".join(facts.get("missing", ()))]


def _permitted(facts: Facts, label: Label) -> Said:
    return _("%(name)s may ask for this.") % {"name": facts.get("name", "")}, [_roles(facts)]


def _roles(facts: Facts) -> str:
    return _("Roles: %(roles)s") % {"roles": ", ".join(facts.get("roles", ())) or "-"}


def _too_large(facts: Facts, label: Label) -> Said:
    text = _("%(rows)s rows is more than the %(limit)s that one change may touch.")
    lines = [_("%(table)s does not declare that so many may be changed at once.") % {"table": label(one)}
             for one in facts.get("entities", ())]  # fmt: skip
    if facts.get("estimate"):
        lines.append(_("The tables hold about %(rows)s rows.") % {"rows": number(facts["estimate"])})
    return text % {"rows": number(facts.get("rows", 0)), "limit": number(facts.get("limit", 0))}, lines


def _no_primary_key(facts: Facts, label: Label) -> Said:
    tables = ", ".join(map(label, facts.get("entities", ())))
    return _("Without a valid primary key: %(tables)s.") % {"tables": tables}, ()


def _primary_key(facts: Facts, label: Label) -> Said:
    return _("Every table has its primary key."), ()


def _unindexed(facts: Facts, label: Label) -> Said:
    keys = facts.get("keys", [])
    text = ngettext(
        "%(count)s foreign key that points here has no index, so looking for dependants reads its whole table.",
        "%(count)s foreign keys that point here have no index, so looking for dependants reads their whole tables.",
        len(keys),
    )
    line = _("%(name)s of %(table)s, about %(rows)s rows")
    return text % {"count": number(len(keys))}, [
        line % {"name": one["name"], "table": one["table"], "rows": number(one["rows"])} for one in keys
    ]


def _indexed(facts: Facts, label: Label) -> Said:
    count = facts.get("all", 0)
    text = ngettext(
        "%(count)s foreign key points here, and it has an index.",
        "%(count)s foreign keys point here, and each has an index.",
        count,
    )
    return text % {"count": number(count)}, ()


def _views(facts: Facts, label: Label) -> Said:
    views = facts.get("views", [])
    text = ngettext(
        "%(count)s materialized view reads these tables and shows the old rows until it is refreshed.",
        "%(count)s materialized views read these tables and show the old rows until they are refreshed.",
        len(views),
    )
    return text % {"count": number(len(views))}, [_view(view) for view in views]


def _view(view: Mapping[str, Any]) -> str:
    if not view["filled"]:
        return _("%(view)s holds nothing yet") % {"view": view["view"]}
    how = (
        _("can be refreshed while it is read") if view["concurrently"] else _("locks its readers while it is refreshed")
    )
    seen = view["analyzed"][:16] or _("never")
    line = _("%(view)s, about %(rows)s rows, reads %(reads)s; %(how)s; its statistics are of: %(seen)s")
    return line % {
        "view": view["view"], "rows": number(view["rows"]), "reads": view["reads"], "how": how, "seen": seen,
    }  # fmt: skip


def _no_views(facts: Facts, label: Label) -> Said:
    return _("No materialized view reads these tables."), ()


def _locks(facts: Facts, label: Label) -> Said:
    line = _("%(table)s: %(mode)s since %(seconds)s seconds, by %(login)s (%(program)s, process %(pid)s, %(state)s)")
    lines = [line % {**one, "seconds": number(int(one["seconds"]))} for one in facts.get("holders", ())]
    if facts.get("waited"):
        lines.append(_("Others have been waiting for a lock for %(seconds)s seconds.") % {"seconds": facts["waited"]})
    text = _("A transaction has been open on these tables for more than %(limit)s seconds and holds locks.")
    return text % {"limit": facts.get("limit")}, [*lines, *_later(facts)]


def _no_locks(facts: Facts, label: Label) -> Said:
    return _("Nobody holds a lock on these tables for long."), ()


def _replicas(facts: Facts, label: Label) -> Said:
    text = _("The slowest replica is %(seconds)s seconds behind; %(limit)s are fine.")
    return text % {"seconds": facts.get("seconds"), "limit": facts.get("limit")}, _later(facts)


def _later(facts: Facts) -> list[str]:
    """A block that is none yet."""
    return [_("It may be over by then: only at the start it blocks.")] if facts.get("later") else []


def _held(facts: Facts, label: Label) -> Said:
    rows = facts.get("rows", 0)
    text = ngettext("%(rows)s row is under a legal hold.", "%(rows)s rows are under a legal hold.", rows)
    line = _("%(entity)s: %(rows)s, the first keys are %(sample)s")
    lines = [
        line % {"entity": label(one["entity"]), "rows": number(one["rows"]), "sample": ", ".join(one["sample"])}
        for one in facts.get("tables", ())
    ]
    matter = _("Hold H-%(id)s “%(name)s”, matter %(matter)s")
    return text % {"rows": number(rows)}, [*lines, *(matter % one for one in facts.get("holds", ()))]


def _not_held(facts: Facts, label: Label) -> Said:
    return _("No legal hold stands on these rows."), ()


def _estimate(facts: Facts, label: Label) -> Said:
    text = _("About %(time)s and %(megabytes)s MB of log, measured on %(sampled)s rows and taken back.")
    lines = [_("Without waiting for others; log of other programs in that moment is in it.")]
    if facts.get("left"):
        lines.append(_("%(rows)s rows could not be measured.") % {"rows": number(facts["left"])})
    megabytes = facts.get("wal_bytes", 0) / 1_048_576
    said = {
        "time": span(timedelta(seconds=max(1, facts.get("seconds", 0)))),
        "megabytes": number(round(megabytes)) if megabytes >= 10 else f"{megabytes:.1f}",
        "sampled": number(facts.get("sampled", 0)),
    }
    return text % said, lines


def _not_measured(facts: Facts, label: Label) -> Said:
    return _("How long it takes could not be measured beforehand."), ()


def _undo_free(facts: Facts, label: Label) -> Said:
    return _("Nothing is known that would stand in the way of an undo."), ()


def _undo_risks(facts: Facts, label: Label) -> Said:
    said = {
        "unique": _("%(table)s: another row may take the value of %(columns)s; that row then keeps it"),
        "removed": _("%(table)s: removed rows come back from the history, unless their key is in use again"),
        "parents": _("%(table)s: a row comes back only if what %(columns)s points to is there"),
        "unrecorded": _("%(table)s: the history does not record %(columns)s, so its old value is lost"),
    }
    lines = [
        said[one["kind"]] % {"table": label(one["entity"]), "columns": ", ".join(one["columns"])}
        for one in facts.get("risks", ())
    ]
    return _("It can be undone; this may stand in the way of some rows later."), lines


SENTENCES: dict[str, Callable[[Facts, Label], Said]] = {
    "failed": _failed,
    "too_slow": _too_slow,
    "requester_gone": _requester_gone,
    "not_permitted": _not_permitted,
    "permitted": _permitted,
    "too_large": _too_large,
    "no_primary_key": _no_primary_key,
    "primary_key": _primary_key,
    "foreign_keys_unindexed": _unindexed,
    "foreign_keys": _indexed,
    "materialized_views": _views,
    "no_materialized_views": _no_views,
    "locks": _locks,
    "no_locks": _no_locks,
    "replicas": _replicas,
    "held": _held,
    "not_held": _not_held,
    "estimate": _estimate,
    "not_measured": _not_measured,
    "undo_is_free": _undo_free,
    "undo_risks": _undo_risks,
}
