"""The main job through each kind of broker, with a real worker."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from changes.models import Change
from console.embedded.valkey import Valkey
from foundation.actor import Actor
from foundation.context import acting
from tests import journey, personas
from tests.conftest import tasks_go_to
from tests.databases import celery_worker

PATIENCE_S = 60.0


@pytest.fixture(params=["embedded", "redis", "amqp"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "embedded":
        server: Valkey = request.getfixturevalue("valkey")
        return server.broker_url
    name = f"TEST_{request.param.upper()}_URL"
    if not os.environ.get(name):
        pytest.skip(f"{name} is not set")
    return os.environ[name]


def test_a_worker_runs_what_was_started(
    real_db: Any, operator: Actor, approver: Actor, broker_url: str, tmp_path: Path
) -> None:
    with acting(operator):
        orders = personas.orders(30)
    worker = celery_worker(real_db.env | {"BROKER_URL": broker_url}, tmp_path / "worker.log")
    try:
        worker.wait_for_line(" ready.")
        with tasks_go_to(broker_url):
            outcome = journey.ask(operator, "shop.order", journey.keys_of(orders))
            journey.agree(outcome.ticket, approver)
            journey.start(outcome.change, operator)
        change = ended(outcome.change, operator)
    finally:
        worker.stop()
    assert (change.state, change.applied) == ("done", 30), worker.log.read_text()[-2000:]


def ended(change: Change, actor: Actor) -> Change:
    """The change as it is once nobody works on it any more."""
    deadline = time.monotonic() + PATIENCE_S
    with acting(actor):
        while True:
            change.refresh_from_db()
            if change.state not in ("cleared", "running") or time.monotonic() > deadline:
                return change
            time.sleep(0.05)
