"""CUSTODY_HOME: private, one start at a time, refused where it cannot work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.embedded.environment import is_running
from console.embedded.errors import Refused
from console.embedded.home import LONGEST_SOCKET_DIRECTORY, Home
from console.embedded.run import port_number, require_free_port
from console.embedded.tuning import GB, MB, Machine, settings_for
from tests.databases import free_port


def test_secrets_are_made_once(place: Path) -> None:
    first = Home.open(place / "home").secrets()
    assert Home.open(place / "home").secrets() == first
    assert len(set(first.values())) == len(first)


def test_a_second_start_is_told_who_runs(place: Path) -> None:
    home = Home.open(place / "home")
    with home.lock():
        assert is_running(home.path)
        with pytest.raises(Refused, match="already running"):
            home.lock()
    assert not is_running(home.path)


def test_a_place_that_takes_no_writes_is_refused(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(Refused, match="Cannot write to"):
        Home.open(place / "file" / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")
def test_the_home_of_another_user_is_refused(place: Path) -> None:
    home = place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    with pytest.raises(Refused, match="belongs to user"):
        Home.open(home)


@pytest.mark.parametrize("name", ["short", "n" * 120, "with space", "größe"])
def test_sockets_always_fit(place: Path, name: str) -> None:
    sockets = Home.open(place / name).sockets()
    assert len(os.fsencode(sockets)) <= LONGEST_SOCKET_DIRECTORY
    assert sockets.stat().st_mode & 0o066 == 0
    if place not in sockets.parents:
        sockets.rmdir()


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "8e3"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="PORT"):
        port_number(text)


def test_a_taken_port_is_refused() -> None:
    import socket

    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(Refused, match=f"Cannot listen on 127.0.0.1:{port}"):
            require_free_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("memory", "disk", "buffers", "wal"),
    [
        (512 * MB, 2 * GB, "128MB", "1024MB"),
        (24 * GB, 500 * GB, "3072MB", "8192MB"),
        (256 * GB, 8 * GB, "4096MB", "2048MB"),
    ],
)
def test_settings_follow_the_machine(memory: int, disk: int, buffers: str, wal: str) -> None:
    settings = settings_for(Machine(memory=memory, disk_free=disk, shared_memory_free=8 * GB))
    assert (settings["shared_buffers"], settings["max_wal_size"]) == (buffers, wal)
    assert (settings["fsync"], settings["synchronous_commit"]) == ("on", "on")


def test_little_shared_memory_is_not_relied_upon() -> None:
    settings = settings_for(Machine(memory=4 * GB, disk_free=50 * GB, shared_memory_free=64 * MB))
    assert settings["dynamic_shared_memory_type"] == "mmap"
