"""The effects: one small file each, one line here."""

from __future__ import annotations

from changes.effects import add, archive, assign, clear, create, link, load, remove, revert
from changes.effects.base import EffectKind
from changes.states import Effect

EFFECTS: dict[str, EffectKind] = {
    Effect.DELETE: archive.KIND,
    Effect.SET: assign.KIND,
    Effect.CLEAR: clear.KIND,
    Effect.REVERT: revert.KIND,
    Effect.RECALL: revert.KIND,
    Effect.ADD: add.KIND,
    Effect.LINK: link.KIND,
    Effect.REMOVE: remove.KIND,
    Effect.LOAD: load.KIND,
    Effect.CREATE: create.KIND,
}
