"""What the tests of the API say again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from changes import execution
from foundation.actor import Actor
from foundation.context import acting

REASON = "duplicates from the import"


@contextmanager
def laying_out(tenant: int = 1) -> Iterator[None]:
    """Rows of a tenant, written by the machine that lays out tests."""
    with acting(Actor.service("tests", tenant_id=tenant)):
        yield


def delete_orders(client: Any, keys: list[Any], **more: Any) -> Any:
    """Ask for orders to be deleted."""
    headers = more.pop("headers", {})
    body = {"entity": "shop.order", "operation": "delete", "selection": {"keys": keys}, "reason": REASON} | more
    return client.post("/api/v1/changes/", body, headers=headers)


def run(change_id: int) -> None:
    """What a worker does."""
    with acting(Actor.service("worker", tenant_id=1)):
        while execution.work(change_id, worker="test"):
            pass


def assert_problem(response: Any, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """The answer is problem+json with this status and code."""
    assert response.status_code == status, response.content[:800]
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.content.decode()
    if field is not None:
        assert body["field"] == field, body
    return body
