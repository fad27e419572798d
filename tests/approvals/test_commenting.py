"""Comments stay: edited for five minutes with every wording kept, by their writer alone; mentions and comments start a watch."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from access.errors import NotAllowed
from approvals import commenting, watching
from approvals.errors import CommentNotFound, CommentNotYours, CommentStays, NotAPerson, NothingSaid, TicketNotFound
from approvals.models import Comment, Ticket
from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting
from tests.databases import RealDatabase
from tests.journey import ask, keys_of
from tests.personas import orders, user_of


@pytest.fixture
def ticket(operator: Actor) -> Ticket:
    with acting(operator):
        made = ask(operator, "shop.order", keys_of(orders(12))).ticket
    assert made is not None
    return made


def say(ticket: Ticket, actor: Actor, text: str) -> Comment:
    with acting(actor):
        return commenting.comment(ticket.pk, actor=actor, text=text)


def test_it_is_kept_with_its_writer_and_an_event(ticket: Ticket, auditor: Actor) -> None:
    made = say(ticket, auditor, "  Which invoice is this about?  ")
    assert (made.name, made.text) == ("Ingrid Solberg", "Which invoice is this about?")
    with acting(auditor):
        told = Event.objects.get(action="ticket.commented")
        assert (told.change_id, told.facts["comment"]) == (ticket.change_id, made.pk)
        assert watching.persons(ticket) == {auditor.person_id: "Ingrid Solberg"}


def test_a_mention_is_a_person_of_the_tenant_and_watches(
    ticket: Ticket, operator: Actor, approver: Actor, outsider: Actor
) -> None:
    known, other = user_of(approver).username, user_of(outsider).username
    made = say(ticket, operator, f"@{known}, see mail@{known} and @{other} or @nobody. @{known}.")
    assert made.mentions == [[approver.person_id, "Amir Haddad"]]
    with acting(operator):
        assert set(watching.persons(ticket)) == {operator.person_id, approver.person_id}


def test_an_edit_keeps_the_first_wording(ticket: Ticket, operator: Actor, approver: Actor) -> None:
    first = say(ticket, operator, "thw wrong word")
    with acting(operator):
        edit = commenting.edit(first.pk, actor=operator, text=f"the right word @{user_of(approver).username}")
        assert list(Comment.objects.values_list("text", flat=True)) == ["thw wrong word", edit.text]
        assert edit.edit_of_id == first.pk
        assert approver.person_id in watching.persons(ticket)


def test_nobody_else_edits_it(ticket: Ticket, operator: Actor, approver: Actor) -> None:
    first = say(ticket, operator, "mine")
    with acting(approver), pytest.raises(CommentNotYours):
        commenting.edit(first.pk, actor=approver, text="yours")


def test_another_login_of_the_writer_does(ticket: Ticket, operator: Actor, persona: object) -> None:
    first = say(ticket, operator, "mine")
    other = persona("operator", name="Olivia Two", person=operator.person_id)  # type: ignore[operator]
    with acting(other):
        assert commenting.edit(first.pk, actor=other, text="still mine").text == "still mine"


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4001])
def test_nothing_and_too_much_are_refused(ticket: Ticket, operator: Actor, text: str) -> None:
    with pytest.raises(NothingSaid):
        say(ticket, operator, text)


def test_who_may_not_browse_may_not_comment(
    ticket: Ticket, administrator: Actor, outsider: Actor, operator: Actor
) -> None:
    with pytest.raises(NotAllowed):
        say(ticket, administrator, "hello")
    with acting(outsider), pytest.raises(TicketNotFound):
        commenting.comment(ticket.pk, actor=outsider, text="hello")
    service = Actor(kind="service", name="robot", tenant_id=1, roles=frozenset({"operator"}))
    with acting(service), pytest.raises(NotAPerson):
        commenting.comment(ticket.pk, actor=service, text="hello")
    with acting(operator), pytest.raises(CommentNotFound):
        commenting.edit(999, actor=operator, text="x")


def test_an_edit_is_not_edited(ticket: Ticket, operator: Actor) -> None:
    first = say(ticket, operator, "one")
    with acting(operator):
        edit = commenting.edit(first.pk, actor=operator, text="two")
        with pytest.raises(CommentNotFound):
            commenting.edit(edit.pk, actor=operator, text="three")


class TestTheDatabaseKeepsThem:
    ROW = (
        "INSERT INTO approvals_comment (tenant_id, ticket_id, edit_of_id, person_id, user_id, name, text, mentions, created_at) "
        "VALUES (1, %s, %s, %s, 1, 'x', 'rewritten', '[]', '2020-01-01')"
    )

    def test_nothing_is_changed_or_removed(self, ticket: Ticket, operator: Actor) -> None:
        say(ticket, operator, "stays")
        for statement in ("UPDATE approvals_comment SET text = 'x'", "DELETE FROM approvals_comment"):
            refused = pytest.raises(DatabaseError, match="permission denied")
            with acting(operator), refused, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

    def test_the_edit_of_another_person_is_refused(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        first = say(ticket, operator, "mine")
        refused = pytest.raises(DatabaseError, match="stays as it is")
        with acting(approver), refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(self.ROW, [ticket.pk, first.pk, approver.person_id])

    def test_its_time_is_the_databases(self, ticket: Ticket, operator: Actor) -> None:
        with acting(operator), connection.cursor() as cursor:
            cursor.execute(self.ROW, [ticket.pk, None, operator.person_id])
            cursor.execute("SELECT created_at > now() - interval '1 hour' FROM approvals_comment")
            assert cursor.fetchone() == (True,)


def test_after_five_minutes_it_stays_and_without_the_guard_it_would_not(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        ticket = ask(operator, "shop.order", keys_of(orders(12))).ticket
    assert ticket is not None
    first = say(ticket, operator, "mine")
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("UPDATE approvals_comment SET created_at = created_at - interval '5 minutes'")
    with acting(operator), pytest.raises(CommentStays):
        commenting.edit(first.pk, actor=operator, text="later")
    with real_db.owner() as owner:
        owner.execute("DROP TRIGGER custody_edit ON approvals_comment")
    with acting(operator):
        assert commenting.edit(first.pk, actor=operator, text="later").pk


class TestWatching:
    def test_it_begins_and_ends_and_repeats_harmlessly(self, ticket: Ticket, auditor: Actor) -> None:
        with acting(auditor):
            for _ in range(2):
                watching.watch(ticket.pk, actor=auditor)
                assert watching.persons(ticket) == {auditor.person_id: "Ingrid Solberg"}
            for _ in range(2):
                watching.unwatch(ticket.pk, actor=auditor)
                assert watching.persons(ticket) == {}

    def test_who_stopped_is_not_started_by_a_mention_but_by_a_comment(
        self, ticket: Ticket, operator: Actor, auditor: Actor
    ) -> None:
        with acting(auditor):
            watching.unwatch(ticket.pk, actor=auditor)
        say(ticket, operator, f"@{user_of(auditor).username}")
        with acting(auditor):
            assert auditor.person_id not in watching.persons(ticket)
        say(ticket, auditor, "I am here")
        with acting(auditor):
            assert auditor.person_id in watching.persons(ticket)
