"""One POST to an address that was looked up once: no redirects, no proxy, limits of time and size."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from approvals.notices import addresses, links, signing
from approvals.notices.errors import AddressRefused, WebhookAddressUnusable
from approvals.notices.failures import Failed
from approvals.notices.models import Delivery

SECONDS = 10.0
BODY_LIMIT = 64 * 1024
ADDRESS_SIGNS = 500
GONE = 410


def check(address: str, *, field: str = "address") -> str:
    """Refuse an address no webhook may have; return what people may see of it.

    Raises WebhookAddressUnusable, AddressRefused. A name that does not resolve now may do so later.
    """
    url = _read(address, field)
    with suppress(OSError):
        addresses.approved(str(url.hostname), _port(url))
    return f"{url.scheme}://{url.netloc}/…"


def send(address: str, secret: str, delivery: Delivery) -> None:
    """Deliver, or raise Failed. The body is the same whenever it is sent; only the timestamp is new."""
    body = body_of(delivery)
    signed = signing.headers(secret, body, uuid=str(delivery.uuid), timestamp=int(time.time()))
    status = post(address, body, signed)
    if status == GONE:
        raise Failed("gone", final=True)
    if 300 <= status < 400:
        raise Failed("redirect", final=True)
    if not 200 <= status < 300:
        raise Failed(f"http_{status}")


def body_of(delivery: Delivery) -> bytes:
    """The JSON that is signed and sent: ids, counts, labels, the requester's title, a link."""
    message = delivery.message
    told: dict[str, Any] = {
        "id": str(delivery.uuid),
        "kind": message.kind,
        "at": message.created_at.isoformat(),
        "tenant": message.tenant_id,
        "ticket": message.ticket_id,
        "change": message.change_id,
        "entity": message.entity,
        "title": message.title,
        "by_person": message.by_person_id,
        "facts": message.facts,
        "link": links.link_of(message),
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def post(address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The answer's status. Raises Failed when there is none."""
    try:
        url = _read(address, "address")
        hosts = addresses.approved(str(url.hostname), _port(url))
    except (AddressRefused, WebhookAddressUnusable) as error:
        raise Failed("address_refused", final=True) from error
    except OSError as error:
        raise Failed("name_unknown") from error
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    sent = {"Content-Type": "application/json", "User-Agent": "Custody", "Host": url.netloc, **headers}
    try:
        with _connected(url, hosts) as connection:
            connection.request("POST", path, body, sent)
            answer = connection.getresponse()
            answer.read(BODY_LIMIT)
            return answer.status
    except ssl.SSLError as error:
        raise Failed("certificate") from error
    except TimeoutError as error:
        raise Failed("timeout") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed("no_answer") from error


@contextmanager
def _connected(url: SplitResult, hosts: list[str]) -> Iterator[http.client.HTTPConnection]:
    """A connection to one of these addresses and to no other, cut when its time is over, whoever drips bytes."""
    connection = http.client.HTTPConnection(str(url.hostname), _port(url), timeout=SECONDS)
    plain = _dial(hosts, _port(url))
    cut = threading.Timer(SECONDS, _cut, [plain])
    cut.daemon = True
    cut.start()
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=url.hostname)
            if url.scheme == "https"
            else plain
        )
        yield connection
        if not cut.is_alive():  # what was read ends where the connection was cut
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        if cut.is_alive():
            raise
        raise TimeoutError from error
    finally:
        cut.cancel()
        connection.close()
        plain.close()


def _dial(hosts: list[str], port: int) -> socket.socket:
    refused: OSError | None = None
    until = time.monotonic() + SECONDS
    for host in hosts[:4]:
        try:
            return socket.create_connection((host, port), timeout=max(0.1, (until - time.monotonic()) / 2))
        except OSError as error:
            refused = error
    raise refused or OSError("no address")


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _read(address: str, field: str) -> SplitResult:
    """The address in parts. Raises WebhookAddressUnusable."""
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError as error:
        raise WebhookAddressUnusable(field=field) from error
    plain = address.isascii() and address.isprintable() and " " not in address and len(address) <= ADDRESS_SIGNS
    schemes = ("https",) if settings.PRODUCTION else ("https", "http")
    if (
        not plain
        or url.scheme not in schemes
        or not url.hostname
        or "@" in url.netloc
        or "\\" in address
        or url.fragment
        or port == 0
    ):
        raise WebhookAddressUnusable(field=field)
    addresses.literal_of(url.hostname)
    return url


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
