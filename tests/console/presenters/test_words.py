"""Numbers, times and lengths of time in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from console.presenters import words


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (53_563, "53,563"), (None, "–"), (412.7, "413"), (-1200, "-1,200")]
)
def test_numbers_are_grouped_by_three(value, text):
    assert words.number(value) == text


def test_numbers_look_the_same_in_chinese():
    with translation.override("zh-hans"):
        assert words.number(1_234_567) == "1,234,567"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than 1 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (11_880, "3 h 18 min"),
        (86_400, "24 h 0 min"),
        (172_800, "2 days"),
    ],
)
def test_a_span_names_its_two_largest_units(seconds, text):
    assert words.span(timedelta(seconds=seconds)) == text


def test_a_span_is_never_negative():
    assert words.span(timedelta(seconds=-5)) == "less than 1 s"


def test_a_moment_carries_its_zone():
    at = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)
    assert words.moment(at) == "12 Mar 2026, 14:05 UTC"
    with translation.override("zh-hans"):
        assert words.moment(at) == "2026年3月12日 14:05 UTC"


def test_an_exact_time_shows_milliseconds():
    assert words.exact(datetime(2026, 3, 12, 14, 12, 20, 204_900, tzinfo=UTC)) == "12 Mar 2026, 14:12:20.204 UTC"


@pytest.mark.parametrize(
    ("name", "text"),
    [("Mei Zhang", "MZ"), ("ops-batch", "OB"), ("李雷", "李"), ("林 伟", "林伟"), ("root", "RO"), ("", "?")],
)
def test_initials(name, text):
    assert words.initials(name) == text


def test_a_fingerprint_is_shown_in_groups_of_four():
    assert words.fingerprint("7f3a91c20be4d85e" + "0" * 48) == ("7f3a", "91c2", "0be4", "d85e")
    assert words.fingerprint(None) == ()
