"""The governed entities of this installation, read from the installed models."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings

from audit.entity import SoftDeleted
from audit.errors import UnknownEntity

DEFAULT_THRESHOLD = {"production": 100}
OTHER_THRESHOLD = 500
LEAST_WINDOW = 200


def entities() -> list[type[SoftDeleted]]:
    """All governed models, by label."""
    found = [model for model in apps.get_models() if issubclass(model, SoftDeleted)]
    return sorted(found, key=lambda model: model._meta.label_lower)


def entity(label: str) -> type[SoftDeleted]:
    """The governed model named `app.model`, now or formerly. Raises UnknownEntity."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        renamed = next((one for one in entities() if label in one.governance.formerly), None)
        if renamed is not None:
            return renamed
        raise UnknownEntity(field="entity", entity=str(label)[:80]) from error
    if not issubclass(model, SoftDeleted):
        raise UnknownEntity(field="entity", entity=label)
    return model


def threshold(model: type[SoftDeleted]) -> int:
    """Rows above which a bulk change of this entity needs approval, in this environment."""
    if model.governance.threshold is not None:
        return model.governance.threshold
    return DEFAULT_THRESHOLD.get(settings.CUSTODY_ENV, OTHER_THRESHOLD)


def has_history(model: type[SoftDeleted]) -> bool:
    """Whether the entity declares its history; the checks name one that does not (custody.E002)."""
    return hasattr(model._meta, "simple_history_manager_attribute")


def window_rows(model: type[SoftDeleted]) -> int:
    """Rows of this entity that one person may change within ten minutes without approval, in this environment."""
    declared = model.governance.window_rows
    return max(2 * threshold(model), LEAST_WINDOW) if declared is None else declared


def history_of(model: type[SoftDeleted]) -> type:
    """The historical model of an entity."""
    history: type = getattr(model, model._meta.simple_history_manager_attribute).model  # type: ignore[attr-defined]
    return history
