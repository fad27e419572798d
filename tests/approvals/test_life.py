"""The published life of a ticket: one table, kept by the verbs, by the database and by the documentation."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from django.db import connection

from approvals import life
from approvals.life import State

STEPS = list(itertools.product(State, State))


def test_no_way_leads_out_of_an_end() -> None:
    ends = {state for state in State if not any(step.source == state for step in life.STEPS)}
    assert ends == {State.REJECTED, State.WITHDRAWN, State.EXPIRED}


def test_every_state_is_reached_from_a_draft_and_every_open_one_can_end() -> None:
    reached = {life.DRAFT}
    for _ in State:
        reached |= {step.target for step in life.STEPS if step.source in reached}
    assert reached == {life.DRAFT, *State}
    for state in life.OPEN:
        assert life.may(state, State.WITHDRAWN)
        assert life.may(state, State.EXPIRED)


def test_nothing_is_approved_but_what_waits() -> None:
    assert life.sources(State.APPROVED) == (State.PENDING,)


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "target"), STEPS)
def test_the_database_has_the_same_table(source: State, target: State) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'ticket_may'")
        (text,) = cursor.fetchone()
    assert (f"('{source}', '{target}')" in text) == life.may(source, target)


def test_the_documentation_prints_it() -> None:
    assert life.as_table() in (Path(__file__).parents[2] / "docs" / "deciding.md").read_text()
