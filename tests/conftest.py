"""Fixtures of every test. PostgreSQL is always a real one, and the tests' login is the application's.

Tests run in a transaction that is rolled back (`db`). What must commit for real asks for `real_db`.
`transactional_db` is refused: it empties tables with TRUNCATE, which the application's login may not do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import kombu.pools
import psycopg
import pytest
from django.conf import settings

from console.embedded.valkey import Valkey
from tests.servers import PROJECT, Servers, manage, session_servers

pytest_plugins = ["tests.personas"]

SERVERS = pytest.StashKey[Servers]()
CLEANUP = pytest.StashKey[ExitStack]()
# Where the database does the work: these also run on the PostgreSQL and the brokers of a distribution.
SERVICE_AREAS = ("audit", "changes", "approvals", "services")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers (an xdist worker is told about them), then name the settings module to pytest-django."""
    given = getattr(config, "workerinput", {}).get("custody")
    if not given and settings.configured:
        raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests bring their own servers and settings.")
    if given:
        servers = Servers.from_json(given)
    else:
        config.stash[CLEANUP] = ExitStack()
        servers = config.stash[CLEANUP].enter_context(session_servers())
    config.stash[SERVERS] = servers
    name = _database_name(config)
    os.environ.update(servers.environment(name))
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright's loop runs in the thread that uses the database
    # Passwords of tests guard nothing; one of the default kind takes half a second, to make and to check.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    settings.DATABASES["default"]["NAME"] = name  # an xdist worker inherited the settings of the session's start


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than there are processors, since tests also wait for servers, browsers and locks."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def pytest_configure_node(node: Any) -> None:
    node.workerinput["custody"] = node.config.stash[SERVERS].as_json()


def pytest_unconfigure(config: pytest.Config) -> None:
    if CLEANUP in config.stash:
        config.stash[CLEANUP].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(PROJECT / "tests").parts[0] in SERVICE_AREAS:
            item.add_marker(pytest.mark.services)
        mark = item.get_closest_marker("django_db")
        if (mark and mark.kwargs.get("transaction")) or "transactional_db" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid}: use the fixture real_db to commit for real.")


def _database_name(config: pytest.Config) -> str:
    return f"custody_test_{_worker(config)}"


def _site_database(config: pytest.Config) -> str:
    return f"custody_site_{_worker(config)}"


def _worker(config: pytest.Config) -> str:
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    return pytestconfig.stash[SERVERS]


@pytest.fixture(scope="session")
def django_db_setup(servers: Servers, pytestconfig: pytest.Config) -> Iterator[None]:
    """pytest-django's fixture, replaced: a clone of the migrated template instead of migrations per worker."""
    name = _database_name(pytestconfig)
    servers.clone(name)
    yield
    from django.db import connections

    connections.close_all()
    servers.drop(name)


@pytest.fixture
def owner(django_db_setup: None, servers: Servers, pytestconfig: pytest.Config) -> Iterator[psycopg.Connection]:
    """An autocommit connection as custody_owner to the database of `db`. What it commits stays: undo it."""
    with psycopg.connect(servers.owner_url(_database_name(pytestconfig)), autocommit=True) as connection:
        yield connection


@pytest.fixture
def real_db(request: pytest.FixtureRequest, servers: Servers, django_db_blocker: Any) -> Iterator[Any]:
    """A database of this test's own, to commit to; Django's `default` points to it (see RealDatabase)."""
    from tests.databases import database_of_its_own, default_database

    # The site is a process that outlives the test, so each database it works on has the name it knows.
    name = _site_database(request.config) if "live_site" in request.fixturenames else ""
    with (
        database_of_its_own(servers, "real", name) as database,
        django_db_blocker.unblock(),
        default_database(database.name),
    ):
        yield database


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A private Valkey for this process: `cache_url` and `broker_url`."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def broker(valkey: Valkey) -> Iterator[str]:
    """The address of an empty broker; tasks sent from the test go there."""
    _empty(valkey)
    with tasks_go_to(valkey.broker_url):
        yield valkey.broker_url


def _empty(valkey: Valkey) -> None:
    import redis

    with redis.Redis.from_url(valkey.cache_url) as client:
        client.flushall()


@contextmanager
def tasks_go_to(url: str) -> Iterator[None]:
    """Send what this process enqueues to another broker."""
    from console.celery import app

    before = app.conf.broker_url
    _point(app, url)
    try:
        yield
    finally:
        _point(app, before)


def _point(app: Any, url: str) -> None:
    app.conf.update(broker_url=url, broker_read_url=None, broker_write_url=None)
    kombu.pools.reset()
    app._pool = app.amqp._producer_pool = None


@pytest.fixture
def worker_process(real_db: Any, broker: str, valkey: Valkey, tmp_path: Path) -> Iterator[Any]:
    """A real Celery worker on real_db: `.stop()`, `.kill()`, `.start()`, `.popen`, `.log`."""
    from tests.databases import celery_worker

    process = celery_worker(
        real_db.env | {"BROKER_URL": broker, "REDIS_URL": valkey.cache_url}, tmp_path / "worker.log"
    )
    try:
        process.wait_for_line(" ready.")
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def collected_static(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CUSTODY_HOME whose static files are collected as in production."""
    home = tmp_path_factory.mktemp("site")
    environment = servers.environment("none") | {"CUSTODY_HOME": str(home), "CUSTODY_DEBUG": "0"}
    manage(environment, "collectstatic", "--noinput", "--verbosity=0")
    return home


@pytest.fixture(scope="session")
def site(
    servers: Servers, pytestconfig: pytest.Config, collected_static: Path, valkey: Valkey, tmp_path_factory: Any
) -> Iterator[str]:
    """The address of a real gunicorn, as in production, on whatever database has the name it was given."""
    from tests.databases import free_port, gunicorn

    port = free_port()
    environment = os.environ | servers.environment(_site_database(pytestconfig))
    environment |= {"CUSTODY_DEBUG": "0", "CUSTODY_HOME": str(collected_static), "REDIS_URL": valkey.cache_url}
    process = gunicorn(environment, port, tmp_path_factory.mktemp("web") / "web.log")
    address = f"http://127.0.0.1:{port}"
    try:
        process.wait_for_answer(f"{address}/healthz")
        yield address
    finally:
        process.stop()


@pytest.fixture
def live_site(real_db: Any, site: str, valkey: Valkey) -> str:
    """The address of the site on real_db, its cache empty. The test's own commits are visible to it."""
    _empty(valkey)
    return site


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's Chromium. Without one browser tests are skipped, and fail where CI=true."""
    found: Callable[[str], str | None] = shutil.which
    path = os.environ.get("CHROMIUM") or next((hit for name in CHROMIUM if (hit := found(name))), None)
    if path is None:
        reason = "no Chromium on PATH: install it, or name it in CHROMIUM"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return browser_type_launch_args | {"executable_path": path, "args": CHROMIUM_ARGUMENTS}
