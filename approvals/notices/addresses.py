"""Where the console may connect to when somebody else chose the address: public ones, and networks named in the settings.

A host is resolved once. Every address it has must be allowed, and the connection goes to one of exactly these: a name
that answers something else a moment later leads nowhere. Decimal, octal and hexadecimal spellings are refused before
they are resolved, addresses that carry another one inside (IPv4 in IPv6, 6to4, NAT64) are judged by that one.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings

from approvals.notices.errors import AddressRefused

Address = IPv4Address | IPv6Address
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
# What inet_aton reads as a number although no ordinary address looks like it: 2130706433, 0177.1, 0x7f.0.0.1, 127.1
_NUMERIC = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")


def approved(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them allowed. Raises AddressRefused, and OSError when there is none."""
    literal = literal_of(host)
    if literal is not None:
        found = [literal]
    else:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = [ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    if not found or not all(is_allowed(address) for address in found):
        raise AddressRefused(field="address", host=host[:100])
    return list(dict.fromkeys(str(address) for address in found))


def literal_of(host: str) -> Address | None:
    """The address a host is written as; None for a name. Raises AddressRefused for spellings that hide one."""
    try:
        return ip_address(host)
    except ValueError:
        if _NUMERIC.fullmatch(host) or ":" in host or "%" in host:
            raise AddressRefused(field="address", host=host[:100]) from None
        return None


def is_allowed(address: Address) -> bool:
    """Whether the console may connect to it."""
    real = _inner(address)
    if any(real in network for network in settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS if network.version == real.version):
        return True
    return real.is_global and not (
        real.is_multicast
        or real.is_private
        or real.is_loopback
        or real.is_link_local
        or real.is_reserved
        or real.is_unspecified
        or (isinstance(real, IPv6Address) and real.is_site_local)
    )


def _inner(address: Address) -> Address:
    """The address that a packet would reach in the end."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    return inner or address
