"""The Chinese catalogue: complete, compiled, and with every placeholder of the English sentence."""

from __future__ import annotations

import re

import polib
import pytest
from django.utils import translation

from console.management.commands.catalogue import CATALOGUE, error_sentences, gaps

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


@pytest.fixture(scope="module")
def entries():
    return [entry for entry in polib.pofile(str(CATALOGUE)) if not entry.obsolete]


def test_nothing_is_missing_or_doubtful():
    assert gaps() == [], "run: manage.py catalogue"


def test_every_placeholder_is_kept(entries):
    for entry in entries:
        texts = list(entry.msgstr_plural.values()) or [entry.msgstr]
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for text in texts:
            assert set(PLACEHOLDER.findall(text)) == wanted, entry.msgid


def test_the_compiled_catalogue_is_the_written_one(entries):
    compiled = {(entry.msgctxt, entry.msgid): entry for entry in polib.mofile(str(CATALOGUE.with_suffix(".mo")))}
    for entry in entries:
        found = compiled.get((entry.msgctxt, entry.msgid))
        assert found is not None, entry.msgid
        assert (found.msgstr, found.msgstr_plural) == (entry.msgstr, entry.msgstr_plural), entry.msgid


def test_errors_speak_chinese():
    from approvals.errors import TicketNotPending

    with translation.override("zh-hans"):
        assert str(TicketNotPending(ticket_id=7, state="已批准")) == "工单 7 的状态已是“已批准”。没有任何改动。"


def test_every_error_has_a_sentence():
    assert all(sentence.endswith((".", ")s")) for sentence in error_sentences())
