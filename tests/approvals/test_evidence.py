"""Evidence packs: complete, the same bytes for the same state, masked, checked without the console, and written down."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access.errors import NotAllowed
from approvals import evidence
from approvals.evidence.packing import NothingToProve
from audit.models import Event
from changes import drafts
from changes.models import SkippedRow
from console.evidence import pages
from foundation.actor import Actor
from foundation.context import acting
from scripts.verify_evidence import problems
from tests.journey import ask, carry_out, keys_of
from tests.personas import customer, orders, user_of
from tests.servers import PROJECT

pytestmark = pytest.mark.django_db
FILES = {
    "request.json", "ticket.json", "votes.jsonl", "checks.jsonl", "parts.jsonl", "lanes.jsonl", "left-alone.jsonl",
    "archives.jsonl", "snapshots.jsonl", "history.jsonl", "events.jsonl", "readme.en.html", "readme.zh-hans.html",
    "manifest.json",
}  # fmt: skip


def taken(change: Any, actor: Actor) -> bytes:
    with acting(actor):
        made = evidence.pack(change.pk, actor=actor, pages=pages)
    with made.file as file:
        return file.read()


@pytest.fixture
def done(operator: Actor, approver: Actor) -> Any:
    with acting(operator):
        rows = orders(11)
    return carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)


def test_the_pack_has_everything(done: Any, auditor: Actor, approver: Actor) -> None:
    with zipfile.ZipFile(io.BytesIO(taken(done, auditor))) as pack:
        assert set(pack.namelist()) >= FILES
        request = json.loads(pack.read("request.json"))
        votes = [json.loads(line) for line in pack.read("votes.jsonl").splitlines()]
        history = [json.loads(line) for line in pack.read("history.jsonl").splitlines()]
        checks = [json.loads(line)["moment"] for line in pack.read("checks.jsonl").splitlines()]
        events = [json.loads(line)["action"] for line in pack.read("events.jsonl").splitlines()]
        page = pack.read("readme.en.html").decode()
    assert (request["digest"], request["reason"]) == (done.digest, done.reason)
    assert [(vote["name"], vote["digest"]) for vote in votes] == [(approver.name, done.digest)]
    assert [(one["entity"], one["rows"]) for one in history] == [("shop.order", 11)]
    assert checks == ["request", "vote"]
    assert {"change.frozen", "ticket.approved", "change.done"} <= set(events)
    assert approver.name in page
    assert "http" not in page
    assert "src=" not in page


def test_the_same_state_gives_the_same_bytes(done: Any, auditor: Actor, engineer: Actor) -> None:
    assert taken(done, auditor) == taken(done, engineer)


def test_taking_it_is_an_event_with_its_digest(done: Any, auditor: Actor) -> None:
    import hashlib

    digest = hashlib.sha256(taken(done, auditor)).hexdigest()
    with acting(auditor):
        event = Event.objects.get(action="evidence.downloaded")
    assert (event.operator_name, event.facts["change"], event.facts["sha256"]) == (auditor.name, done.pk, digest)


def test_an_operator_may_not(done: Any, operator: Actor) -> None:
    with pytest.raises(NotAllowed):
        taken(done, operator)


def test_a_draft_has_no_evidence(operator: Actor, engineer: Actor) -> None:
    with acting(operator):
        draft = drafts.save(operator, entity="shop.order", operation="delete", selection=keys_of(orders(1)))
    with pytest.raises(NothingToProve):
        taken(draft, engineer)


def test_values_of_sensitive_fields_are_masked_everywhere(operator: Actor, engineer: Actor) -> None:
    with acting(operator):
        customer(phone="555-0199-SECRET")
    where = {"where": [{"field": "phone", "op": "eq", "value": "555-0199-SECRET"}]}
    change = ask(operator, "shop.customer", where).change
    with zipfile.ZipFile(io.BytesIO(taken(change, engineer))) as pack:
        for name in pack.namelist():
            assert b"SECRET" not in pack.read(name), name
        assert json.loads(pack.read("request.json"))["selection"]["where"][0]["value"] == "•••"


def test_memory_does_not_grow_with_the_change(done: Any, auditor: Actor) -> None:
    def peak() -> int:
        tracemalloc.start()
        try:
            taken(done, auditor)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak()
    few = peak()
    with acting(auditor):
        SkippedRow.objects.bulk_create(
            (
                SkippedRow(tenant_id=1, change=done, part=0, position=10_000_000 + n, reason="error", detail="x" * 200)
                for n in range(20_000)
            ),
            batch_size=2_000,
        )
    assert peak() < few + 12_000_000, "20,000 rows are 6 MB as text and far more as objects"


class TestOffline:
    def test_a_pack_as_it_was_taken_is_right(self, done: Any, auditor: Actor, tmp_path: Path) -> None:
        path = tmp_path / "pack.zip"
        path.write_bytes(taken(done, auditor))
        said = subprocess.run(
            [sys.executable, "-I", str(PROJECT / "scripts/verify_evidence.py"), str(path)],
            capture_output=True,
            text=True,
        )
        assert (said.returncode, said.stdout) == (0, f"{path}: every file is as the manifest says\n")

    @pytest.mark.parametrize("harm", ["changed", "missing", "not in the manifest", "not an evidence pack"])
    def test_whatever_was_done_to_it_is_named(self, done: Any, auditor: Actor, tmp_path: Path, harm: str) -> None:
        path = tmp_path / "pack.zip"
        with zipfile.ZipFile(io.BytesIO(taken(done, auditor))) as pack:
            content = {name: pack.read(name) for name in pack.namelist()}
        if harm == "changed":
            content["votes.jsonl"] = content["votes.jsonl"].replace(b"approve", b"approvE")
        elif harm == "missing":
            del content["votes.jsonl"]
        elif harm == "not in the manifest":
            content["more.txt"] = b""
        else:
            del content["manifest.json"]
        with zipfile.ZipFile(path, "w") as pack:
            for name, value in content.items():
                pack.writestr(name, value)
        assert harm in problems(str(path))[0]


def test_the_page_and_the_api_give_the_same_pack(done: Any, auditor: Actor, client: Client) -> None:
    client.force_login(user_of(auditor))
    page = client.post(f"/admin/changes/{done.pk}/evidence/")
    api = client.post(f"/api/v1/changes/{done.pk}/evidence/", data="{}", content_type="application/json")
    assert (page.status_code, api.status_code) == (200, 200)
    assert page["Content-Type"] == "application/zip"
    assert b"".join(page.streaming_content) == b"".join(api.streaming_content)  # type: ignore[attr-defined]


def test_taking_it_is_no_get(done: Any, auditor: Actor, client: Client) -> None:
    client.force_login(user_of(auditor))
    assert client.get(f"/admin/changes/{done.pk}/evidence/").status_code == 405
