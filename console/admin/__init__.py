"""Model pages. Every governed entity gets one; adopted apps need no code of their own.

An app that wants other columns registers a GovernedAdmin of its own in its `admin.py`; that one is kept.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import TokenProxy

from access.models import Account, Person, Tenant
from audit import registry
from console.admin.governed import GovernedAdmin
from console.admin.people import (
    AccountAdmin,
    CustodyGroupAdmin,
    CustodyUserAdmin,
    PersonAdmin,
    SubjectAdmin,
    TenantAdmin,
)

__all__ = ["GovernedAdmin"]


def register_all() -> None:
    """Called once all admin modules are discovered, so that theirs come first."""
    people = (
        (User, CustodyUserAdmin),
        (Group, CustodyGroupAdmin),
        (Account, AccountAdmin),
        (Person, PersonAdmin),
        (Tenant, TenantAdmin),
        (SocialAccount, SubjectAdmin),
    )
    for model, pages in people:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
        admin.site.register(model, pages)
    # Their pages ask Django's permissions, so a superuser would read everybody's token or factor there.
    for model in (TokenProxy, Authenticator, EmailAddress, EmailConfirmation, SocialApp, SocialToken):
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    for entity in registry.entities():
        # Django's admin has no pages for composite keys; those tables have pages of Custody's own.
        if not admin.site.is_registered(entity) and not entity._meta.is_composite_pk:
            admin.site.register(entity, GovernedAdmin)
