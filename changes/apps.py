"""App configuration: the functions that know changes are checked with `check --database`."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class ChangesConfig(AppConfig):
    name = "changes"
    verbose_name = _("Changes")

    def ready(self) -> None:
        from changes import checks

        register(checks.coverage, Tags.database)
