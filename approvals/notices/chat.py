"""Chat rooms through Apprise. An address there is a small program: only named schemas, one address, no options.

Options (`?…`) can read local files as templates, follow redirects, switch off the verification of certificates and hold
a connection for hours; several addresses could come in one text. Both are refused.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from django.conf import settings

from approvals.notices import addresses
from approvals.notices.errors import AddressRefused, ChatAddressUnusable
from approvals.notices.failures import Failed

# These have a host of their own, so the address cannot choose one.
FIXED_HOSTS = frozenset({"slack", "discord", "tgram", "gchat", "dingtalk", "feishu", "wecombot"})
SIGNS = 500
_ADDRESS = re.compile(r"([a-z0-9]+)://[A-Za-z0-9._~:/@%+#\-\[\]]+")
# Signs that chat programs read as mentions, links or formatting, and what looks like them.
_PLAIN = str.maketrans(
    {"@": "＠", "<": "‹", ">": "›", "[": "［", "]": "］", "`": "ˋ", "*": "∗", "_": "＿", "~": "∼", "|": "∣"}
)


def check(address: str, *, field: str = "address") -> str:
    """Refuse what is no usable address; return what people may see of it. Raises ChatAddressUnusable, AddressRefused."""
    _plugin(address, field)
    return f"{schema_of(address)}://…"


def schema_of(address: str) -> str:
    """What stands before `://`, in small letters."""
    return address.partition("://")[0].lower()


def send(address: str, *, title: str, text: str, link: str) -> None:
    """Say it in the room, or raise Failed."""
    try:
        plugin = _plugin(address, "address")
    except (ChatAddressUnusable, AddressRefused) as error:
        raise Failed("address_refused", final=True) from error
    except OSError as error:
        raise Failed("name_unknown") from error
    try:
        heard = plugin.notify(title=plain(title), body=f"{plain(text)}\n{link}".strip())
    except Exception as error:  # a plug-in of 150; whatever it raises, this attempt has failed
        raise Failed("chat_error") from error
    if not heard:
        raise Failed("chat_refused")


def plain(text: str) -> str:
    """Text in which nothing is a mention, a link or a format."""
    return text.translate(_PLAIN).replace("://", "：//")


def _plugin(address: str, field: str) -> Any:
    known = settings.CUSTODY_CHAT_SCHEMAS
    unusable = ChatAddressUnusable(field=field, schemas=", ".join(f"{one}://" for one in known) or "–")
    found = _ADDRESS.fullmatch(address)
    if found is None or len(address) > SIGNS or found[1] not in known:
        raise unusable
    plugin = _load(address)
    if plugin is None:
        raise unusable
    if found[1] not in FIXED_HOSTS:
        if not plugin.host:
            raise unusable
        addresses.approved(str(plugin.host).strip("[]"), plugin.port or 443)
    return plugin


def _load(address: str) -> Any:
    import apprise  # 150 plug-ins are read at its first use, which a web process may never come to

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would write addresses, which hold tokens
    asset = apprise.AppriseAsset(
        app_id="Custody",
        app_desc="Custody",
        app_url=settings.CUSTODY_URL,
        async_mode=False,
        http_redirects=False,
        plugin_paths=[],
        secure_logging=True,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    return apprise.Apprise.instantiate(address, asset=asset)
