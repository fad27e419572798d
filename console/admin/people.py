"""Pages about people and access: for administrators only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from access.policy import ADMINISTRATOR
from approvals.models import House
from console.pages.shell import actor_of


class AdministratorOnly:
    """Django's model permissions are not asked; the role is."""

    def _is_administrator(self, request: HttpRequest) -> bool:
        return actor_of(request).has(ADMINISTRATOR)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_administrator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_administrator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_administrator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_administrator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A login that acted stays: its name is on the record. It can be made inactive."""
        return False


def by_amendment() -> bool:
    """Whether roles and persons are changed by two people, as they are unless the owner opened the house for another way."""
    return not House.objects.filter(provisioning=True).exists()


class TwoPeople(AdministratorOnly):
    """Read here, changed on the page of amendments."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not by_amendment()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not by_amendment()


class CustodyUserAdmin(AdministratorOnly, UserAdmin):
    """Logins. Roles are groups; Django's flags for staff and superusers give nothing here."""

    list_display = ("username", "first_name", "last_name", "is_active")
    list_filter = ("is_active", "groups")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Roles"), {"fields": ("is_active", "groups")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Roles are given and taken by amendments."""
        return (*self.readonly_fields, "groups") if by_amendment() else self.readonly_fields

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Roles are few: a box each, instead of two lists to move names between."""
        if db_field.name == "groups":
            kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class CustodyGroupAdmin(TwoPeople, GroupAdmin):
    """Roles: the policy knows them by name."""

    fields = ("name",)
    filter_horizontal = ()


class AccountAdmin(TwoPeople, admin.ModelAdmin):
    """Which person and which tenant a login belongs to."""

    list_display = ("user", "person", "tenant")
    list_select_related = ("user", "person", "tenant")


class PersonAdmin(AdministratorOnly, admin.ModelAdmin):
    list_display = ("name",)
    search_fields = ("name",)


class TenantAdmin(AdministratorOnly, admin.ModelAdmin):
    list_display = ("name", "slug")


class SubjectAdmin(AdministratorOnly, admin.ModelAdmin):
    """Whose login a subject of OpenID Connect is. A new link is made by hand here, or by the verified address."""

    list_display = ("user", "provider", "uid", "last_login")
    list_select_related = ("user",)
    fields = ("user", "provider", "uid")
