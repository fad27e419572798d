"""An exemption opens the limits for one login on one table, as far as two persons agreed, and no further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from access.errors import NotAllowed
from approvals import exemptions
from approvals.errors import (
    BadExpiry,
    ExemptionNotFound,
    ExemptionNotOpen,
    LoginNotExemptible,
    ReasonTooShort,
    SelfApproval,
    WindowTooSmall,
)
from audit.models import Event, Exemption
from foundation.actor import Actor
from foundation.context import acting
from tests.audit.guard.conftest import Shop
from tests.databases import default_database
from tests.personas import _make

REFUSED = psycopg.errors.InsufficientPrivilege
FIFTY = "UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id LIMIT 50)"


@pytest.fixture
def people(fresh_shop: Shop, django_db_blocker: Any) -> Iterator[tuple[Actor, Actor]]:
    """An engineer who asks and an approver who agrees, in the shop's database."""
    with django_db_blocker.unblock(), default_database(fresh_shop.database.name):
        yield _make("engineer", name="Kenji Watanabe"), _make("approver", name="Amir Haddad")


def _terms(shop: Shop, **other: Any) -> exemptions.Terms:
    terms: dict[str, Any] = {
        "entity": "shop.order",
        "role": shop.etl,
        "transaction_rows": 60,
        "window_rows": 120,
        "reason": "nightly prices of the warehouse",
        "expires_at": timezone.now() + timedelta(days=30),
    }
    return exemptions.Terms(**terms | other)


def _ask(shop: Shop, asker: Actor, **other: Any) -> Exemption:
    with acting(asker):
        return exemptions.ask(_terms(shop, **other), actor=asker)


def _agreed(shop: Shop, people: tuple[Actor, Actor], **other: Any) -> Exemption:
    asker, agreer = people
    asked = _ask(shop, asker, **other)
    with acting(agreer):
        return exemptions.agree(asked.pk, actor=agreer)


def _write(shop: Shop, statement: str = FIFTY, login: str = "etl") -> int:
    with shop.transaction(login) as connection:
        return int(connection.execute(statement).rowcount)


