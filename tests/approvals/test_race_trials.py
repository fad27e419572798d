"""Two at the same moment on one ticket, by the hundred: none ends badly. `make chaos KIND=races` does it by the 100,000."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from chaos.races import RACES, Race, Track
from tests.databases import RealDatabase

TRIALS = int(os.environ.get("CUSTODY_RACE_TRIALS", "500"))


def track_on(database: RealDatabase, *, naive: bool = False) -> Track:
    servers = database.servers
    return Track(servers.app_url(database.name), servers.owner_url(database.name), naive=naive)


@pytest.fixture
def track(real_db: RealDatabase) -> Iterator[Track]:
    with track_on(real_db) as made:
        yield made


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_two_at_once_never_end_badly(track: Track, race: Race) -> None:
    result = track.run(race, TRIALS)
    assert (result.trials, result.bad) == (TRIALS, []), result.ways


def test_reading_first_and_writing_then_is_red(real_db: RealDatabase) -> None:
    """Sabotage: the same races without locks and guards. Each is lost."""
    with track_on(real_db, naive=True) as track:
        lost: dict[str, Any] = {race.name: track.run(race, 10).bad for race in RACES}
    assert all(lost.values()), lost
