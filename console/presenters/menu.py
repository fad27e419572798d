"""The menu on the left: groups of links, one of them the present page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

# Apps whose models are about people and access, not about business data.
PEOPLE_APPS = frozenset({"auth", "access", "authtoken", "approvals"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One entry; `count` is the badge, 0 for none."""

    text: str | Promise
    url: str
    icon: str
    current: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A heading and its links."""

    title: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model page the person may open."""

    name: str
    url: str
    app: str


Menu = tuple[Group, ...]


def menu(
    *,
    path: str,
    overview: str,
    tickets: str | None,
    waiting: int,
    snapshots: str | None,
    models: Iterable[Model],
    archive: str | None = None,
    statements: str | None = None,
    holds: str | None = None,
) -> Menu:
    """Groups without links are left out, so nobody sees a heading over nothing."""
    models = list(models)
    work = [Link(text=_("Overview"), url=overview, icon="dash", current=path == overview)]
    if tickets is not None:
        current = path.startswith((tickets, tickets.replace("tickets/", "changes/")))
        work.append(Link(text=_("Tickets"), url=tickets, icon="ticket", current=current, count=waiting))
    if snapshots is not None:
        work.append(Link(text=_("Snapshots"), url=snapshots, icon="snap", current=path.startswith(snapshots)))
    groups = (
        Group(title=_("Work"), links=tuple(work)),
        Group(title=_("Evidence"), links=_evidence(path, statements, archive, holds)),
        Group(title=_("Data"), links=_links(path, [m for m in models if m.app not in PEOPLE_APPS], "table")),
        Group(title=_("People"), links=_links(path, [m for m in models if m.app in PEOPLE_APPS], "users")),
    )
    return tuple(group for group in groups if group.links)


def _evidence(path: str, statements: str | None, archive: str | None, holds: str | None) -> tuple[Link, ...]:
    links = []
    if statements is not None:
        current = path.startswith(statements)
        links.append(Link(text=_("Statements"), url=statements, icon="history", current=current))
    if archive is not None:
        links.append(Link(text=_("Archive"), url=archive, icon="shield", current=path.startswith(archive)))
    if holds is not None:
        links.append(Link(text=_("Legal holds"), url=holds, icon="lock", current=path.startswith(holds)))
    return tuple(links)


def roles(names: Iterable[str]) -> str:
    """A person's roles in words, under the name in the account menu."""
    words = {
        "operator": _("operator"),
        "approver": _("approver"),
        "auditor": _("auditor"),
        "engineer": _("engineer"),
        "administrator": _("administrator"),
    }
    return ", ".join(words.get(name, name) for name in sorted(names)) or _("no role yet")


def _links(path: str, models: list[Model], icon: str) -> tuple[Link, ...]:
    return tuple(
        Link(text=model.name, url=model.url, icon=icon, current=path.startswith(model.url)) for model in models
    )


def waiting_count(shown: Menu) -> int:
    """The badge's number, for the page that says it again."""
    return next((link.count for group in shown for link in group.links if link.icon == "ticket"), 0)
