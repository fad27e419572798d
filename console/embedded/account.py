"""PostgreSQL refuses to run as root: then it gets a system user of its own.

The user's directories keep their permissions. What that system user cannot reach is copied to, or
placed in, STATE.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from console.embedded.errors import Refused

NAME = "custody"
STATE = Path("/var/lib/custody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user without a password, home or shell."""

    name: str
    uid: int
    gid: int

    def can_enter(self, directory: Path) -> bool:
        """Whether this user may pass through the directory and all directories above it."""
        return all(self._may(step, 0o1) for step in (directory, *directory.parents))

    def can_read(self, file: Path) -> bool:
        return self.can_enter(file.parent) and self._may(file, 0o4)

    def _may(self, path: Path, bit: int) -> bool:
        facts = path.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & bit << 6)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & bit << 3)
        return bool(facts.st_mode & bit)


def server_account() -> Account | None:
    """The user PostgreSQL must run as: None for ourselves, a system user when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create() -> pwd.struct_passwd:
    commands = (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"],
        ["adduser", "-S", "-D", "-H", "-h", "/nonexistent"],
    )
    for command in commands:
        if shutil.which(command[0]):
            subprocess.run([*command, "-s", "/bin/false", NAME], capture_output=True, check=False)
            try:
                return pwd.getpwnam(NAME)
            except KeyError:
                continue
    raise Refused(
        f"PostgreSQL does not run as root, and the system user {NAME!r} could not be created: "
        "start as another user, or set DATABASE_URL."
    )


def state_directory(name: str, account: Account) -> Path:
    """A directory under STATE for the account alone."""
    STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory = STATE / name
    if not directory.is_dir():
        directory.mkdir(mode=0o700)
    give(directory, account)
    return directory


def give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def readable_copy(sources: list[Path], name: str) -> Path:
    """Copies of directory trees under STATE/name that every user may read; made once, complete or not at all."""
    target = STATE / name
    if not target.is_dir():
        STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=STATE))
        try:
            for source in sources:
                shutil.copytree(source, unfinished / source.name, symlinks=True)
            _open_for_reading(unfinished)
            unfinished.rename(target)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not target.is_dir():
                raise
    return target


def _open_for_reading(tree: Path) -> None:
    for directory, _, files in os.walk(tree):
        os.chmod(directory, 0o755)
        for name in files:
            file = Path(directory, name)
            mode = file.lstat().st_mode
            if stat.S_ISREG(mode):
                file.chmod(stat.S_IMODE(mode) | 0o444 | (0o111 if mode & 0o100 else 0))
