"""Window, trial, pace, retry and drift through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changes.models import SkippedRow
from tests.console.api.asking import assert_problem, delete_orders, laying_out, run
from tests.personas import orders


@pytest.fixture
def keys(db: None) -> list[int]:
    with laying_out():
        return [row.pk for row in orders(3)]


def later() -> str:
    return (datetime.now(UTC) + timedelta(hours=5)).isoformat()


def test_window_and_trial_are_asked_for_and_shown(client_of: Any, operator: Any, keys: list[int]) -> None:
    client = client_of(operator)
    made = delete_orders(client, keys, window={"not_before": later()}, canary={"percent": 10})
    assert made.status_code == 202
    change = client.get(f"/api/v1/changes/{made.json()['id']}/").json()
    assert (change["state"], change["canary"], change["held"]) == ("cleared", "", "")
    assert change["window"].keys() == {"not_before"}
    assert change["opens_at"]
    assert_problem(client.post(change["links"]["start"]), 409, "outside_window")


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"window": {"from": "22:00"}}, "bad_window", "window.to"),
        ({"window": [1]}, "bad_window", "window"),
        ({"canary": {"percent": 50}}, "bad_canary", "canary.percent"),
        ({"canary": "yes"}, "bad_canary", "canary"),
    ],
)
def test_what_cannot_be_read_is_named(
    client_of: Any, operator: Any, keys: list[int], more: Any, code: str, field: str
) -> None:
    status = delete_orders(client_of(operator), keys, **more)
    assert_problem(status, status.status_code, code, field)
    assert status.status_code in (400, 422)


def test_the_pace_is_tuned_and_bounded(client_of: Any, operator: Any, auditor: Any, keys: list[int]) -> None:
    client = client_of(operator)
    links = delete_orders(client, keys, window={"not_before": later()}).json()["links"]
    tuned = client.post(links["tune"], {"chunk_rows": 5, "rows_per_second": 100}).json()
    assert (tuned["chunk_rows"], tuned["rows_per_second"]) == (5, 100)
    assert client.post(links["tune"], {}).json()["chunk_rows"] is None
    answer = client.post(links["tune"], {"chunk_rows": 0})
    assert_problem(answer, answer.status_code, "bad_pace", "chunk_rows")
    assert_problem(client_of(auditor).post(links["tune"], {"chunk_rows": 5}), 403, "not_allowed")


def test_rows_left_alone_are_tried_again(client_of: Any, operator: Any, keys: list[int]) -> None:
    client = client_of(operator)
    change = delete_orders(client, keys).json()
    run(change["id"])
    links = change["links"]
    assert_problem(client.post(links["retry"], {"reason": "once more, please"}), 409, "nothing_to_retry")
    answer = client.post(links["retry"], {"reason": "once more, please", "reasons": ["luck"]})
    assert_problem(answer, answer.status_code, "unknown_reason", "reasons")


def test_drift_is_told_by_kind(client_of: Any, operator: Any, keys: list[int]) -> None:
    client = client_of(operator)
    change = delete_orders(client, keys, window={"not_before": later()}).json()
    told = client.get(change["links"]["drift"]).json()
    assert (told["rows"], told["changed"], told["gone"], told["recreated"], told["limit"]) == (0, 0, 0, 0, 10)
    with laying_out():
        assert not SkippedRow.objects.exists()
