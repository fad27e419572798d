"""Puts Custody's admin site in the place of Django's (`console.site.CustodyAdminConfig` in INSTALLED_APPS)."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class CustodyAdminConfig(AdminConfig):
    """`django.contrib.admin`, with the site of `console.admin.site`."""

    default_site = "console.admin.site.CustodyAdminSite"

    def ready(self) -> None:
        super().ready()
        from console.admin import register_all  # its models are not loaded when this module is

        register_all()
