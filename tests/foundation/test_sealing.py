"""A sealed secret opens with its key and for what it is about, and in no other way."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.sealing import SealBroken, seal, unseal


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.CUSTODY_SEALING_KEYS = ["k" * 32]


def test_it_opens_again_and_never_looks_the_same_twice() -> None:
    first, second = seal("whsec_x", about="receiver 1"), seal("whsec_x", about="receiver 1")
    assert first != second
    assert b"whsec_x" not in first
    assert unseal(first, about="receiver 1") == unseal(second, about="receiver 1") == "whsec_x"


def test_moved_to_another_row_it_does_not_open() -> None:
    with pytest.raises(SealBroken):
        unseal(seal("x", about="receiver 1"), about="receiver 2")


@pytest.mark.parametrize("place", [0, 1, 5, 20, -1])
def test_changed_anywhere_it_does_not_open(place: int) -> None:
    raw = bytearray(seal("x" * 20, about="a"))
    raw[place] ^= 1
    with pytest.raises(SealBroken):
        unseal(bytes(raw), about="a")


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01abcd", b"x" * 40])
def test_what_was_never_sealed_does_not_open(raw: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(raw, about="a")


def test_a_new_key_in_front_seals_and_the_old_one_still_opens(settings: Any) -> None:
    old = seal("x", about="a")
    settings.CUSTODY_SEALING_KEYS = ["n" * 32, "k" * 32]
    new = seal("x", about="a")
    assert unseal(old, about="a") == unseal(new, about="a") == "x"
    settings.CUSTODY_SEALING_KEYS = ["n" * 32]
    assert unseal(new, about="a") == "x"
    with pytest.raises(SealBroken):
        unseal(old, about="a")
