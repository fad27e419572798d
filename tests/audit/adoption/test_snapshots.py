"""Snapshots of adopted tables: exact beside an unfinished baseline, refused where the record cannot know."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from audit.adoption import baseline
from audit.snapshots import measuring, state, ticks
from audit.snapshots.browsing import rows_at
from audit.snapshots.comparing import Comparison
from audit.snapshots.errors import BaselineOpen, BeforeRecording
from audit.snapshots.taking import take
from foundation.actor import Actor
from foundation.context import acting
from tests.audit.adoption.conftest import Adoption
from tests.audit.adoption.test_baseline import store

__all__ = ["store"]
ACTOR = Actor.service("tests", tenant_id=1)


def test_a_state_beside_an_unfinished_baseline_is_compared_and_later_looked_at(store: Adoption) -> None:
    from django.db import connection

    customer: Any = apps.get_model("store", "customer")
    with acting(ACTOR):
        shot = take("early", entities=[customer], actor=ACTOR)
        of = state.of_snapshot(shot)
        with store.owner() as owner:
            owner.execute("UPDATE store.customer SET name = 'Changed' WHERE id = 7")
            owner.execute("INSERT INTO store.customer VALUES (8000, 'Fresh')")
        comparison = Comparison(model=customer, a=of, b=state.NOW, tenant_id=1)
        found = [(d.key, d.kind, d.fields) for d in comparison.page(limit=9)]
        assert found == [((7,), "changed", ("name",)), ((8000,), "only_b", ())]
        with pytest.raises(BaselineOpen):
            rows_at(customer, of, tenant_id=1)
        with pytest.raises(BaselineOpen):
            measuring.measure(shot.tables.get())
        list(baseline.write(connection, "store"))
        assert rows_at(customer, of, tenant_id=1).count() == 500
        assert measuring.measure(shot.tables.get()).rows == 500
        assert [(d.key, d.kind, d.fields) for d in comparison.page(limit=9)] == found
        assert take("late", entities=[customer], actor=ACTOR, measured=True).tables.get().checksum == (
            measuring.measure(take("later", entities=[customer], actor=ACTOR).tables.get()).checksum
        )


def test_what_was_before_recording_is_refused(store: Adoption) -> None:
    customer: Any = apps.get_model("store", "customer")
    with acting(ACTOR):
        tick = ticks.tick()
        with store.owner() as owner:
            owner.execute("UPDATE custody.adopted_table SET recorded_from = now() + interval '1 h'")
        with pytest.raises(BeforeRecording):
            Comparison(model=customer, a=state.of_tick(tick), b=state.NOW, tenant_id=1)
