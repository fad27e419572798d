"""Ways around the question instead of an answer to it: another door, a huge input, a message, many small changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import kombu.exceptions
import kombu.serialization
import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from approvals.models import Ticket, Vote
from approvals.notices import addresses
from approvals.notices.errors import AddressRefused
from audit import registry
from changes import tasks
from changes.models import Change, Lane
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import CustodyError
from shop.models import Customer, Order
from tests.approvals.known.tries import WAITING, program, run, say, states, votes
from tests.journey import ask, keys_of, start, work
from tests.personas import customer, order_with_items, orders, user_of

pytestmark = pytest.mark.django_db


class TestDoors:
    @pytest.mark.parametrize("sent", [{}, {"reason": "x"}])
    def test_every_door_asks_the_same(
        self, ticket: Ticket, operator: Actor, auditor: Actor, persona: Callable[..., Actor], door: Any, sent: Any
    ) -> None:
        """gitlab 519340: the API approved what the page refused."""
        own = persona("approver", name="Olivia Park", person=operator.person_id)
        for nobody in (own, auditor, operator):
            assert door(nobody, ticket, **sent) == 403
        assert door(persona("approver", name="A Stranger", tenant=2), ticket, **sent) == 404
        assert votes(ticket) == 0

    @pytest.mark.unproven
    @pytest.mark.parametrize("decision", ["approve", "reject"])
    def test_no_door_leaves_the_password_out(self, ticket: Ticket, approver: Actor, door: Any, decision: str) -> None:
        """gitlab 461248: approving through another door did not ask for the password again."""
        assert door(approver, ticket, decision=decision, reason="not these") in (200, 403)  # the page asks to prove
        with pytest.raises(CustodyError, match=r"(?i)prove|proof"):
            say(ticket, approver, decision)
        assert (states(ticket), votes(ticket)) == (WAITING, 0)

    @pytest.mark.parametrize(
        "header",
        ["REMOTE_USER", "HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER", "HTTP_X_FORWARDED_USER", "HTTP_X_WEBAUTH_USER"],
    )
    def test_a_name_that_a_header_claims_is_nobody(self, ticket: Ticket, approver: Actor, header: str) -> None:
        """CVE-2025-49825 (Teleport) and CVE-2022-35957 (Grafana): a claimed identity was believed without its proof."""
        from rest_framework.test import APIClient

        client = APIClient(**{header: user_of(approver).username})
        sent = {"decision": "approve", "digest": ticket.digest}
        assert client.post(f"/api/v1/tickets/{ticket.pk}/votes/", sent, format="json").status_code in (401, 403)
        page = Client(**{header: user_of(approver).username})
        assert page.post(f"/admin/tickets/{ticket.pk}/vote/", sent).status_code in (302, 403)
        assert votes(ticket) == 0

    @pytest.mark.parametrize("path", ["?_method=PUT", "?decision=approve", "?_method=DELETE"])
    def test_another_verb_in_the_address_does_nothing(self, ticket: Ticket, operator: Actor, path: str) -> None:
        """Rows of forged forms: what is asked for is the request's verb and body, never the address."""
        client = program(operator)
        for verb in (client.get, client.put, client.patch, client.delete, client.post):
            assert verb(f"/api/v1/tickets/{ticket.pk}/votes/{path}", {}, format="json").status_code >= 400
        assert states(ticket) == WAITING

    def test_a_reason_of_megabytes_is_cut(self, ticket: Ticket, approver: Actor) -> None:
        """Teleport 8.3.14: a giant reason of a request made the service unusable for who had to read it."""
        say(ticket, approver, reason="a" * 5_000_000)
        with acting(approver):
            assert len(Vote.objects.get().reason) == 4000

    @pytest.mark.parametrize(
        "sent",
        [
            {"digest": "0" * 1_000_000},
            {"decision": "approve" * 100_000},
            {"decision": ["approve"] * 1000},
            {"reason": "r" * 3_000_000, "digest": None},
            {"digest": {"a": {"b": ["c"] * 1000}}},
        ],
        ids=["digest", "decision", "list", "reason", "nested"],
    )
    def test_too_much_is_refused_and_not_waved_through(self, ticket: Ticket, approver: Actor, sent: Any) -> None:
        """gitea 27780: an input over the limit skipped the check that could not read it."""
        body = {"decision": "approve", "digest": ticket.digest, "reason": ""} | sent
        answer = program(approver).post(
            f"/api/v1/tickets/{ticket.pk}/votes/", json.dumps(body), content_type="application/json"
        )
        assert answer.status_code in (400, 409, 413, 422), answer.content[:300]
        assert (states(ticket), votes(ticket)) == (WAITING, 0)


@pytest.mark.parametrize(
    "host", ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "127.1", "2130706433", "169.254.169.254", "10.0.0.1", "::1"]
)
def test_what_is_told_about_tickets_does_not_go_inside(host: str) -> None:
    """GHSA-hw4x-mcx5-9q36 (Teleport) and CVE-2026-35409 (Directus): a hook reached addresses within."""
    with pytest.raises(AddressRefused):
        addresses.approved(host, 443)


