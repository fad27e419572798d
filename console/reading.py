"""Reading settings from the environment: what cannot be used raises ImproperlyConfigured with a sentence."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from audit import retention


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of these words."""
    value = os.environ.get(name) or default
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: use one of {', '.join(allowed)}.")
    return value


def number(name: str, default: int, least: int) -> int:
    """A whole number, at least that."""
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) < least:
        raise ImproperlyConfigured(f"{name}={text!r}: use a whole number, at least {least}.")
    return int(text)


def names(name: str, default: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """Names with commas between, each once. "none" stands for none of them where any name is allowed."""
    text = os.environ.get(name) or default
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if found == ["none"] and not allowed:
        return []
    unknown = [part for part in found if allowed and part not in allowed]
    if unknown or not found:
        raise ImproperlyConfigured(
            f"{name}={text!r}: use one or more of {', '.join(allowed) or 'the names'}, with commas."
        )
    return found


def address(name: str, schemes: tuple[str, ...]) -> str:
    """An address of one of these kinds, or nothing. Tests without a worker use Celery's memory transport."""
    text = os.environ.get(name, "")
    if text and text.partition("://")[0] not in (*schemes, "memory"):
        raise ImproperlyConfigured(f"{name}={text!r}: use an address that begins with {'://, '.join(schemes)}://.")
    return text


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks as 10.1.0.0/16, with commas between."""
    try:
        return [ip_network(one.strip()) for one in os.environ.get(name, "").split(",") if one.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. Give networks such as 10.1.0.0/16 with commas between."
        ) from error


def mail(name: str) -> SplitResult:
    """smtp://user:password@host:port, smtps:// for TLS from the start, ?starttls=1 for TLS later; or nothing."""
    text = os.environ.get(name, "")
    url = urlsplit(text)
    if text and (url.scheme not in ("smtp", "smtps") or not url.hostname):
        raise ImproperlyConfigured(f"{name} is no address such as smtps://user:password@mail.example:465.")
    return url


def retentions(name: str, default: str) -> dict[str, str]:
    """How long deleted rows stay, for policies whose name does not say it."""
    try:
        return retention.read(os.environ.get(name) or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def database(name: str) -> dict[str, object]:
    """A DATABASES entry from postgresql://user:password@host:port/name?host=/socket/dir&sslmode=..."""
    url = urlsplit(os.environ.get(name, ""))
    if url.scheme not in ("postgresql", "postgres"):
        raise ImproperlyConfigured(
            f"{name} is not set or not a postgresql:// address. `make run` starts an embedded server and sets it."
        )
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    return {
        "ENGINE": "foundation.postgres",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.pop("host", url.hostname or ""),
        "PORT": query.pop("port", str(url.port or "")),
        "OPTIONS": query,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
