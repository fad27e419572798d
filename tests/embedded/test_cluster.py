"""The embedded PostgreSQL: made once, private, and back after every kind of end."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from console.embedded.cluster import Cluster
from console.embedded.errors import Refused
from console.embedded.roles import ensure_roles

SMALL = {"shared_buffers": "64MB"}
SYSTEM = ("postgres", "postgres")  # role, database

pytestmark = pytest.mark.embedded


@pytest.fixture
def cluster(place: Path) -> Iterator[Cluster]:
    with Cluster(place / "home", settings=SMALL) as running:
        yield running
    running.destroy()


def kill_all(cluster: Cluster) -> None:
    postmaster = psutil.Process(cluster.pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.kill()


def test_acknowledged_rows_survive_a_kill_of_every_process(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo(*SYSTEM), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    kill_all(cluster)
    cluster.start()
    with psycopg.connect(cluster.conninfo(*SYSTEM)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_the_start(cluster: Cluster) -> None:
    kill_all(cluster)
    file = cluster.data / "postmaster.pid"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    cluster.start()
    psycopg.connect(cluster.conninfo(*SYSTEM)).close()


def test_a_login_needs_its_password_also_on_the_socket(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(cluster.sockets), port=5432, user="postgres", dbname="postgres", password="guess")


def test_commits_wait_for_the_disk_and_nothing_listens_on_the_network(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo(*SYSTEM)) as connection:
        found = connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
            "current_setting('full_page_writes'), current_setting('listen_addresses'), current_setting('data_checksums')"
        ).fetchone()
    assert found == ("on", "on", "on", "", "on")


def test_files_are_for_their_owner_only(cluster: Cluster) -> None:
    assert (cluster.home.path / "secrets.json").stat().st_mode & 0o077 == 0
    assert cluster.data.stat().st_mode & 0o077 == 0
    assert cluster.sockets.stat().st_mode & 0o077 == 0


def test_the_server_ends_with_the_process_that_started_it(place: Path) -> None:
    child = os.fork()
    if child == 0:
        Cluster(place / "home", settings=SMALL).start()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    cluster = Cluster(place / "home", settings=SMALL)
    deadline = time.monotonic() + 15
    while (cluster.data / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (cluster.data / "postmaster.pid").exists()
    cluster.destroy()


def test_roles_are_made_once_and_the_application_is_no_owner(cluster: Cluster) -> None:
    kept = cluster.home.secrets()
    for _ in range(2):
        ensure_roles(
            cluster.conninfo(*SYSTEM),
            owner_password=kept["custody_owner"],
            app_password=kept["custody_app"],
            database="custody",
        )
    with psycopg.connect(cluster.conninfo("custody_app")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE custody_owner")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")


def test_a_role_with_createrole_only_can_bootstrap(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo(*SYSTEM), autocommit=True) as connection:
        connection.execute("CREATE ROLE dba LOGIN CREATEROLE CREATEDB PASSWORD 'dba'")
    dba = f"postgresql://dba:dba@/postgres?host={cluster.sockets}"
    for _ in range(2):
        ensure_roles(dba, owner_password="o", app_password="a", database="theirs")
    psycopg.connect(f"postgresql://custody_app:a@/theirs?host={cluster.sockets}").close()


def test_a_long_path_with_spaces_works(place: Path) -> None:
    home = place / ("a long name, with spaces & more " * 3) / "home"
    for directory in (home.parent, home):
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    with Cluster(home, settings=SMALL) as cluster:
        psycopg.connect(cluster.conninfo(*SYSTEM)).close()
    cluster.destroy()


def test_data_of_another_version_is_refused(place: Path) -> None:
    cluster = Cluster(place / "home")
    cluster.data.mkdir()
    (cluster.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(Refused, match="is of PostgreSQL 16"):
        cluster.start()


def test_a_first_start_that_was_killed_is_begun_afresh(place: Path) -> None:
    unfinished = Cluster(place / "home", settings=SMALL)
    (unfinished.data.with_name("postgres.new") / "base").mkdir(parents=True)
    with unfinished as cluster:
        psycopg.connect(cluster.conninfo(*SYSTEM)).close()
    cluster.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_as_root_an_unreachable_home_keeps_its_permissions(place: Path) -> None:
    home = place / "closed" / "home"
    home.parent.mkdir(mode=0o700)
    with Cluster(home, settings=SMALL) as cluster:
        assert home not in cluster.data.parents
        assert home.parent.stat().st_mode & 0o777 == 0o700
        assert Path((home / "postgres.location").read_text().strip()) in cluster.data.parents
    cluster.destroy()
    shutil.rmtree(home.parent)
