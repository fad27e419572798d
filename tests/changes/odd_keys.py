"""Tables of the models whose keys are no integers, made for one test by the owner."""

from __future__ import annotations

from types import SimpleNamespace

from django.apps import apps
from django.db import connection, connections

from audit import manifest, registry
from tests.databases import RealDatabase


def with_tables(real_db: RealDatabase) -> SimpleNamespace:
    models = [apps.get_model("testapp", name) for name in ("code", "label", "line")]
    here = connections.settings["default"]
    login = {key: here[key] for key in ("USER", "PASSWORD")}
    connections.close_all()
    here.update(USER="custody_owner", PASSWORD=real_db.servers.owner_password)
    with connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)
            editor.create_model(registry.history_of(model))
    manifest.apply_after_migrate(apps.get_app_config("audit"), "default")
    connections.close_all()
    here.update(login)
    return SimpleNamespace(**{model.__name__: model for model in models})
