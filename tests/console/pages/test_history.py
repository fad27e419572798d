"""The history of one record, alive, deleted or removed."""

from __future__ import annotations

import pytest

from shop.models import Customer
from tests.console.pages.scenes import ask, run, work
from tests.personas import customer, order, tag


def page(client, one, query=""):
    return client.get(f"/admin/history/{one._meta.label_lower}/{one.pk}/{query}")


def kinds(answer) -> list[str]:
    return [version.kind for version in answer.context["versions"]]


@pytest.fixture
def changed(operator):
    """A customer that was made, changed twice and has hostile notes."""
    with work(operator):
        one = customer(name="Óscar", notes="", preferences={"mail": True, "tags": ["a"]}, phone="+49 30 1234567")
        one.notes = "<script>alert(1)</script> lives at 12 Harbour Street"
        one.preferences = {"mail": False, "tags": ["a"]}
        one.save()
        Customer.objects.filter(pk=one.pk).update(plan="pro", phone="+49 30 7654321")
    return one


def test_versions_are_listed_newest_first(changed, operator, as_):
    answer = page(as_(operator), changed)
    assert kinds(answer) == ["change", "change", "create"]
    assert answer.context["versions"][1].fields.endswith("more")
    assert answer.context["picked"].who == "Olivia Park"
    assert answer.context["picked"].source.startswith("the console")


def test_only_changed_fields_are_shown_json_by_key(changed, operator, as_):
    client = as_(operator)
    second = page(client, changed).context["versions"][1]
    diff = page(client, changed, f"?version={second.id}").context["diff"]
    fields = {field.name: field for field in diff.changed}
    assert set(fields) == {"notes", "preferences", "updated_at"}
    assert fields["notes"].before.word == "blank"
    assert [entry.path for entry in fields["preferences"].entries] == ["mail"]


def test_what_was_recorded_is_escaped(changed, operator, as_):
    second = page(as_(operator), changed).context["versions"][1]
    html = page(as_(operator), changed, f"?version={second.id}").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


def test_sensitive_fields_are_not_for_everybody(changed, operator, auditor, as_):
    assert "7654321" in page(as_(operator), changed).content.decode()
    assert "7654321" not in page(as_(auditor), changed).content.decode()


def test_a_deleted_row_keeps_its_history_and_names_its_change(operator, as_):
    with work(operator):
        one = order()
    done = run(ask(operator, rows=[one]).change, operator)
    answer = page(as_(operator), one)
    assert kinds(answer) == ["delete", "create"]
    assert answer.context["change"] == (f"C-{done.pk}", f"/admin/changes/{done.pk}/")
    assert "in the recycle bin since" in answer.content.decode()


def test_a_row_that_is_gone_keeps_its_history(real_db, operator, as_):
    with work(operator):
        one = order()
    with real_db.admin() as connection:
        connection.execute("DELETE FROM shop_order WHERE id = %s", [one.pk])
    answer = page(as_(operator), one)
    assert kinds(answer) == ["remove", "create"]
    assert answer.context["versions"][0].outside, "no program of this house did that"
    assert "no longer in its table" in answer.content.decode()
    assert answer.context["diff"].changed[0].after.word == "not there"


def test_long_histories_go_on_by_key(operator, as_):
    with work(operator):
        one = tag()
        for n in range(60):
            type(one).objects.filter(pk=one.pk).update(source=f"source {n}")
    client = as_(operator)
    first = page(client, one)
    assert len(first.context["versions"]) == 50
    rest = page(client, one, first.context["more"])
    assert len(rest.context["versions"]) == 11
    assert rest.context["more"] == ""


def test_the_lists_history_button_leads_here(changed, operator, as_):
    answer = as_(operator).get(f"/admin/shop/customer/{changed.pk}/history/")
    assert answer["Location"] == f"/admin/history/shop.customer/{changed.pk}/"


@pytest.mark.parametrize("key", ["0", "x", "99999999999999999999999999", "1%00"])
def test_a_key_without_a_history_is_not_found(key, operator, as_):
    assert as_(operator).get(f"/admin/history/shop.order/{key}/").status_code == 404


def test_tables_that_are_not_governed_have_no_history_here(operator, as_):
    assert as_(operator).get("/admin/history/auth.user/1/").status_code == 404


def test_history_is_not_for_everybody(changed, administrator, as_):
    assert page(as_(administrator), changed).status_code == 403
