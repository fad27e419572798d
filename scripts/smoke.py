"""`make smoke`: the main job from a fresh clone, with a real browser and then through the API.

Clones the current commit into an empty directory, starts it with `make run` on a free port and with a
home of its own, asks for 5,000 orders, agrees, runs, looks, undoes, compares every row, stops, and
looks for processes that stayed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from playwright.sync_api import Browser, Page, expect, sync_playwright
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from console.embedded.cluster import Cluster
from tests.conftest import CHROMIUM, CHROMIUM_ARGUMENTS

ORDERS = 5_000
TENANT = 1
REASON = "Duplicates of the March import, agreed with sales."
PATIENCE_S = 300.0
BEGAN = time.monotonic()
GIVEN = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "BROKER_URL",
    "CUSTODY_SECRET_KEY",
    "MAKEFLAGS",
    "MAKELEVEL",
)


def main() -> int:
    with place() as directory:
        clone = directory / "custody"
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
        step(f"cloned {commit(clone)}")
        with site(clone, directory / "home") as running:
            before = running.checksums()
            last = running.last_of_first_orders()
            in_browser(running, last)
            require(running.checksums() == before, "after the undo in the browser every row is as before")
            through_api(running, last)
            require(running.checksums() == before, "after the undo through the API every row is as before")
    print(f"\nSmoke passed in {time.monotonic() - BEGAN:.0f} s.")
    return 0


@dataclass(slots=True)
class Site:
    """The running clone."""

    process: subprocess.Popen[bytes]
    home: Path
    address: str
    logins: dict[str, str] = field(default_factory=dict)

    def checksums(self) -> dict[str, tuple[Any, ...]]:
        """Count and checksum of every column of every row, per table of the shop."""
        found = {}
        with psycopg.connect(Cluster(self.home).conninfo("postgres")) as connection:
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                "AND relname LIKE 'shop\\_%' AND relname NOT LIKE '%historical%' ORDER BY relname"
            ).fetchall()
            for (table,) in tables:
                query = sql.SQL("SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM {} t")
                found[table] = connection.execute(query.format(sql.Identifier(table))).fetchone() or ()
        return found

    def last_of_first_orders(self) -> int:
        """The key up to which there are ORDERS live orders of the tenant."""
        with psycopg.connect(Cluster(self.home).conninfo("postgres")) as connection:
            row = connection.execute(
                "SELECT max(id), count(*) FROM (SELECT id FROM shop_order WHERE tenant_id = %s AND NOT is_deleted "
                "ORDER BY id LIMIT %s) AS first",
                [TENANT, ORDERS],
            ).fetchone()
        require(row is not None and row[1] == ORDERS, f"the demo data has {ORDERS:,} orders")
        return int(row[0]) if row else 0

    def deleted(self, last: int) -> int:
        with psycopg.connect(Cluster(self.home).conninfo("postgres")) as connection:
            where = "SELECT count(*) FROM shop_order WHERE tenant_id = %s AND id <= %s AND is_deleted"
            row = connection.execute(where, [TENANT, last]).fetchone()
        return int(row[0]) if row else -1


# -- start and stop ------------------------------------------------------------------------------


@contextmanager
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="custody-smoke-"))
    directory.chmod(0o711)  # as root, PostgreSQL's own user passes through
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def site(clone: Path, home: Path) -> Iterator[Site]:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name not in GIVEN}
    log = clone.with_name("run.log")
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=clone,
            env=kept | {"CUSTODY_HOME": str(home), "PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        wait_for(lambda: "Ctrl-C stops everything" in log.read_text() or process.poll() is not None)
        require(process.poll() is None, f"make run starts\n{log.read_text()[-2000:] if process.poll() else ''}".strip())
        family = psutil.Process(process.pid).children(recursive=True)
        yield Site(process, home, f"http://127.0.0.1:{port}", logins(log.read_text()))
    except BaseException:
        show_logs(home)
        raise
    finally:
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
        _, left = psutil.wait_procs(family, timeout=1)
        left = [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    require(not left and not users_of(home), f"everything stopped in {time.monotonic() - began:.1f} s, no process left")


def users_of(home: Path) -> list[int]:
    """Processes that still work with this home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(home) in " ".join(process.cmdline()) or process.environ().get("CUSTODY_HOME") == str(home):
                found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]


