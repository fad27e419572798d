"""Apps that are installed for a while: models of tests and of adopted schemas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib import admin
from django.test import override_settings


@contextmanager
def installed(*names: str) -> Iterator[None]:
    """The apps are part of this process; the pages their models get in the admin leave with them."""
    pages = dict(admin.site._registry)
    try:
        with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *names]):
            yield
    finally:
        admin.site._registry.clear()
        admin.site._registry.update(pages)
