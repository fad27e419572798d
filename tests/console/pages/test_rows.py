"""Pages of tables Django's admin refuses. They work for every entity, so the shop's stand in here."""

from __future__ import annotations

from tests.console.pages.scenes import ask, no_change, only_change, run, work
from tests.personas import order, orders


def test_rows_go_on_by_key(operator, as_):
    with work(operator):
        made = orders(60)
    client = as_(operator)
    first = client.get("/admin/rows/shop.order/")
    assert [key for key, _ in first.context["rows"]] == [str(o.pk) for o in made[:50]]
    rest = client.get("/admin/rows/shop.order/", {"after": first.context["older"]})
    assert [key for key, _ in rest.context["rows"]] == [str(o.pk) for o in made[50:]]


def test_marked_rows_become_a_draft(operator, as_):
    with work(operator):
        made = orders(3)
    client = as_(operator)
    client.post("/admin/rows/shop.order/", {"key": [str(made[0].pk), str(made[2].pk)]})
    draft = only_change(operator)
    assert draft.selection == {"keys": [[str(made[0].pk)], [str(made[2].pk)]]}
    assert client.get(f"/admin/changes/{draft.pk}/look/").context["seen"].rows == 2


def test_nothing_marked_asks_for_nothing(operator, as_):
    as_(operator).post("/admin/rows/shop.order/", {})
    assert no_change(operator)


def test_the_bin_holds_the_deleted_rows(operator, as_):
    with work(operator):
        one = order()
    run(ask(operator, rows=[one]).change, operator)
    client = as_(operator)
    assert not client.get("/admin/rows/shop.order/").context["rows"]
    assert [key for key, _ in client.get("/admin/rows/shop.order/?deleted=1").context["rows"]] == [str(one.pk)]
    page = client.get(f"/admin/rows/shop.order/{one.pk}/").content.decode()
    assert "This row is deleted." in page
    assert "operation=restore" in page


def test_who_may_not_ask_marks_nothing(approver, operator, as_):
    with work(operator):
        one = order()
    assert 'name="key"' not in as_(approver).get("/admin/rows/shop.order/").content.decode()
    assert as_(approver).post("/admin/rows/shop.order/", {"key": str(one.pk)}).status_code == 403


def test_keys_that_are_none_are_not_found(operator, as_):
    client = as_(operator)
    assert client.get("/admin/rows/shop.order/?after=x").status_code == 404
    assert client.get("/admin/rows/shop.order/x/").status_code == 404
    assert client.get("/admin/rows/auth.user/").status_code == 404


def test_outsiders_see_nothing(outsider, as_):
    assert as_(outsider).get("/admin/rows/shop.order/").status_code == 403