def test_what_nobody_agreed_to_opens_nothing(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    _ask(fresh_shop, people[0])
    with pytest.raises(REFUSED):
        _write(fresh_shop)


def test_agreed_it_holds_and_the_event_names_it(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    exemption = _agreed(fresh_shop, people)
    assert _write(fresh_shop) == 50
    assert fresh_shop.events()[-1] == (fresh_shop.etl, 50, {"exemption": exemption.pk})


def test_a_write_that_did_not_need_it_does_not_name_it(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    _agreed(fresh_shop, people)
    _write(fresh_shop, FIFTY.replace("LIMIT 50", "LIMIT 10"))
    assert fresh_shop.events()[-1] == (fresh_shop.etl, 10, None)


def test_its_own_limits_hold_per_transaction_and_window(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    exemption = _agreed(fresh_shop, people, window_rows=220)
    with pytest.raises(REFUSED, match=r"61 rows of public\.shop_order at once refused: more than 60"):
        _write(fresh_shop, FIFTY.replace("LIMIT 50", "LIMIT 61"))
    for _ in range(4):
        _write(fresh_shop)
    with pytest.raises(REFUSED, match=r"250 rows of public\.shop_order within ten minutes refused: more than 220"):
        _write(fresh_shop)
    assert _write(fresh_shop, FIFTY.replace("LIMIT 50", "LIMIT 10")) == 10
    assert fresh_shop.events()[-1] == (fresh_shop.etl, 10, {"exemption": exemption.pk})


def test_it_opens_neither_another_login_nor_another_table(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    _agreed(fresh_shop, people)
    with pytest.raises(REFUSED):
        _write(fresh_shop, login="app")
    with fresh_shop.login("owner") as owner:
        owner.execute("UPDATE audit_governedtable SET row_limit = 0 WHERE entity = 'shop.customer'")
        owner.execute(
            "INSERT INTO shop_customer (tenant_id, name, email, phone, plan, preferences, labels, notes) "
            "SELECT 1, 'x', g || '@test.example', '', 'trial', '{}', '{}', '' FROM generate_series(1, 5) g"
        )
    with pytest.raises(REFUSED, match="shop_customer"):
        _write(fresh_shop, "UPDATE shop_customer SET notes = 'x'")


def test_another_tenants_rows_stay_closed(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    _agreed(fresh_shop, people)
    with fresh_shop.login("owner") as owner:
        owner.execute(
            "INSERT INTO shop_customer (tenant_id, id, name, email, phone, plan, preferences, labels, notes) "
            "VALUES (2, 900001, 'x', 'x@test.example', '', 'trial', '{}', '{}', '')"
        )
        owner.execute(
            "INSERT INTO shop_order (tenant_id, customer_id, number, placed_at, state, total, currency, note) "
            "SELECT 2, 900001, g::text, now(), 'new', 1, 'EUR', '' FROM generate_series(1, 20) g"
        )
    with pytest.raises(REFUSED, match="20 rows"), fresh_shop.transaction("etl", tenant=2) as connection:
        connection.execute("UPDATE shop_order SET note = 'x'")


def test_withdrawn_it_is_void(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    exemption = _agreed(fresh_shop, people)
    asker, _ = people
    with acting(asker):
        exemptions.withdraw(exemption.pk, actor=asker)
    with pytest.raises(REFUSED):
        _write(fresh_shop)


def test_an_expired_one_opens_nothing(fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
    _agreed(fresh_shop, people)
    with fresh_shop.login("owner") as owner:
        owner.execute("SET custody.tenant = '1'")
        owner.execute("ALTER TABLE audit_exemption DISABLE TRIGGER custody_step")
        assert owner.execute("UPDATE audit_exemption SET expires_at = now()").rowcount == 1
    with pytest.raises(REFUSED):
        _write(fresh_shop)


class TestSteps:
    def test_who_asked_does_not_agree(self, fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
        both = _make("engineer", "approver", name="Both Hats")
        asked = _ask(fresh_shop, both)
        with acting(both), pytest.raises(SelfApproval):
            exemptions.agree(asked.pk, actor=both)
        again = _make("approver", name="Both Hats", person=both.person_id)
        with acting(again), pytest.raises(SelfApproval):
            exemptions.agree(asked.pk, actor=again)

    def test_it_is_agreed_to_and_withdrawn_once(self, fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
        exemption = _agreed(fresh_shop, people)
        asker, agreer = people
        with acting(agreer):
            with pytest.raises(ExemptionNotOpen):
                exemptions.agree(exemption.pk, actor=agreer)
            exemptions.withdraw(exemption.pk, actor=agreer)
            with pytest.raises(ExemptionNotOpen):
                exemptions.withdraw(exemption.pk, actor=agreer)
        with acting(asker), pytest.raises(ExemptionNotFound):
            exemptions.withdraw(exemption.pk + 1, actor=asker)

    def test_every_step_is_an_event(self, fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
        exemption = _agreed(fresh_shop, people)
        asker, agreer = people
        with acting(asker):
            exemptions.withdraw(exemption.pk, actor=asker)
            told = Event.objects.filter(target_table="audit_exemption").order_by("id")
            assert [(one.action, one.operator_name, one.facts["exemption"]) for one in told] == [
                ("exemption.asked", asker.name, exemption.pk),
                ("exemption.agreed", agreer.name, exemption.pk),
                ("exemption.withdrawn", asker.name, exemption.pk),
            ]

    @pytest.mark.parametrize(
        ("terms", "error"),
        [
            ({"role": "custody_app"}, LoginNotExemptible),
            ({"role": "custody_owner"}, LoginNotExemptible),
            ({"role": "postgres"}, LoginNotExemptible),
            ({"role": "nobody at all"}, LoginNotExemptible),
            ({"window_rows": 59}, WindowTooSmall),
            ({"expires_at": timezone.now() - timedelta(minutes=1)}, BadExpiry),
            ({"expires_at": timezone.now() + timedelta(days=400)}, BadExpiry),
            ({"reason": "because"}, ReasonTooShort),
        ],
    )
    def test_bad_terms_are_refused_by_name(
        self, fresh_shop: Shop, people: tuple[Actor, Actor], terms: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            _ask(fresh_shop, people[0], **terms)

    def test_only_engineers_ask_and_only_approvers_agree(self, fresh_shop: Shop, people: tuple[Actor, Actor]) -> None:
        asker, agreer = people
        with pytest.raises(NotAllowed):
            _ask(fresh_shop, agreer)
        asked, another = _ask(fresh_shop, asker), _make("engineer", name="Ann Other")
        with acting(another), pytest.raises(NotAllowed):
            exemptions.agree(asked.pk, actor=another)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_exemption SET transaction_rows = 1000000, window_rows = 1000000",
            "UPDATE audit_exemption SET role = 'another'",
            "UPDATE audit_exemption SET agreed_at = now(), agreed_person_id = asked_person_id",
            "UPDATE audit_exemption SET agreed_at = now()",
            "UPDATE audit_exemption SET expires_at = expires_at + interval '1 year'",
            "UPDATE audit_exemption SET withdrawn_at = NULL",
            "DELETE FROM audit_exemption",
            "INSERT INTO audit_exemption (tenant_id, entity, role, transaction_rows, window_rows, reason, expires_at, "
            "asked_person_id, asked_name, agreed_name, withdrawn_name, agreed_at, agreed_person_id) VALUES (1, "
            "'shop.order', 'x', 9, 9, 'x', now() + interval '1 day', 1, '', '', '', now(), 2)",
        ],
    )
    def test_the_database_refuses_every_other_step(
        self, fresh_shop: Shop, people: tuple[Actor, Actor], statement: str
    ) -> None:
        asked = _ask(fresh_shop, people[0])
        with acting(people[0]):
            exemptions.withdraw(asked.pk, actor=people[0])
        with (
            fresh_shop.transaction("app") as app,
            pytest.raises((psycopg.errors.IntegrityError, REFUSED)),
            app.transaction(),
        ):
            app.execute(statement)
