"""Where the console may connect to: every spelling of an address that is not public is refused."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from approvals.notices import addresses, webhooks
from approvals.notices.errors import AddressRefused, WebhookAddressUnusable

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip
SPELLINGS = [
    "2130706433", "017700000001", "0x7f000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0", "00.0.0.0",
    "1.1", "0251.0376.0251.0376", "fe80::1%25eth0", "127.0.0.1.",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not addresses.is_allowed(ip_address(address))
    with pytest.raises(AddressRefused):
        addresses.approved(address, 443)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:808:808", "64:ff9b::808:808"]
)
def test_what_is_public_is_allowed(address: str) -> None:
    assert addresses.approved(address, 443) == [address]


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_spelling_that_hides_an_address_is_refused_before_it_is_resolved(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("it was resolved"))
    with pytest.raises((AddressRefused, WebhookAddressUnusable)):
        webhooks.check(f"https://{host}/x")


def test_a_name_is_refused_when_any_of_its_addresses_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [answer("1.1.1.1"), answer("10.0.0.7")])
    with pytest.raises(AddressRefused):
        addresses.approved("both.example", 443)


def test_networks_of_the_settings_are_allowed_and_no_others(settings: Any) -> None:
    settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    allowed = [
        one for one in (*REFUSED, "10.1.2.3", "::ffff:10.1.2.3", "fd00::9") if addresses.is_allowed(ip_address(one))
    ]
    assert allowed == ["fd12:3456::1", "10.1.2.3", "::ffff:10.1.2.3", "fd00::9"]


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example/x", "ftp://hooks.example/", "https://", "https:///x", "hooks.example", "https://a@hooks.example/",
        "https://a:b@hooks.example/", "https://hooks.example/#x", "https://hooks.example/ x", "https://hooks.example/\n",
        "https://hooks.example\\@10.0.0.1/", "https://hooks.example:0/", "https://hooks.example:99999/",
        "https://hööks.example/", "https://[::1/", "https://hooks.example/" + "x" * 500, "javascript:alert(1)", "",
    ],
)  # fmt: skip
def test_in_production_an_address_is_https_and_nothing_hides_in_it(settings: Any, address: str) -> None:
    settings.PRODUCTION = True
    with pytest.raises(WebhookAddressUnusable):
        webhooks.check(address)


def test_people_see_the_host_of_an_address_and_nothing_that_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [answer("1.1.1.1")])
    assert webhooks.check("https://hooks.example:8443/services/T0KEN?key=S3CRET") == "https://hooks.example:8443/…"


def answer(address: str) -> Any:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, 443))
