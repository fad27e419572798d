"""The archive on the command line and at its page: a file is what the record says, or it is said what is wrong."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from audit.models import ArchiveFile, Event
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting
from tests.changes.test_purge import deleted, purge
from tests.personas import customer, logs, user_of


@pytest.fixture
def archive(tmp_path: Path, settings: Any) -> Path:
    settings.CUSTODY_ARCHIVE_DIR = tmp_path / "archive"
    return tmp_path / "archive"


@pytest.fixture
def purged(db: Any, engineer: Actor, approver: Actor, archive: Path) -> Change:
    with acting(engineer):
        return purge(engineer, approver, "shop.behaviourlog", deleted(logs(3), policy="x_1d"))


def command(*words: Any) -> str:
    out = StringIO()
    call_command("archive", *map(str, words), stdout=out)
    return out.getvalue()


def noted(actor: Actor) -> str:
    """What the event about the examination says."""
    with acting(actor):
        event = Event.objects.get(action="archive.examined")
    assert event.facts is not None
    return str(event.facts["found"])


def spoil(archive: Path, how: str) -> str:
    path = next(archive.rglob("*.parquet"))
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + b"different")
    return how


def test_a_sound_file_is_listed_and_verified(purged: Change, engineer: Actor) -> None:
    assert f"{purged.pk}/part-0.parquet  3 rows" in command("list", "--entity", "shop.behaviourlog")
    assert command("verify", "--change", purged.pk).startswith("sound")
    assert command("list", "--change", purged.pk + 1) == ""
    assert noted(engineer) == "sound"


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_a_file_that_is_not_what_it_was_ends_the_command(
    purged: Change, engineer: Actor, archive: Path, how: str
) -> None:
    spoil(archive, how)
    with pytest.raises(CommandError, match="1 of 1 files"):
        command("verify")
    assert noted(engineer) == how


class TestPages:
    def test_an_auditor_lists_and_verifies(self, purged: Change, auditor: Actor, client: Any) -> None:
        client.force_login(user_of(auditor))
        page = client.get(reverse("admin:archives"))
        assert f"{purged.pk}/part-0.parquet" in page.content.decode()
        with acting(auditor):
            stored = ArchiveFile.objects.get()
        done = client.post(reverse("admin:archive-verify", args=[stored.pk]), follow=True)
        assert "is what the record says, byte by byte." in done.content.decode()

    def test_what_was_spoilt_is_said(self, purged: Change, auditor: Actor, client: Any, archive: Path) -> None:
        spoil(archive, "changed")
        client.force_login(user_of(auditor))
        with acting(auditor):
            stored = ArchiveFile.objects.get()
        done = client.post(reverse("admin:archive-verify", args=[stored.pk]), follow=True)
        assert "has been changed since it was written" in done.content.decode()

    def test_an_operator_does_not_see_it(self, purged: Change, operator: Actor, client: Any) -> None:
        client.force_login(user_of(operator))
        assert client.get(reverse("admin:archives")).status_code == 403

    def test_the_change_shows_its_cold_storage(self, purged: Change, engineer: Actor, client: Any) -> None:
        client.force_login(user_of(engineer))
        page = client.get(reverse("admin:change", args=[purged.pk]), follow=True).content.decode()
        assert "Written, read back and compared value by value: 3 rows." in page
        assert "removed for good" in page

    @pytest.mark.parametrize(("role", "there"), [("engineer", True), ("operator", False)])
    def test_the_bin_offers_a_purge_to_engineers(
        self, db: Any, persona: Any, client: Any, role: str, there: bool
    ) -> None:
        actor = persona(role, name="Pat Purge")
        with acting(actor):
            row = deleted([customer()], policy="x_1d")[0]
        client.force_login(user_of(actor))
        address = reverse("admin:shop_customer_changelist") + "?deleted=1"
        assert ("Purge…" in client.get(address).content.decode()) is there
        posted = {"action": ["ask_restore", "ask_purge"], "index": "1", "_selected_action": [row.pk]}
        answer = client.post(address, posted, follow=True)
        assert ("Remove customers for good" in answer.content.decode()) is there


def test_the_api_lists_files_with_their_digests(purged: Change, auditor: Actor, operator: Actor, client: Any) -> None:
    client.force_login(user_of(auditor))
    found = client.get("/api/v1/archives/", {"change": purged.pk}).json()["results"]
    assert [(one["rows"], one["entity"]) for one in found] == [(3, "shop.behaviourlog")]
    assert len(found[0]["sha256"]) == 64
    client.force_login(user_of(operator))
    assert client.get("/api/v1/archives/").status_code == 403
