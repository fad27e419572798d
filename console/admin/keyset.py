"""A change list that never counts: pages go by key, forwards and back, on tables of any size."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from console.admin.columns import searched

BIN_VAR, AFTER_VAR, BEFORE_VAR = "deleted", "after", "before"
OWN_VARS = (BIN_VAR, AFTER_VAR, BEFORE_VAR)
# A search that finds little reads the whole table; it is ended rather than left running.
SEARCH_TIMEOUT_MS = "5000"


class KeysetChangeList(ChangeList):
    """Newest key first. `next_url` and `previous_url` are None where there is nothing more."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.in_bin = request.GET.get(BIN_VAR) == "1"
        self.after = request.GET.get(AFTER_VAR)
        self.before = request.GET.get(BEFORE_VAR)
        self.too_slow = False
        self.next_url: str | None = None
        self.previous_url: str | None = None
        super().__init__(request, *args, **kwargs)
        names = ", ".join(str(field.verbose_name) for field in searched(self.model))
        self.search_help_text = _("A key, or the beginning of: %(names)s") % {"names": names} if names else _("A key")
        plural = self.opts.verbose_name_plural
        self.title = _("Recycle bin: %(name)s") % {"name": plural} if self.in_bin else capfirst(str(plural))

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in OWN_VARS}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Filter links start at the first page again; the bin stays the bin."""
        query: str = super().get_query_string(new_params, [*(remove or []), AFTER_VAR, BEFORE_VAR])
        return query

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        rows = self._page()
        more = len(rows) > self.list_per_page
        rows = rows[: self.list_per_page]
        if self.before:
            rows.reverse()
        self.result_list = rows
        self.result_count = len(rows)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.can_show_all, self.multi_page = False, False
        self.paginator = None
        if rows and (more or self.before):
            self.next_url = self._url(AFTER_VAR, rows[-1].pk)
        if rows and (self.after or (self.before and more)):
            self.previous_url = self._url(BEFORE_VAR, rows[0].pk)

    def _page(self) -> list[Any]:
        """One row more than the page holds tells whether there is another page."""
        try:
            if self.before:
                rows = self.queryset.filter(pk__gt=self.before).order_by("pk")
            elif self.after:
                rows = self.queryset.filter(pk__lt=self.after)
            else:
                rows = self.queryset
            return self._fetch(rows[: self.list_per_page + 1])
        except (ValueError, ValidationError):
            self.after = self.before = None
            return self._fetch(self.queryset[: self.list_per_page + 1])

    def _fetch(self, rows: Any) -> list[Any]:
        if not (self.query or self.has_active_filters):
            return list(rows)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [SEARCH_TIMEOUT_MS])
                return list(rows)
        except OperationalError:
            self.too_slow = True
            return []

    def _url(self, name: str, key: Any) -> str:
        return self.get_query_string({name: key})
