"""Names of entities and links to them, from stored labels such as `shop.order`."""

from __future__ import annotations

from functools import cache

from django.urls import NoReverseMatch, reverse

from audit import registry
from audit.errors import UnknownEntity


def plural(label: str) -> str:
    """What people call the rows; the label itself when the app is no longer there."""
    try:
        return str(registry.entity(label).governance.label)
    except UnknownEntity:
        return label


@cache
def table(label: str) -> str:
    """The table's name for people who know the database."""
    try:
        return registry.entity(label)._meta.db_table.replace('"', "")
    except UnknownEntity:
        return ""


def record_url(label: str, key: object) -> str | None:
    """The history of one record."""
    try:
        return reverse("admin:history", kwargs={"label": label, "key": str(key)})
    except NoReverseMatch:
        return None
