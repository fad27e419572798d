"""Who may open what. Hidden in the menu is also refused at the address."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from access.errors import NotAllowed
from access.models import Decision
from console.admin import GovernedAdmin
from foundation.context import acting
from shop.models import Order
from tests.personas import user_of

PAGES = [
    "/admin/",
    "/admin/tickets/",
    "/admin/changes/new/",
    "/admin/shop/order/",
    "/admin/auth/user/",
    "/admin/search/?q=x",
    "/admin/exemptions/",
    "/admin/statements/",
]
ALLOWED = {
    "operator": [200, 200, 200, 200, 403, 200, 403, 200],
    "engineer": [200, 200, 200, 200, 403, 200, 200, 200],
    "approver": [200, 200, 403, 200, 403, 200, 200, 200],
    "auditor": [200, 200, 403, 200, 403, 200, 200, 200],
    "administrator": [200, 403, 403, 200, 200, 200, 200, 403],
    "outsider": [200, 403, 403, 403, 403, 200, 403, 403],
}


@pytest.mark.parametrize("role", ALLOWED)
def test_each_role_opens_its_pages_and_no_others(role, request, as_):
    client = as_(request.getfixturevalue(role))
    assert [client.get(page).status_code for page in PAGES] == ALLOWED[role]


@pytest.mark.parametrize("page", PAGES)
def test_nobody_gets_in_without_a_login(page, db):
    answer = Client().get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=")


@pytest.mark.parametrize("role", ALLOWED)
def test_the_menu_shows_only_what_opens(role, request, as_):
    client = as_(request.getfixturevalue(role))
    links = [link.url for group in client.get("/admin/").context["menu"] for link in group.links]
    assert links
    assert all(client.get(link).status_code == 200 for link in links)


def test_a_refused_page_is_on_record(auditor, as_):
    assert as_(auditor).get("/admin/changes/new/").status_code == 403
    refused = Decision.objects.get(allowed=False)
    assert (refused.action, refused.user_id) == ("change.request", auditor.user_id)


def test_a_lost_login_inside_a_fragment_loads_the_login_page_whole(db):
    answer = Client().get(
        "/admin/running/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/admin/tickets/1/"}
    )
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/admin/login/?next=%2Fadmin%2Ftickets%2F1%2F"


def test_djangos_own_delete_page_is_refused(operator, as_):
    from tests.console.pages.scenes import work
    from tests.personas import order

    with work(operator):
        one = order()
    assert as_(operator).get(f"/admin/shop/order/{one.pk}/delete/").status_code == 403
    assert as_(operator).post(f"/admin/shop/order/{one.pk}/delete/", {"post": "yes"}).status_code == 403


def test_rows_of_another_tenant_do_not_exist(operator, persona, as_):
    from tests.console.pages.scenes import work
    from tests.personas import order

    stranger = persona("operator", name="Stan Ger", tenant=2)
    with work(stranger):
        foreign = order()
    client = as_(operator)
    assert foreign.number not in client.get("/admin/shop/order/").content.decode()
    assert client.get(f"/admin/history/shop.order/{foreign.pk}/").status_code == 404
    # Django's admin answers an unknown object with a message on the first page
    assert client.get(f"/admin/shop/order/{foreign.pk}/change/").status_code == 302


def test_a_superuser_reads_no_tokens(engineer, as_):
    """Django's pages for tokens ask Django's permissions, so there are none."""
    client = as_(engineer)
    user_of(engineer).__class__.objects.filter(pk=engineer.user_id).update(is_staff=True, is_superuser=True)
    assert client.get("/admin/authtoken/tokenproxy/").status_code == 404


def test_an_action_of_a_list_that_was_posted_by_hand_is_refused_on_record(auditor):
    """Lists offer it to nobody who may not ask; the action itself asks as well."""
    request = RequestFactory().post("/admin/shop/order/")
    request.actor = auditor
    with acting(auditor), pytest.raises(NotAllowed):
        GovernedAdmin(Order, admin.site).ask_delete(request, Order.objects.none())
    assert Decision.objects.get(allowed=False).action == "change.request"
