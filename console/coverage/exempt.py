"""What comes with libraries and is left as it is, each with its reason. A new library is not exempt until it is here."""

from __future__ import annotations

# By app label: tables that hold no row of the business.
TABLES = {
    "account": "addresses of logins for django-allauth; unused but for OpenID Connect.",
    "admin": "Django's own log of its forms; the record of Custody is the database's.",
    "auth": "logins and roles: pages for administrators only, nothing there deletes.",
    "authtoken": "tokens of programs: each login makes and revokes its own.",
    "axes": "counts wrong passwords; old counts are thrown away.",
    "contenttypes": "names of models, written by migrate.",
    "mfa": "second factors; each login adds and removes its own, after a fresh proof.",
    "sessions": "login sessions; they end.",
    "socialaccount": "subjects of OpenID Connect and whose login they are.",
}

# By module and name: views of libraries behind no action of the policy.
VIEWS = {
    "django.contrib.admin.sites.AdminSite.login": "where one logs in; wrong passwords are counted.",
    "django.contrib.admin.sites.AdminSite.logout": "ends one's own session.",
    "django.contrib.admin.sites.AdminSite.password_change": "one's own password, after the old one.",
    "django.contrib.admin.sites.AdminSite.password_change_done": "a sentence after one's own password changed.",
    "django.contrib.admin.sites.AdminSite.autocomplete_view": "needs a login; asks the model page's permission.",
    "django.contrib.admin.sites.AdminSite.i18n_javascript": "words of the interface.",
    "django.contrib.admin.sites.AdminSite.app_index": "needs a login; lists only the model pages one may open.",
    "django.contrib.admin.sites.AdminSite.catch_all_view": "needs a login; adds a slash or answers 404.",
    "django.contrib.contenttypes.views.shortcut": "needs a login; sends one to an object's own address.",
}

# Tasks of Celery itself do what other tasks ask for.
TASKS = "celery."
