"""E-mail through a real mail server and chat through a real room; nothing secret in any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.urls import reverse

from approvals import decisions
from approvals.notices import chat, delivering, links, preferences, receivers
from approvals.notices.errors import AddressRefused, ChatAddressUnusable
from approvals.notices.kinds import CHOSEN, Kind
from approvals.notices.models import Delivery, Message
from approvals.notices.telling import tell
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import ask, keys_of
from tests.listeners import Listener, smtp_listener
from tests.personas import orders, user_of

pytestmark = pytest.mark.django_db
CANARY = "CANARY7f3a"


@pytest.fixture
def mails(settings: Any) -> Iterator[list[Any]]:
    """The e-mails a real SMTP server takes."""
    with smtp_listener() as (port, taken):
        use(settings, port)
        yield taken


def use(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.CUSTODY_EMAIL = "127.0.0.1", port, True
    settings.CUSTODY_URL = "https://custody.example"


def say(kind: Kind, actor: Actor, **more: Any) -> Message:
    with acting(actor), transaction.atomic():
        message = tell(kind, persons=[actor.person_id], **more)
    assert message is not None
    return message


def wants(actor: Actor, **more: Any) -> None:
    with acting(actor):
        preferences.choose(preferences.Wanted(**{"ways": {}} | more), actor=actor)


def states(channel: str) -> list[tuple[str, str]]:
    with acting(Actor.service("looker", tenant_id=1)):
        return list(Delivery.objects.filter(channel=channel).order_by("pk").values_list("state", "error"))


class TestMail:
    def test_an_approver_gets_one_with_plain_text_and_html(
        self, mails: list[Any], operator: Actor, approver: Actor
    ) -> None:
        with acting(operator):
            ticket = ask(operator, "shop.order", keys_of(orders(12)), title="Old <b>orders</b>").ticket
        assert ticket is not None
        assert delivering.deliver_due() == 1
        (mail,) = mails
        assert mail["X-Taken-For"] == user_of(approver).email
        assert mail["Subject"] == f"T-{ticket.pk} waits for your decision: Old <b>orders</b>"
        plain = mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",)).get_content()
        assert f"https://custody.example/admin/tickets/{ticket.pk}/" in plain
        assert "Old <b>orders</b>" in plain
        assert "Old &lt;b&gt;orders&lt;/b&gt;" in html
        assert "style=" not in html
        assert "<img" not in html

    def test_sent_twice_it_carries_the_same_id(self, mails: list[Any], operator: Actor) -> None:
        say(Kind.RUN_FAILED, operator)
        delivering.deliver_due()
        with acting(operator):
            Delivery.objects.update(state="waiting", attempts=0, next_at=Now())
        delivering.deliver_due()
        assert len(mails) == 2
        assert mails[0]["Message-ID"] == mails[1]["Message-ID"]

    def test_it_is_written_in_the_persons_language(self, mails: list[Any], operator: Actor) -> None:
        wants(operator, language="zh-hans")
        say(Kind.RULE_CHANGED, operator)
        wants(operator, language="zh-hans", ways={"rule_changed": ["email"]})
        say(Kind.RULE_CHANGED, operator)
        delivering.deliver_due()
        (mail,) = mails
        assert "规则" in mail["Subject"]

    def test_it_goes_to_the_oldest_login_in_use(self, mails: list[Any], operator: Actor, persona: Any) -> None:
        second = persona("operator", name="Olivia Second", person=operator.person_id)
        user = user_of(operator)
        user.is_active = False
        user.save()
        say(Kind.RUN_FAILED, second)
        delivering.deliver_due()
        assert [mail["X-Taken-For"] for mail in mails] == [user_of(second).email]

    def test_without_a_mail_server_there_is_none(self, operator: Actor) -> None:
        say(Kind.RUN_FAILED, operator)
        assert states("email") == []

    def test_who_left_meanwhile_gets_none(self, mails: list[Any], operator: Actor) -> None:
        say(Kind.RUN_FAILED, operator)
        user = user_of(operator)
        user.is_active = False
        user.save()
        delivering.deliver_due()
        assert states("email") == [("dropped", "person_gone")]
        assert mails == []

    @pytest.mark.parametrize(("answer", "state"), [("550 no such user", "dead"), ("450 try again later", "waiting")])
    def test_an_unknown_address_ends_and_a_busy_one_waits(
        self, settings: Any, operator: Actor, answer: str, state: str
    ) -> None:
        with smtp_listener(refuse=answer) as (port, _):
            use(settings, port)
            say(Kind.RUN_FAILED, operator)
            delivering.deliver_due()
        assert states("email") == [(state, "address_unknown")]

    def test_a_mail_server_that_is_down_is_asked_once_a_round(
        self, settings: Any, operator: Actor, approver: Actor
    ) -> None:
        use(settings, 1)
        say(Kind.RUN_FAILED, operator)
        say(Kind.RUN_FAILED, approver)
        delivering.deliver_due()
        assert sorted(states("email")) == [("waiting", ""), ("waiting", "no_answer")]


class TestChat:
    @pytest.fixture
    def room(self, settings: Any, listener: Listener) -> str:
        settings.CUSTODY_CHAT_SCHEMAS = ["json"]
        settings.CUSTODY_URL = "https://custody.example"
        return f"json://127.0.0.1:{listener.port}/room/t0ken"

    def test_a_room_of_the_tenant_hears_it(self, room: str, listener: Listener, administrator: Actor) -> None:
        with acting(administrator):
            made, secret = receivers.add(receivers.Wish(channel="chat", name="Room", address=room), actor=administrator)
        assert (made.hint, secret, made.secret) == ("json://…", "", None)
        say(Kind.RULE_CHANGED, administrator)
        assert delivering.deliver_due() == 1
        said = json.loads(listener.heard[0].body)
        assert said["title"] == "A rule has changed"
        assert said["message"].endswith("\nhttps://custody.example/admin/notices/")

    def test_a_room_of_ones_own_hears_what_one_chose(self, room: str, listener: Listener, operator: Actor) -> None:
        wants(operator, chat_address=room, ways={"run_failed": ["app", "chat"], "reminder": ["app"]})
        say(Kind.RUN_FAILED, operator)
        say(Kind.REMINDER, operator)
        assert delivering.deliver_due() == 1
        stored = preferences.of(operator.person_id)
        assert stored is None  # outside of the tenant there is none
        with acting(operator):
            stored = preferences.of(operator.person_id)
        assert stored is not None
        assert stored.chat_hint == "json://…"
        assert b"t0ken" not in bytes(stored.chat_address or b"")

    def test_a_room_that_refuses_is_tried_again(self, room: str, listener: Listener, administrator: Actor) -> None:
        with acting(administrator):
            receivers.add(receivers.Wish(channel="chat", name="Room", address=room), actor=administrator)
        listener.answers = [500]
        say(Kind.RULE_CHANGED, administrator)
        delivering.deliver_due()
        assert states("chat") == [("waiting", "chat_refused")]

    def test_a_redirect_is_not_followed(self, room: str, listener: Listener, administrator: Actor) -> None:
        with acting(administrator):
            receivers.add(receivers.Wish(channel="chat", name="Room", address=room), actor=administrator)
        listener.answers, listener.location = [307], f"http://127.0.0.1:{listener.port}/inside"
        say(Kind.RULE_CHANGED, administrator)
        delivering.deliver_due()
        assert [one.path for one in listener.heard] == ["/room/t0ken"]

    @pytest.mark.parametrize(
        "address",
        [
            "json://127.0.0.1/?template=/etc/passwd", "json://127.0.0.1/?verify=no", "json://a json://b", "json://a,json://b",
            "file:///etc/passwd", "exec://ls", "syslog://", "dbus://", "mailto://a:b@c.example", "slack://A/B/C",
            "json://", "", "127.0.0.1", "JSON://127.0.0.1/\n",
        ],
    )  # fmt: skip
    def test_other_schemas_options_and_more_than_one_address_are_refused(
        self, room: str, operator: Actor, address: str
    ) -> None:
        with pytest.raises(ChatAddressUnusable):
            chat.check(address)

    def test_a_host_of_ones_own_is_judged_like_a_webhooks(self, room: str, settings: Any) -> None:
        settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS = []
        for host in ("127.0.0.1", "169.254.169.254", "2130706433", "10.0.0.1"):
            with pytest.raises(AddressRefused):
                chat.check(f"json://{host}/x")

    def test_the_shipped_schemas_have_a_host_of_their_own(self) -> None:
        from console import settings as shipped

        assert set(shipped.CUSTODY_CHAT_SCHEMAS) <= chat.FIXED_HOSTS
        address = "discord://123456789012345678/" + "a" * 68
        assert chat.check(address) == "discord://…"

    def test_a_title_mentions_nobody_and_links_nowhere(self) -> None:
        said = chat.plain("@everyone <!channel> [here](https://evil.example) `x` *b*")
        assert not set(said) & set("@<>[]`*")
        assert "://" not in said


class TestSecrecy:
    def test_no_value_of_a_row_a_filter_a_reason_or_an_error_leaves(
        self, mails: list[Any], webhook: Any, listener: Listener, operator: Actor, approver: Actor, settings: Any
    ) -> None:
        with acting(operator):
            orders(12, note=CANARY)
            where = {"where": [{"field": "note", "op": "eq", "value": CANARY}]}
            ticket = ask(operator, "shop.order", where, reason=f"because of {CANARY}").ticket
            assert ticket is not None
            assert CANARY in ticket.change.title
        with acting(approver):
            decisions.vote(
                ticket.pk, actor=approver, decision="reject", digest=ticket.digest, reason=f"no, {CANARY} stays"
            )
        with acting(operator), transaction.atomic():
            for kind in CHOSEN:
                tell(kind, ticket=ticket, change=ticket.change, persons=[operator.person_id], group="approver")
        assert delivering.deliver_due() > 40
        sent = "".join(one.body.decode() + repr(one.headers) for one in listener.heard)
        sent += "".join(mail.as_string() for mail in mails)
        for mail in mails:
            sent += "".join(part.get_content() for part in mail.walk() if part.get_content_maintype() == "text")
        assert "Order" in sent or "order" in sent
        assert CANARY not in sent
        with acting(operator), connection.cursor() as cursor:
            for table in ("message", "notice", "delivery"):
                cursor.execute(f"SELECT coalesce(string_agg(t::text, ''), '') FROM approvals_{table} t")
                assert CANARY not in cursor.fetchone()[0]

    def test_a_title_made_of_another_changes_title_stays_inside(self, operator: Actor) -> None:
        from approvals.notices.titles import own_title
        from changes.models import Change

        made = [
            Change(operation="undo", undo_of_id=5, title=f"Undo C-5: Delete orders where note is {CANARY}"),
            Change(operation="delete", retry_of_id=5, title=f"Retry C-5: {CANARY}"),
            Change(operation="undo", title="Undo event 7"),
            Change(operation="update", selection_text="orders where x", title=f"Update orders where x: note {CANARY}"),
        ]
        assert [own_title(one) for one in made] == [""] * 4
        assert own_title(Change(operation="delete", title="  My \n own ")) == "My own"


def test_links_lead_to_the_consoles_pages(settings: Any) -> None:
    settings.CUSTODY_URL = "https://custody.example"
    of = links.path_of
    assert of(Message(ticket_id=3, change_id=4)) == reverse("admin:ticket", args=[3])
    assert of(Message(change_id=4)) == reverse("admin:change", args=[4])
    assert of(Message()) == reverse("admin:notices")
