"""Which database, cache and broker to use: the embedded ones, or those the environment names, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import psycopg

from console.embedded.cluster import ADMIN, Cluster
from console.embedded.environment import address
from console.embedded.errors import Refused
from console.embedded.home import Home
from console.embedded.roles import APP, OWNER, ensure_roles, may_create_roles
from console.embedded.valkey import Valkey

DATABASE = "custody"
OLDEST_POSTGRES = 150000


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers to start here, None where the environment names another, and every address."""

    cluster: Cluster | None
    valkey: Valkey | None
    addresses: dict[str, str]

    @classmethod
    def choose(cls, home: Home, environ: Mapping[str, str]) -> Servers:
        """Servers given by the environment are asked already here. Raises Refused when one is of no use."""
        given = {name: environ.get(name, "") for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
        if given["DATABASE_OWNER_URL"] and not given["DATABASE_URL"]:
            raise Refused("DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or only DATABASE_URL.")
        cluster = None if given["DATABASE_URL"] else Cluster(home)
        cache, broker = environ.get("REDIS_URL"), environ.get("BROKER_URL")
        valkey = None if cache and broker else Valkey(home)
        database = _addresses(home, cluster.conninfo()) if cluster else _given_database(home, given)
        addresses = database | {
            "REDIS_URL": cache or (valkey.cache_url if valkey else ""),
            "BROKER_URL": broker or (valkey.broker_url if valkey else ""),
        }
        return cls(cluster, valkey, addresses)

    def wait(self, home: Home, *, has_ended: Callable[[], bool] = lambda: False) -> None:
        """Return once the servers started here answer and the embedded database exists."""
        if self.cluster is not None:
            self.cluster.wait(has_ended=has_ended)
            _ensure(home, self.cluster.conninfo(ADMIN, "postgres"), DATABASE)
        if self.valkey is not None:
            self.valkey.wait(has_ended=has_ended)


def _given_database(home: Home, given: Mapping[str, str]) -> dict[str, str]:
    for name, url in given.items():
        if url:
            _require_postgres(name, url)
    url = given["DATABASE_URL"]
    if given["DATABASE_OWNER_URL"]:
        return dict(given)
    if not may_create_roles(url):
        raise Refused(
            "The login of DATABASE_URL may not create roles and databases: set DATABASE_OWNER_URL to the login "
            f"that migrates (role {OWNER}) and DATABASE_URL to the one that works (role {APP})."
        )
    _ensure(home, url, unquote(urlsplit(url).path.lstrip("/")) or DATABASE)
    return _addresses(home, url)


def _ensure(home: Home, admin: str, database: str) -> None:
    kept = home.secrets()
    ensure_roles(admin, owner_password=kept[OWNER], app_password=kept[APP], database=database)


def _addresses(home: Home, url: str) -> dict[str, str]:
    kept = home.secrets()
    return {
        "DATABASE_URL": address(url, user=APP, password=kept[APP]),
        "DATABASE_OWNER_URL": address(url, user=OWNER, password=kept[OWNER]),
    }


def _require_postgres(name: str, url: str) -> None:
    """Raises Refused when the address does not answer, or answers with a version that is too old."""
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise Refused(f"{name} must be a postgresql:// address.")
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise Refused(f"{name} does not answer: {str(error).strip().splitlines()[-1]}") from None
    if version < OLDEST_POSTGRES:
        raise Refused(f"{name} is PostgreSQL {version // 10000}; Custody needs PostgreSQL 15 to 18.")
