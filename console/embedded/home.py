"""CUSTODY_HOME: the one directory that holds everything this installation must keep.

Files are for their owner only. Only directories made here get a mode from here; what the user
already had stays as it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from console.embedded.environment import lock_file
from console.embedded.errors import Refused

# A socket address holds about 100 bytes; the longest name we append is ".s.PGSQL.5432.lock".
LONGEST_SOCKET_DIRECTORY = 70
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")
SECRETS = ("postgres", "custody_owner", "custody_app", "valkey", "secret_key")


@dataclass(frozen=True, slots=True)
class Home:
    """The directory, checked: it exists, belongs to this user and takes writes."""

    path: Path

    @classmethod
    def open(cls, path: Path | str) -> Home:
        """Create what is missing. Raises Refused when this user cannot keep data there."""
        home = cls(Path(os.path.abspath(path)))
        try:
            make_private(home.path, mode=_home_mode())
            owner = home.path.stat().st_uid
            if owner != os.geteuid():
                raise Refused(
                    f"{home.path} belongs to user {user_name(owner)}: start as that user, "
                    "or name another directory in CUSTODY_HOME."
                )
            make_private(home.run, mode=_home_mode())
            make_private(home.log)
            _probe(home.path)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Refused(
                f"Cannot write to {home.path}: {reason}. Name a writable directory in CUSTODY_HOME."
            ) from None
        return home

    @property
    def run(self) -> Path:
        """Locks and addresses of the running servers."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def key(self) -> str:
        """Names this directory where its path is too long to be used."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]

    def sockets(self) -> Path:
        """A private directory with a path short and plain enough for unix sockets and their URLs."""
        if len(os.fsencode(self.run)) <= LONGEST_SOCKET_DIRECTORY and PLAIN_PATH.fullmatch(str(self.run)):
            return self.run
        return private_temporary(f"custody-{os.geteuid()}-{self.key}")

    def secrets(self) -> dict[str, str]:
        """The passwords of this installation, made on first use and kept."""
        file = self.path / "secrets.json"
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        missing = [name for name in SECRETS if name not in kept]
        if missing:
            kept |= {name: secrets.token_urlsafe(36 if name == "secret_key" else 24) for name in missing}
            write_private(file, json.dumps(kept, indent=1))
        return kept

    def lock(self) -> IO[str]:
        """Hold this directory while the returned file is open. Raises Refused when another start holds it."""
        file = open(lock_file(self.path), "a+")  # noqa: SIM115 - held as long as the process lives
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise Refused(
                f"Custody is already running with the data in {self.path}; stop it first, or set CUSTODY_HOME and PORT."
            ) from None
        return file


def make_private(directory: Path, mode: int = 0o700) -> None:
    """Create a directory with exactly this mode; an existing one is left alone."""
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir(mode=mode)
        except FileExistsError:
            if not directory.is_dir():
                raise
        else:
            directory.chmod(mode)


def write_private(file: Path, text: str) -> None:
    """Replace a file's content at once, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def private_temporary(name: str) -> Path:
    """A directory under the system's temporary one that nobody else could have prepared for us."""
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base)) > 30 or not PLAIN_PATH.fullmatch(str(base)):
        base = Path("/tmp")
    directory = base / name
    make_private(directory, mode=_home_mode())
    facts = directory.lstat()
    if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o066:
        return directory
    raise Refused(f"{directory} was not made by this user: remove it, or choose a shorter CUSTODY_HOME.")


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"


def _home_mode() -> int:
    # Started by root, PostgreSQL runs as another user, who must be able to pass through, not to look.
    return 0o711 if os.geteuid() == 0 else 0o700


def _probe(directory: Path) -> None:
    """Write and sync as much as a first start writes at least, to find a full or read-only disk now."""
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"\0" * 65536)
        file.flush()
        os.fsync(file.fileno())
