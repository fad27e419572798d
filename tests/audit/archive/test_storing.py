"""A file comes to be whole or not at all: written aside, read back, compared, then named."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from audit.archive import files, parquet, storing
from audit.archive.columns import columns_of
from audit.archive.storing import Source, store
from audit.errors import ArchiveDiffers, ArchiveFull, ArchivePathOutside
from tests.servers import PROJECT

PATH = "1/x/1/part-0.parquet"


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Any) -> Path:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path / "archive"
    return tmp_path / "archive"


@pytest.fixture
def source(db: Any) -> Iterator[Source]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE thing AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 12000) n"
        )
        yield Source(entity="x", table="pg_temp.thing", clause="FROM pg_temp.thing o ORDER BY o.n", values={})
        transaction.set_rollback(True)


def left(archive: Path) -> list[str]:
    return sorted(str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file())


def test_the_file_says_what_it_is_and_holds_every_row(source: Source, archive: Path) -> None:
    stored = store(source, PATH, about={"change": 7})
    assert (stored.rows, stored.path) == (12_000, PATH)
    assert stored.sha256 == files.sha256(archive / PATH)
    assert parquet.about(archive / PATH) == {"change": 7}
    assert [c.kind for c in parquet.columns_of_file(archive / PATH)] == ["integer", "text"]
    assert left(archive) == [PATH]


def test_with_debugging_on_a_file_is_written_as_well(source: Source, settings: Any) -> None:
    """CUSTODY_DEBUG=1 gives every connection a cursor of another kind."""
    settings.DEBUG = True
    assert store(source, PATH, about={}).rows == 12_000


def test_any_reader_of_parquet_reads_it(source: Source, archive: Path) -> None:
    import pyarrow.parquet

    store(source, PATH, about={})
    read = pyarrow.parquet.read_table(archive / PATH)
    assert read.column("n").to_pylist()[:3] == [1, 2, 3]
    assert read.column("t")[0].as_py().startswith("c4ca4238a0b923820dcc509a6f75849b")


def test_rows_are_written_in_batches(source: Source, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(parquet, "BATCH_BYTES", 100_000)
    store(source, PATH, about={})
    assert pyarrow.parquet.ParquetFile(archive / PATH).num_row_groups > 50


def test_a_file_that_differs_is_never_named(source: Source, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk tells something else than what was written."""
    honest = parquet.read

    def lying(path: Path) -> Iterator[Any]:
        for number, row in enumerate(honest(path)):
            yield (row[0], b"other") if number == 8_000 else row

    monkeypatch.setattr(parquet, "read", lying)
    with pytest.raises(ArchiveDiffers) as refused, transaction.atomic():
        store(source, PATH, about={})
    assert (refused.value.facts["row"], refused.value.facts["column"]) == (8_001, "t")
    assert left(archive) == []


@pytest.mark.parametrize("lost", [slice(0, -1), slice(1, None)])
def test_a_file_that_misses_a_row_is_never_named(
    source: Source, archive: Path, monkeypatch: pytest.MonkeyPatch, lost: slice
) -> None:
    honest = parquet.read
    monkeypatch.setattr(parquet, "read", lambda path: iter(list(honest(path))[lost]))
    with pytest.raises(ArchiveDiffers), transaction.atomic():
        store(source, PATH, about={})
    assert left(archive) == []


def test_without_the_comparison_a_lying_disk_would_pass(
    source: Source, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotage: what the comparison is there for."""
    monkeypatch.setattr(parquet, "read", lambda path: iter(()))
    monkeypatch.setattr(storing, "compare", lambda source, columns, path: None)
    assert store(source, PATH, about={}).rows == 12_000


def test_a_full_disk_leaves_nothing_and_is_said(source: Source, archive: Path) -> None:
    """The system refuses the write itself: a limit on the size of files stands for a full disk."""
    import signal

    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ArchiveFull) as refused, transaction.atomic():
            store(source, PATH, about={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert refused.value.facts["cause"] == os.strerror(errno.EFBIG)
    assert left(archive) == []
    assert store(source, PATH, about={}).rows == 12_000


def test_a_writer_that_died_leaves_no_file_that_counts(source: Source, archive: Path) -> None:
    """SIGKILL in the middle of writing; the next writer clears away what is left."""
    (archive / "1/x/1").mkdir(parents=True)
    program = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, '.')\n"
        "import pyarrow as pa; from audit.archive import parquet; from audit.archive.columns import Column\n"
        "from audit.archive.codecs import EXACT\n"
        "def rows():\n"
        "    for n in range(20_000):\n"
        "        if n == 15_000: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield (n.to_bytes(4, 'big'),)\n"
        f"parquet.write(Path({str(archive / '1/x/1/.part-0.parquet.9-x.tmp')!r}), "
        "[Column('n', 'integer', 'int4', EXACT['int4'])], rows(), {})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert left(archive) == ["1/x/1/.part-0.parquet.9-x.tmp"]
    store(source, PATH, about={})
    assert left(archive) == [PATH]


def test_a_writer_that_slept_cannot_put_its_file_over_the_new_one(source: Source, archive: Path) -> None:
    asleep = files.begin(PATH)
    asleep.write_bytes(b"old")
    stored = store(source, PATH, about={})
    with pytest.raises(FileNotFoundError):
        files.put(asleep, PATH)
    assert files.sha256(archive / PATH) == stored.sha256


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "1/../../x", "."])
def test_no_path_leaves_the_archive(path: str) -> None:
    with pytest.raises(ArchivePathOutside):
        files.place(path)


def test_memory_is_bounded_by_batches_not_by_rows(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    whole = parquet._batch
    monkeypatch.setattr(parquet, "_batch", lambda *given: held.append(len(given[2])) or whole(*given))
    store(source, PATH, about={})
    assert max(held) <= parquet.BATCH_ROWS < 12_000
    assert columns_of("pg_temp.thing")[1].kind == "text"
