"""Keys in addresses: read back as they were written, whatever is in them."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from changes.models import FrozenRow
from console.api import keys


@pytest.mark.parametrize(
    "parts",
    [("1",), ("a,b", "c"), ("50%", "%2C"), ("a/b", "c?d#e"), ("", "x"), ("陈", "é 🙂"), ("%", ",", "%2525")],
)
def test_parts_survive_their_way_through_an_address(parts):
    assert tuple(unquote(part) for part in keys.join(parts).split(",")) == parts


def test_a_plain_key_is_written_as_it_is():
    row = SimpleNamespace(id=17)
    row.instance_type = SimpleNamespace(_meta=SimpleNamespace(pk_fields=[SimpleNamespace(attname="id")]))
    assert keys.text_of(row) == "17"


@pytest.mark.django_db
def test_pages_of_composite_keys_go_on_after_the_whole_key(operator):
    from foundation.context import acting

    with acting(operator):
        FrozenRow.objects.bulk_create(
            FrozenRow(tenant_id=1, change_id=change, part=0, position=position, token=1)
            for change, position in ((7, 1), (7, 2), (8, 1))
        )
        found = FrozenRow.objects.filter(pk__gt=(1, 7, 0, 1)).order_by("pk")
        assert [row.pk for row in found] == [(1, 7, 0, 2), (1, 8, 0, 1)]
