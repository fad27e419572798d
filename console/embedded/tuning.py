"""Settings of the embedded PostgreSQL, scaled to the machine: large set-based writes are its main work."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

MB = 1024 * 1024
GB = 1024 * MB
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Machine:
    memory: int
    disk_free: int
    shared_memory_free: int

    @classmethod
    def measure(cls, data: Path) -> Machine:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        shm = Path("/dev/shm")
        return cls(
            memory=min([memory, *_cgroup_limits()]),
            disk_free=shutil.disk_usage(data).free,
            shared_memory_free=shutil.disk_usage(shm).free if shm.is_dir() else 0,
        )


def settings_for(machine: Machine) -> dict[str, str]:
    """PostgreSQL settings; durability is never traded for speed."""
    shared_buffers = _between(machine.memory // 8, 128 * MB, 4 * GB)
    max_wal = _between(machine.disk_free // 4, 1 * GB, 8 * GB)
    settings = {
        "autovacuum_naptime": "15s",
        "checkpoint_completion_target": "0.9",
        "checkpoint_timeout": "15min",
        "effective_cache_size": _in_mb(machine.memory // 2),
        "fsync": "on",
        "jit": "off",
        "listen_addresses": "",
        "log_checkpoints": "off",
        "maintenance_work_mem": _in_mb(_between(machine.memory // 16, 64 * MB, 512 * MB)),
        "max_connections": "100",
        "max_wal_size": _in_mb(max_wal),
        "password_encryption": "scram-sha-256",
        "shared_buffers": _in_mb(shared_buffers),
        "synchronous_commit": "on",
        "unix_socket_permissions": "0700",
        "wal_compression": "on",
        "work_mem": _in_mb(_between(machine.memory // 256, 4 * MB, 64 * MB)),
    }
    if 0 < machine.shared_memory_free < 1 * GB:
        # Containers often have 64 MB there, which a parallel hash join overruns.
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def _cgroup_limits() -> list[int]:
    texts = [file.read_text().strip() for file in CGROUP_LIMITS if file.is_file()]
    return [int(text) for text in texts if text.isdigit()]


def _between(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _in_mb(size: int) -> str:
    return f"{size // MB}MB"
