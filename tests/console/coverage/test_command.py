"""`manage.py coverage`: the frozen baseline is compared both ways."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from console.coverage.baseline import UNFILLED
from tests.applications import installed

FORGOTTEN = ["forgotten.note", "forgotten.note_about", "forgotten.paper", "forgotten.sketch"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "baseline.json"


def coverage(path: Path | None = None, **options: bool) -> str:
    said = StringIO()
    more = {} if path is None else {"baseline": path}
    call_command("coverage", stdout=said, stderr=said, **options, **more)
    return said.getvalue()


def test_this_project_has_no_gap_beyond_its_baseline() -> None:
    coverage(fail=True)


def test_a_new_gap_fails(path) -> None:
    with installed("tests.console.coverage.forgotten"), pytest.raises(CommandError) as error:
        coverage(path, fail=True)
    assert str(error.value).count("is not governed") == len(FORGOTTEN)
    assert "models: forgotten.note is not governed: no entity" in str(error.value)


def test_a_frozen_gap_with_a_reason_passes_and_keeps_it(path) -> None:
    with installed("tests.console.coverage.forgotten"):
        coverage(path, freeze=True)
        frozen = json.loads(path.read_text())
        assert frozen == {"models": dict.fromkeys(FORGOTTEN, UNFILLED)}
        with pytest.raises(CommandError, match="without a reason"):
            coverage(path, fail=True)
        path.write_text(json.dumps({"models": dict.fromkeys(FORGOTTEN, "moves to Entity in May")}))
        coverage(path, fail=True)
        coverage(path, freeze=True)
        assert json.loads(path.read_text())["models"]["forgotten.note"] == "moves to Entity in May"


def test_an_entry_for_what_is_governed_by_now_fails_until_it_is_taken_out(path) -> None:
    path.write_text(json.dumps({"models": {"shop.order": "later"}, "tasks": {"gone.task": "later"}}))
    with pytest.raises(CommandError) as error:
        coverage(path, fail=True)
    assert str(error.value).count("take the entry out") == 2
    coverage(path, freeze=True)
    assert json.loads(path.read_text()) == {}
    coverage(path, fail=True)


@pytest.mark.parametrize("text", ["[]", "{", '{"models": []}', '{"modles": {}}'])
def test_a_baseline_that_cannot_be_read_is_named(path, text) -> None:
    path.write_text(text)
    with pytest.raises(CommandError, match=r"baseline\.json"):
        coverage(path, fail=True)


def test_the_table_names_what_is_open_and_why(path) -> None:
    said = coverage(path)
    assert "models: " in said
    assert "declared open healthz" in said
    assert "shop.order: ask_delete" not in said
    assert "shop.order: ask_delete" in coverage(path, all=True)


def test_programs_get_everything_as_json(path) -> None:
    whole = json.loads(coverage(path, json=True))
    assert list(whole) == ["models", "views", "admin actions", "tasks", "API routes"]
    order = next(one for one in whole["models"]["found"] if one["name"] == "shop.order")
    assert order == {"name": "shop.order", "standing": "governed", "why": "entity, captured"}
    for kind in whole.values():
        assert sum(kind["counts"].values()) == len(kind["found"])