class TestMessages:
    @pytest.mark.parametrize("state", ["waiting", "cleared", "refused", "draft"])
    def test_a_message_starts_nothing(
        self, ticket: Ticket, operator: Actor, approver: Actor, second_approver: Actor, state: str
    ) -> None:
        """celery 5935 and forged messages: a message says nothing that the database does not say itself."""
        if state == "cleared":
            say(ticket, approver)
        if state == "refused":
            say(ticket, approver, "reject")
        change = ticket.change_id if state != "draft" else draft(operator)
        for _ in range(3):
            tasks.work(change, 1)
            tasks.work(change, 2)
        with acting(operator):
            assert Change.objects.get(pk=change).state == state
            assert Order.objects.count() == 12
            assert not Lane.objects.filter(change_id=change).exists()

    def test_a_message_sent_often_does_each_row_once(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        """celery 2599, 3270, 5306: one message was carried out several times."""
        say(ticket, approver)
        start(ticket.change, operator)
        for _ in range(4):
            tasks.work(ticket.change_id, 1)
        with acting(operator):
            assert Order.history.filter(change_id=ticket.change_id).count() == 12
            assert Change.objects.get(pk=ticket.change_id).applied == 12

    def test_only_json_is_read_from_the_broker(self) -> None:
        """CVE-2021-23727 and its like (Celery): what a message carries is data, and never an object."""
        import pickle

        from console.celery import app

        assert list(app.conf.accept_content) == ["json"]
        assert app.conf.task_serializer == "json"
        body = pickle.dumps([[1, 1], {}, {}])
        with pytest.raises(kombu.exceptions.ContentDisallowed):
            kombu.serialization.loads(body, "application/x-python-serialize", "binary", accept=app.conf.accept_content)


def draft(actor: Actor) -> int:
    from changes import drafts

    with acting(actor):
        rows = list(Order.objects.all()[:12])
        return int(drafts.save(actor, entity="shop.order", operation="delete", selection=keys_of(rows)).pk)


class TestManySmall:
    @pytest.fixture
    def narrow(self, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Ten orders at once, sixty within ten minutes."""
        before = owner.execute("SELECT window_rows FROM audit_governedtable WHERE entity = 'shop.order'").fetchone()
        assert before is not None
        owner.execute("UPDATE audit_governedtable SET window_rows = 60 WHERE entity = 'shop.order'")
        monkeypatch.setattr(registry, "window_rows", lambda model: 60)
        yield
        owner.execute("UPDATE audit_governedtable SET window_rows = %s WHERE entity = 'shop.order'", before)

    def test_many_just_below_the_threshold_are_a_large_one(self, operator: Actor, narrow: None) -> None:
        """Salami: twenty deletes of one row less than the threshold. The sum of the window asks for a ticket."""
        free = 0
        for _ in range(20):
            with acting(operator):
                made = orders(9)
            outcome = ask(operator, "shop.order", keys_of(made))
            if outcome.ticket is None:
                work(outcome.change)
                free += 9
        assert 0 < free <= 60

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE shop_order SET is_deleted = true",
            "UPDATE shop_order SET status = 'archived', deleted_at = now()",
            "DELETE FROM shop_order",
            "TRUNCATE shop_order CASCADE",
            "DELETE FROM shop_customer",
            "WITH gone AS (UPDATE shop_order SET is_deleted = true RETURNING 1) SELECT count(*) FROM gone",
            "MERGE INTO shop_order o USING shop_customer c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET is_deleted = true",
        ],
    )
    def test_no_other_statement_gets_more_rows_past_the_threshold(self, operator: Actor, statement: str) -> None:
        """Cascades, updates, soft deletes and TRUNCATE: the rows that are touched count, whatever touches them."""
        with acting(operator):
            buyer = customer()
            orders(11, customer=buyer)
            made = order_with_items(1)
            from tests.personas import item

            for _ in range(11):
                item(made)
        before = count()
        with pytest.raises(DatabaseError, match=r"custody|permission denied|violates|must be owner"):
            run(operator, statement)
        assert count() == before

    def test_a_program_meets_the_same_threshold(self, operator: Actor) -> None:
        """The ORM's own doors, with the same eleven rows: refused, and nothing is gone."""
        with acting(operator):
            orders(11)
            for deed in (
                lambda: Order.objects.all().delete(),
                lambda: Order.objects.update(is_deleted=True),
                lambda: Order.objects.bulk_update([set_deleted(row) for row in Order.objects.all()], ["is_deleted"]),
            ):
                with pytest.raises((CustodyError, DatabaseError)), transaction.atomic():
                    deed()
            assert Order.objects.count() == 11


def set_deleted(row: Any) -> Any:
    row.is_deleted = True
    return row


def count() -> tuple[int, int]:
    with acting(Actor.service("looker", tenant_id=1)), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_order WHERE NOT is_deleted")
        return int(cursor.fetchone()[0]), Customer.objects.count()
