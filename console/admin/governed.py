"""Model pages of governed entities: Django's lists and forms, with the governed way to delete and restore.

The policy decides what shows. Nothing here deletes: “Delete…” leads to a new change with that selection.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import ShowFacets
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.enforcement import allowed
from audit.entity import SoftDeleted
from changes import drafts
from changes.states import Operation
from console.admin import columns
from console.admin.keyset import BIN_VAR, KeysetChangeList
from console.admin.selecting import chosen
from console.pages.guards import require
from console.pages.shell import actor_of
from foundation.errors import CustodyError


class UncountedPaginator(Paginator):
    """For Django's own pickers: as many rows as anybody scrolls through, without counting a table."""

    @cached_property
    def count(self) -> int:
        return 1_000


class GovernedAdmin(admin.ModelAdmin):
    """Base class of every governed entity's pages. Subclass it to choose columns; the rules stay."""

    actions = ("ask_delete", "ask_update", "ask_restore", "ask_purge")
    actions_on_top, actions_on_bottom = True, False
    change_list_template = "admin/governed/change_list.html"
    change_form_template = "admin/governed/change_form.html"
    list_per_page = 50
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    paginator = UncountedPaginator
    empty_value_display = "–"

    # -- what the policy lets one see and do -------------------------------------------------------

    def _may(self, request: HttpRequest, action: str) -> bool:
        return allowed(actor_of(request), action, self.opts.label_lower)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "entity.browse")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "entity.browse")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "entity.edit")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "entity.edit") and not (obj is not None and obj.is_deleted)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: rows go through a change."""
        return False

    # -- lists -------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Any:
        names: list[Any] = list(self.list_display)
        if names == ["__str__"]:
            names = columns.list_columns(self._entity)
        return [*names, "deleted_at"] if _in_bin(request) and "deleted_at" not in names else names

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter or columns.list_filters(self._entity)

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return columns.joined(self._entity) or False

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.search_fields or [self._entity._meta.pk.name, *[f.name for f in columns.searched(self._entity)]]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """The key itself, or texts that begin so."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        match = Q(
            *[Q(**{f"{field.name}__istartswith": term}) for field in columns.searched(self._entity)], _connector="OR"
        )
        if term.isdigit() and len(term) < 19 and isinstance(self._entity._meta.pk, models.IntegerField):
            match |= Q(pk=int(term))
        return (queryset.filter(match) if match else queryset.none()), False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Lists show the living, or the bin; a single object is found either way."""
        model = self._entity
        if request.resolver_match is None or not request.resolver_match.view_name.endswith(
            ("_changelist", "autocomplete")
        ):
            return model.objects_and_deleted.all()
        return model.deleted.all() if _in_bin(request) else model.objects.all()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return KeysetChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {
            "in_bin": _in_bin(request),
            "may_ask": self._may(request, "change.request"),
            "may_purge": self._may(request, "change.purge"),
            "new_change_url": reverse("admin:new-change") + f"?entity={self.opts.label_lower}",
            "import_url": reverse("admin:new-import", args=[self.opts.label_lower]),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    # -- one object --------------------------------------------------------------------------------

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = [] if self._may(request, "entity.edit") else list(self._entity.governance.sensitive)
        return [*(super().get_exclude(request, obj) or []), *hidden]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A delete sets these, no form does."""
        names = {field.name for field in self._entity._meta.concrete_fields}
        return [
            *super().get_readonly_fields(request, obj),
            *[n for n in ("status", "is_deleted", "deleted_at", "retention_policy") if n in names],
        ]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The model's own fields first; a new row has no story yet."""
        fields = [name for name in super().get_fields(request, obj) if name not in columns.COMMON]
        own = [n for n in self.get_readonly_fields(request, obj) if n in columns.COMMON]
        return fields + own if obj is not None and obj.is_deleted else fields

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        return [
            field.name
            for field in self._entity._meta.concrete_fields
            if isinstance(field, models.ForeignKey)
            and isinstance(self.admin_site._registry.get(field.related_model), GovernedAdmin)
        ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Text areas of three rows, so that a form fits the screen; both halves of a time have names."""
        if isinstance(db_field, (models.TextField, models.JSONField)):
            kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}))
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, models.DateTimeField) and field is not None:
            for part, name in zip(field.widget.widgets, (_("Date"), _("Time")), strict=True):
                part.attrs["aria-label"] = f"{db_field.verbose_name}: {name}"
        return field

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None:
            query = f"?entity={self.opts.label_lower}&keys={obj.pk}"
            context["may_ask"] = self._may(request, "change.request")
            context["delete_url"] = reverse("admin:new-change") + query
            context["restore_url"] = reverse("admin:new-change") + query + "&operation=restore"
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponseRedirect:
        return redirect("admin:history", label=self.opts.label_lower, key=object_id)

    # -- actions -----------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> Any:
        wanted = {"ask_restore", "ask_purge"} if _in_bin(request) else {"ask_delete", "ask_update"}
        if not self._may(request, "change.purge"):
            wanted.discard("ask_purge")
        found = super().get_actions(request)
        return (
            {name: value for name, value in found.items() if name in wanted}
            if self._may(request, "change.request")
            else {}
        )

    @admin.action(description=gettext_lazy("Delete…"))
    def ask_delete(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._ask(request, queryset, Operation.DELETE)

    @admin.action(description=gettext_lazy("Update selected…"))
    def ask_update(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._ask(request, queryset, Operation.UPDATE, step="choose")

    @admin.action(description=gettext_lazy("Restore…"))
    def ask_restore(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._ask(request, queryset, Operation.RESTORE)

    @admin.action(description=gettext_lazy("Purge…"))
    def ask_purge(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._ask(request, queryset, Operation.PURGE)

    def _ask(self, request: HttpRequest, queryset: Any, operation: str, *, step: str = "look") -> HttpResponse:
        """A draft with this selection, and on to the look at what it would do."""
        label = self.opts.label_lower
        actor = require(request, "change.request", label)
        try:
            selection = chosen(request, queryset)
            if selection == {"where": []}:
                messages.error(request, _("This would take the whole table. Add a condition first."))
                return redirect(reverse("admin:new-change") + f"?entity={label}&operation={operation}")
            draft = drafts.save(actor, entity=label, operation=operation, selection=selection)
        except CustodyError as error:
            messages.error(request, str(error))
            return redirect(request.get_full_path())
        return redirect(f"admin:change-{step}", change_id=draft.pk)

    @property
    def _entity(self) -> type[SoftDeleted]:
        entity: type[SoftDeleted] = self.model
        return entity


def _in_bin(request: HttpRequest) -> bool:
    return request.GET.get(BIN_VAR) == "1"