def logins(text: str) -> dict[str, str]:
    found = dict(re.findall(r"^ +([a-z0-9]+) +([a-z0-9-]{10,}) ", text, re.MULTILINE))
    require({"operator", "approver", "approver2"} <= found.keys(), "make run prints the demo logins")
    return found


# -- in the browser ------------------------------------------------------------------------------


def in_browser(running: Site, last: int) -> None:
    path = os.environ.get("CHROMIUM") or next((hit for name in CHROMIUM if (hit := shutil.which(name))), None)
    require(path is not None, "there is a Chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        operator, complaints = signed_in(browser, running, "operator")
        try:
            main_job(browser, running, operator, complaints, last)
        except BaseException:
            picture = PROJECT / "var" / "smoke.png"
            picture.parent.mkdir(exist_ok=True)
            page = browser.contexts[-1].pages[-1]
            page.screenshot(path=picture, full_page=True)
            step(f"at {page.url}, see {picture}: {complaints}")
            raise
        finally:
            browser.close()


def main_job(browser: Browser, running: Site, operator: Page, complaints: list[str], last: int) -> None:
    ask_for_orders(operator, running, last)
    step(f"browser: operator asked for {ORDERS:,} orders")
    finish(browser, running, operator, complaints)
    require(running.deleted(last) == ORDERS, f"browser: {ORDERS:,} orders are deleted")
    at = operator.url
    history = operator.goto(f"{running.address}/admin/history/shop.order/{last}/")
    require(history is not None and history.ok, "browser: the history of an order opens")
    expect(operator.locator("#content-start")).to_contain_text(REASON)
    operator.goto(at)
    ask_for_undo(operator)
    step("browser: operator asked for the undo")
    finish(browser, running, operator, complaints)
    require(running.deleted(last) == 0, "browser: no order is deleted any more")
    require(not complaints, f"browser: no error on the console {complaints or ''}".strip())


def signed_in(browser: Browser, running: Site, name: str) -> tuple[Page, list[str]]:
    page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    # A request given up by leaving the page is no fault; htmx reports it as an error.
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and not message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{running.address}/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", running.logins[name])
    page.click("button[type=submit]:not(.theme-toggle):has-text('Log in'), input[type=submit]")
    page.wait_for_url(re.compile(r"/admin/$"))
    return page, complaints


def ask_for_orders(page: Page, running: Site, last: int) -> None:
    page.goto(f"{running.address}/admin/changes/new/?entity=shop.order")
    choose(page, "select[name^=f-]", "id")
    choose(page, "select[name^=o-]", "lte")
    page.fill("input[name^=v-]", str(last))
    page.locator(".p-next button[value=next]").click()
    page.wait_for_url(re.compile(r"/look/$"))
    page.locator(".p-next a.c-prim").click()
    page.wait_for_url(re.compile(r"/why/$"))
    page.fill("#id_reason", REASON)
    page.locator(".p-next button[value=ask]").click()
    page.wait_for_url(re.compile(r"/(tickets|changes)/\d+/$"))


def choose(page: Page, selector: str, value: str) -> None:
    """Choose from a list that fetches the form anew."""
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.ok):
        page.locator(selector).first.select_option(value)
    expect(page.locator(selector).first).to_have_value(value)


def ask_for_undo(page: Page) -> None:
    page.locator("a[href$='/undo/']").first.click()
    page.wait_for_url(re.compile(r"/undo/$"))
    page.fill("#id_reason", "Restored: the import was right after all.")
    page.fill("#id_code", page.locator("label[for=id_code] b").inner_text())
    page.locator("form#undo button.c-prim").last.click()
    page.wait_for_url(re.compile(r"/(tickets|changes)/\d+/$"))


