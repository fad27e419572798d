"""From the rows marked in a list to the selection of a new change."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import IGNORED_PARAMS, SEARCH_VAR
from django.http import HttpRequest

from changes.errors import TooManyKeys
from changes.selection import KEY_LIMIT
from console.admin.keyset import OWN_VARS

LOOKUPS = {"exact": "eq", "gte": "gte", "gt": "gt", "lte": "lte", "lt": "lt"}


def chosen(request: HttpRequest, rows: Any) -> dict[str, Any]:
    """The marked keys; or, for “all matching”, the list's filters as conditions, else the keys they match.

    An unfiltered list gives no condition at all: the next page asks for one. Raises TooManyKeys.
    """
    if request.POST.get("select_across") != "1":
        return {"keys": request.POST.getlist(ACTION_CHECKBOX_NAME)}
    if not request.GET.get(SEARCH_VAR):
        conditions = _conditions(request)
        if conditions is not None:
            return {"where": conditions}
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[: KEY_LIMIT + 1])
    if len(keys) > KEY_LIMIT:
        raise TooManyKeys(field="selection", given=f"> {KEY_LIMIT:,}", limit=f"{KEY_LIMIT:,}")
    return {"keys": [key if isinstance(key, int) else str(key) for key in keys]}


def _conditions(request: HttpRequest) -> list[dict[str, Any]] | None:
    """The filters of the address as conditions, or None when one of them has no such form."""
    conditions: list[dict[str, Any]] = []
    for name, values in request.GET.lists():
        if name in IGNORED_PARAMS or name in OWN_VARS:
            continue
        field, _, lookup = name.rpartition("__")
        if not field or "__" in field or len(values) != 1:
            return None
        if lookup == "isnull":
            conditions.append({"field": field, "op": "isnull", "value": values[0] in ("1", "True", "true")})
        elif lookup in LOOKUPS:
            conditions.append({"field": field, "op": LOOKUPS[lookup], "value": values[0]})
        else:
            return None
    return conditions
