from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from access import step_up_rules

        post_migrate.connect(step_up_rules.store, dispatch_uid="custody_step_up")
        register(step_up_rules.settings_make_sense, Tags.security)
        register(step_up_rules.rules_in_step, Tags.database)
