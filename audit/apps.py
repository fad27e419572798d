"""App configuration: grants follow every migrate, catalog checks run with `check --database`."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from audit import checks, manifest
        from audit.adoption.checks import adopted_tables
        from audit.snapshots import eras

        post_migrate.connect(manifest.apply_after_migrate, dispatch_uid="custody_grants")
        post_migrate.connect(eras.open_after_migrate, dispatch_uid="custody_era")
        register(checks.declarations, Tags.models)
        register(checks.catalog, Tags.database)
        register(adopted_tables, Tags.database)
