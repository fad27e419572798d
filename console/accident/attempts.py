"""Ways to lose a table. Each is really tried, and says who stopped it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.test import Client

from audit import registry
from console.embedded.binaries import postgres_bin
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import CustodyError

ENTITY = "shop.usertag"
TABLE = "shop_usertag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was tried, who stopped it, and in which words.

    `stopped` is false when it went through; `refused` is false when it found no row to touch.
    """

    what: str
    by: str
    said: str
    seconds: float
    stopped: bool = True
    refused: bool = True


def by_sql(tenant: int) -> list[Refusal]:
    """The statements of the article, typed into psql as the application's own login."""
    seen = f"SET custody.tenant = '{tenant}'"
    return [
        _typed(f"DELETE FROM {TABLE}", f"DELETE FROM {TABLE};"),
        _typed(f"DELETE FROM {TABLE}, tenant set by hand", f"{seen}; DELETE FROM {TABLE};"),
        _typed(f"TRUNCATE {TABLE}", f"TRUNCATE {TABLE};"),
        _typed(f"UPDATE {TABLE} SET is_deleted = true", f"UPDATE {TABLE} SET is_deleted = true;"),
        _typed(
            f"UPDATE {TABLE} SET is_deleted = true, tenant set by hand",
            f"{seen}; UPDATE {TABLE} SET is_deleted = true;",
        ),
        _typed(
            "ALTER TABLE … DISABLE TRIGGER, to get around it", f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL;"
        ),
        _typed("DELETE FROM shop_historicalusertag, to hide it", f"{seen}; DELETE FROM shop_historicalusertag;"),
    ]  # fmt: skip


def by_orm(operator: Actor) -> list[Refusal]:
    """UserTag.objects.all().delete(), by a program that acts for the operator, and by nobody."""
    model: Any = registry.entity(ENTITY)
    with acting(operator, channel="shell", reason="a slip of the hand"):
        known = _asked("UserTag.objects.all().delete()", lambda: model.objects.all().delete())
    unknown = _asked("the same, by nobody", lambda: model.objects.all().delete())
    return [known, unknown]


def by_api(user: Any) -> Refusal:
    """POST /api/v1/changes/ with an empty filter: everything."""
    began = time.perf_counter()
    status, body = post(user, "changes/", _wanted({"where": []}))
    return Refusal(
        what="POST /api/v1/changes/, no filter",
        by=f"API, {status} {body.get('code', '')}",
        said=str(body.get("detail") or body),
        seconds=time.perf_counter() - began,
        stopped=status >= 400,
    )


def ask_by_api(user: Any) -> tuple[int, dict[str, Any]]:
    """The same request with a filter that every row matches: allowed to ask for."""
    return post(user, "changes/", _wanted({"where": [{"field": "tag", "op": "isnull", "value": False}]}))


def post(user: Any, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """A request through the whole web stack, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pages need their static files, the API does not
        client = Client(raise_request_exception=False)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        answer = client.post(
            f"/api/v1/{path}", body, content_type="application/json", headers={"host": settings.ALLOWED_HOSTS[0]}
        )
    return answer.status_code, answer.json()


def _wanted(selection: dict[str, Any]) -> dict[str, Any]:
    return {
        "entity": ENTITY,
        "operation": "delete",
        "selection": selection,
        "reason": "Clean up user tags before the campaign",
        "title": "Delete all user tags",
    }


def _asked(what: str, delete: Callable[[], Any]) -> Refusal:
    began = time.perf_counter()
    try:
        counted = delete()
    except CustodyError as error:
        return Refusal(what=what, by=f"gate, {error.code}", said=str(error), seconds=time.perf_counter() - began)
    return Refusal(what=what, by="nobody", said=str(counted), seconds=time.perf_counter() - began, stopped=False)


def _typed(what: str, statement: str) -> Refusal:
    """Run it in psql where there is one, else through psycopg, which says the same."""
    began = time.perf_counter()
    sqlstate, said = _psql(statement) if _psql_program() else _psycopg(statement)
    by = {
        "": "row level security: no context, no rows",
        "42501": "privileges" if "custody:" not in said else "row limit, by trigger",
    }.get(sqlstate, sqlstate)
    stopped = bool(sqlstate) or said.endswith(" 0")
    return Refusal(
        what=what,
        by=by if stopped else "nobody",
        said=said,
        seconds=time.perf_counter() - began,
        stopped=stopped,
        refused=bool(sqlstate),
    )


def _login() -> dict[str, str]:
    return {key: str(settings.DATABASES["default"][key]) for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}


def _psql_program() -> str | None:
    embedded = postgres_bin(None) / "psql"
    return str(embedded) if embedded.is_file() else shutil.which("psql")


def _psql(statement: str) -> tuple[str, str]:
    login = _login()
    place = {"PGHOST": login["HOST"], "PGPORT": login["PORT"], "PGDATABASE": login["NAME"], "PGUSER": login["USER"]}
    done = subprocess.run(
        [str(_psql_program()), "-X", "-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1", "-c", statement],
        env=os.environ | {key: value for key, value in place.items() if value} | {"PGPASSWORD": login["PASSWORD"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return "", done.stdout.strip().splitlines()[-1]
    state, _, said = done.stderr.strip().splitlines()[0].removeprefix("ERROR:").strip().partition(": ")
    return state, said.strip()


def _psycopg(statement: str) -> tuple[str, str]:
    login = _login()
    with psycopg.connect(
        host=login["HOST"], port=login["PORT"], dbname=login["NAME"], user=login["USER"], password=login["PASSWORD"]
    ) as connection:
        try:
            return "", connection.execute(statement.encode()).statusmessage or ""
        except psycopg.Error as error:
            return error.sqlstate or "?", str(error).splitlines()[0]
