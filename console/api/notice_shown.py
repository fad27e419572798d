"""Notices, preferences, receivers and deliveries as they go out. Addresses and secrets do not."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from approvals.notices import links
from approvals.notices.kinds import Channel, Kind
from approvals.notices.models import Delivery
from approvals.notices.words import say
from console.api.serializers import Shown


class NoticeShown(Shown):
    """A message in one's own inbox."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Kind.choices, source="message.kind")
    subject = serializers.SerializerMethodField(help_text="In the reader's language.")
    text = serializers.SerializerMethodField()
    ticket = serializers.IntegerField(source="message.ticket_id", allow_null=True)
    change = serializers.IntegerField(source="message.change_id", allow_null=True)
    entity = serializers.CharField(source="message.entity")
    facts = serializers.DictField(source="message.facts")
    by_person = serializers.IntegerField(source="message.by_person_id", allow_null=True)
    created_at = serializers.DateTimeField(source="message.created_at")
    read_at = serializers.DateTimeField(allow_null=True)
    link = serializers.SerializerMethodField()

    def get_subject(self, notice: Any) -> str:
        return say(notice.message).subject

    def get_text(self, notice: Any) -> str:
        return say(notice.message).text

    def get_link(self, notice: Any) -> str:
        return links.link_of(notice.message)


class ReadShown(Shown):
    read = serializers.IntegerField(help_text="How many were unread.")
    unread = serializers.IntegerField(help_text="How many still are, at most 100.")


class PreferenceShown(Shown):
    """How one is told, with what holds where nothing was chosen."""

    ways = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    language = serializers.CharField()
    chat = serializers.CharField(help_text="What may be seen of the chat address; empty without one.")
    quiet_from = serializers.TimeField(allow_null=True, format="%H:%M")
    quiet_to = serializers.TimeField(allow_null=True, format="%H:%M")
    zone = serializers.CharField()


class ReceiverShown(Shown):
    """A webhook or chat room of the tenant. Its address is sealed."""

    id = serializers.IntegerField()
    channel = serializers.ChoiceField([Channel.WEBHOOK.value, Channel.CHAT.value])
    name = serializers.CharField()
    address = serializers.CharField(source="hint", help_text="Its beginning; the rest is sealed.")
    kinds = serializers.ListField(child=serializers.CharField(), help_text="What it is told; empty: everything.")
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    disabled_at = serializers.DateTimeField(allow_null=True)


class ReceiverMade(ReceiverShown):
    """A receiver with its secret, which no other answer holds."""

    secret = serializers.CharField(help_text="Empty for chat rooms, which are not signed.")


class DeliveryShown(Shown):
    """A message on its way out."""

    id = serializers.IntegerField()
    uuid = serializers.UUIDField(help_text="`Custody-Id`: the same however often it is sent.")
    kind = serializers.ChoiceField(Kind.choices, source="message.kind")
    channel = serializers.ChoiceField(Channel.choices)
    receiver = serializers.IntegerField(source="receiver_id", allow_null=True)
    person = serializers.IntegerField(source="person_id", allow_null=True)
    state = serializers.ChoiceField(Delivery.State.choices)
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField(source="message.created_at")
    next_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
