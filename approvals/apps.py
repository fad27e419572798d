from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ApprovalsConfig(AppConfig):
    name = "approvals"
    verbose_name = _("Approvals")

    def ready(self) -> None:
        from approvals.rules import house

        post_migrate.connect(house.store_after_migrate, dispatch_uid="custody_house")
        register(house.check, Tags.models)
        register(house.stored, Tags.database)
