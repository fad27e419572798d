"""The ticket's graph, walked whole: what must hold holds in every state, and the model is the product's own graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import psycopg
import pytest
from django.db import connection

from approvals import life
from approvals.models import Ticket
from changes.states import ALLOWED
from changes.states import State as ChangeState
from tests.approvals.model.graph import CHANGE, ENDS, NEW_ROUND, TICKET, Guards, Walk, World, walk

# What comes before a ticket.
BEFORE = {"draft", "frozen"}


def good_people(world: World) -> set[int]:
    return {v.person for v in world.votes if v.approves and v.fresh and v.round == world.round and v.person != 0}


RULES: dict[str, Callable[[World, World, str], bool]] = {
    "nothing begins before enough distinct others agreed in this round": lambda w, a, n: (
        a.begun == w.begun or len(good_people(w)) >= w.need
    ),
    "nothing is carried out that was not started": lambda w, a, n: not any(a.chunks) or a.begun > 0,
    "who may not decide any more lets nothing begin": lambda w, a, n: a.entitled_at_start,
    "the end of a ticket is its end": lambda w, a, n: w.ticket not in ENDS or a.ticket == w.ticket,
    "the end of a change is its end": lambda w, a, n: bool(CHANGE[w.change]) or a.change == w.change,
    "only published steps of the ticket": lambda w, a, n: a.ticket in TICKET[w.ticket] | {w.ticket},
    "only published steps of the change": lambda w, a, n: a.change in CHANGE[w.change] | {w.change},
    "a new round begins by a step that says so": lambda w, a, n: (
        (a.round != w.round) == ((w.ticket, a.ticket) in NEW_ROUND)
    ),
    "lowering a rule never helps an open ticket": lambda w, a, n: (
        w.ticket == a.ticket or a.ticket != "approved" or len(good_people(a)) >= a.need
    ),
    "nobody decides late": lambda w, a, n: not w.late or len(a.votes) == len(w.votes),
    "it starts once": lambda w, a, n: a.begun <= 1,
    "each chunk is carried out once": lambda w, a, n: max(a.chunks) <= 1,
    "the requester has no vote": lambda w, a, n: all(v.person != 0 for v in a.votes),
    "a vote is for what the ticket holds": lambda w, a, n: all(v.fresh for v in a.votes),
    "one vote of a person and round": lambda w, a, n: len({(v.person, v.round) for v in a.votes}) == len(a.votes),
}
SABOTAGES = [one.name for one in fields(Guards)]


@pytest.fixture(scope="module")
def whole() -> Walk:
    return walk(Guards(), RULES)


def test_what_must_hold_holds_in_every_state(whole: Walk, record_property: Any) -> None:
    facts = f"{whole.states} states, {whole.edges} steps, {len(RULES)} rules, {len(SABOTAGES)} guards"
    print("model of a ticket:", facts)  # noqa: T201
    record_property("states", whole.states)
    assert whole.states > 10_000
    assert whole.broken == {}


def test_every_published_step_is_taken_somewhere(whole: Walk) -> None:
    """A model that never gets there proves nothing about it."""
    assert {(a, b) for a, b in whole.ticket_edges if a != b} == {(a, b) for a, to in TICKET.items() for b in to}
    assert {(a, b) for a, b in whole.change_edges if a != b} == {(a, b) for a, to in CHANGE.items() for b in to}


@pytest.mark.parametrize("guard", SABOTAGES)
def test_without_a_guard_a_rule_is_broken(guard: str) -> None:
    assert walk(replace(Guards(), **{guard: False}), RULES, stop=True).broken


def test_the_changes_of_the_model_and_of_the_product_are_the_same() -> None:
    product = {
        state.value: {to.value for to in steps} - BEFORE
        for state, steps in ALLOWED.items()
        if state.value not in BEFORE
    }
    assert product == {state: set(to) for state, to in CHANGE.items()}


@pytest.mark.django_db
def test_the_changes_of_the_model_and_of_the_database_are_the_same() -> None:
    """The table as the trigger itself has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = 'change_step' AND pronamespace = 'custody'::regnamespace"
        )
        source = cursor.fetchone()[0]
    rows = re.findall(r"WHEN '(\w+)' THEN NEW\.state (?:IN \(([^)]*)\)|= ('\w+'))", source)
    database = {state: set(re.findall(r"\w+", many or one)) - BEFORE for state, many, one in rows}
    assert {state: to for state, to in database.items() if state not in BEFORE} == {
        state: set(to) for state, to in CHANGE.items() if to
    }


def test_the_tickets_of_the_model_and_of_the_product_have_the_same_states() -> None:
    assert set(Ticket.State.values) == set(TICKET)
    assert {state.value for state in ChangeState} - BEFORE == set(CHANGE)


def test_the_steps_of_the_model_and_of_the_product_are_the_same() -> None:
    steps = {(str(step.source), str(step.target)): step.new_round for step in life.STEPS if step.source != life.DRAFT}
    assert set(steps) == {(source, target) for source, targets in TICKET.items() for target in targets}
    assert {pair for pair, new_round in steps.items() if new_round} == NEW_ROUND


@pytest.mark.django_db
@pytest.mark.parametrize("source", list(TICKET))
def test_the_steps_of_the_model_and_of_the_database_are_the_same(owner: psycopg.Connection, source: str) -> None:
    """`tests/approvals/test_life.py` tries each pair on a ticket; here the table itself is asked."""
    for target in TICKET:
        row = owner.execute("SELECT custody.ticket_may(%s, %s)", [source, target]).fetchone()
        assert row == (target in TICKET[source],), (source, target)
