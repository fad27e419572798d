"""Errors of notices, preferences and receivers."""

from __future__ import annotations

from foundation.errors import Conflict, Invalid, NotFound


class NoticeNotFound(NotFound):
    """There is no notice %(notice_id)s in your inbox."""

    code = "notice_not_found"


class UnknownKind(Invalid):
    """“%(value)s” is no kind of message. The page of your notices lists them."""

    code = "unknown_message_kind"


class UnknownWay(Invalid):
    """“%(value)s” is no way to tell you. Use %(known)s."""

    code = "unknown_way"


class UnknownLanguage(Invalid):
    """“%(value)s” is no language of the console. Use %(known)s."""

    code = "unknown_language"


class UnknownZone(Invalid):
    """“%(value)s” is no time zone. Give one such as Europe/Zurich, Asia/Shanghai or UTC."""

    code = "unknown_zone"


class WrongQuietHours(Invalid):
    """Quiet hours need a beginning and a different end, each as hours and minutes, such as 22:00 and 07:00."""

    code = "wrong_quiet_hours"


class ChatAddressUnusable(Invalid):
    """This is no chat address that can be used: one address of Apprise without options (no “?”), beginning with %(schemas)s. CUSTODY_CHAT_SCHEMAS names others."""

    code = "chat_address_unusable"


class WebhookAddressUnusable(Invalid):
    """This is no address a webhook can have: https://, a host name or a plain IP address, no user or password, no fragment, at most 500 characters."""

    code = "webhook_address_unusable"


class AddressRefused(Invalid):
    """%(host)s lies in a network that is not reachable from outside, or is no ordinary address. Networks of your own are named in CUSTODY_WEBHOOK_ALLOWED_NETWORKS."""

    code = "address_refused"


class ReceiverNotFound(NotFound):
    """There is no receiver %(receiver_id)s."""

    code = "receiver_not_found"


class ReceiverNameTaken(Invalid):
    """Give the receiver a name of up to 80 characters that no other one has."""

    code = "receiver_name_taken"


class UnknownChannel(Invalid):
    """“%(value)s” is no way to a receiver. Use webhook or chat."""

    code = "unknown_channel"


class ReceiverUnchanged(Conflict):
    """Receiver %(receiver_id)s is switched that way already. Nothing was changed."""

    code = "receiver_unchanged"


class NoSecret(Conflict):
    """Receiver %(receiver_id)s is a chat room: only webhooks are signed."""

    code = "no_secret"


class DeliveryNotFound(NotFound):
    """There is no delivery %(delivery_id)s."""

    code = "delivery_not_found"


class DeliveryNotEnded(Conflict):
    """Delivery %(delivery_id)s is on its way or has arrived. Only one that was given up is sent again."""

    code = "delivery_not_ended"