def finish(browser: Browser, running: Site, asking: Page, complaints: list[str]) -> None:
    """Have the ticket at hand approved by as many as it needs, start it, and wait until it is verified."""
    for name in ("approver", "approver2"):
        page, said = signed_in(browser, running, name)
        page.goto(asking.url)
        approve = page.locator("#panel button[value=approve]")
        if approve.count():
            approve.click()
            page.fill("#step_up_password", running.logins[name])  # a decision asks for a fresh proof
            page.click("#step-up button.c-prim")
            page.wait_for_url(asking.url)
            expect(page.locator("#panel button[value=approve]")).to_have_count(0)
            step(f"browser: {name} approved")
        complaints += said
        page.context.close()
    asking.reload()
    start = asking.locator("form[action$='/start/'] button")
    if start.count():
        start.click()
    expect(asking.locator("progress").first).to_be_visible()
    wait_for(lambda: bool(asking.reload() and "Verified" in asking.locator("#content-start").inner_text()))
    step("browser: it ran and is verified")


# -- through the API -----------------------------------------------------------------------------


def through_api(running: Site, last: int) -> None:
    operator = Client(running, "operator")
    where = {"where": [{"field": "id", "op": "lte", "value": last}]}
    body = {"entity": "shop.order", "operation": "delete", "selection": where, "reason": REASON}
    change = operator.send("/api/v1/changes/", body)
    step(f"API: operator asked for {change['rows_total']:,} rows, ticket {change['ticket']}")
    change = drive(running, operator, change)
    require(running.deleted(last) == ORDERS, f"API: {ORDERS:,} orders are deleted")
    preview = operator.get(change["links"]["undo_preview"])
    require(preview["conflicts"] == 0, "API: the undo has no conflicts")
    undo = operator.send(change["links"]["undo"], {"reason": REASON})
    drive(running, operator, undo)
    require(running.deleted(last) == 0, "API: no order is deleted any more")


def drive(running: Site, operator: Client, change: dict[str, Any]) -> dict[str, Any]:
    for name in ("approver", "approver2"):
        ticket = operator.get(change["links"]["ticket"])
        if ticket["state"] == "pending":
            vote = {"decision": "approve", "digest": ticket["digest"]}
            voter = Client(running, name)
            voter.send("/api/v1/step-up/", {"password": running.logins[name]})
            voter.send(ticket["links"]["votes"], vote)
    operator.send(change["links"]["start"], {})
    wait_for(lambda: operator.get(change["links"]["self"])["state"] not in ("running", "cleared"))
    ended = operator.get(change["links"]["self"])
    require(
        ended["state"] == "done" and ended["verification"]["equal"], f"API: change {ended['id']} ran and is verified"
    )
    return ended


class Client:
    """One login of the API, by token."""

    def __init__(self, running: Site, name: str) -> None:
        self._address, self._token = running.address, ""
        credentials = {"username": name, "password": running.logins[name]}
        self._token = self.send("/api/v1/tokens/", credentials)["token"]

    def get(self, path: str) -> Any:
        return self._ask(path, None)

    def send(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        url = path if path.startswith("http") else self._address + path
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        if self._token:
            request.add_header("Authorization", f"Token {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"smoke: {path} answered {error.code}: {error.read().decode()[:500]}") from None


# -- small things --------------------------------------------------------------------------------


def require(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"smoke: NOT TRUE: {what}")
    step(what)


def step(text: str) -> None:
    print(f"smoke: {time.monotonic() - BEGAN:5.0f} s  {text}", flush=True)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("smoke: NOT TRUE: it happens in time")
        time.sleep(0.2)


def show_logs(home: Path) -> None:
    for log in sorted((home / "log").glob("*.log")) if home.is_dir() else []:
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}", flush=True)


def commit(clone: Path) -> str:
    return subprocess.check_output(["git", "log", "-1", "--format=%h %s"], cwd=clone, text=True).strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
