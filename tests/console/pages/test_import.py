"""A file is sent, looked at line by line, and asked for like any other change."""

from __future__ import annotations

import uuid
from io import BytesIO

from changes.models import Change, ImportRow
from shop.models import Order
from tests.console.pages.scenes import REASON, no_change, only_change, work
from tests.personas import customer, order

SEND = "/admin/changes/import/shop.order/"
HEADER = "number,note,customer,placed_at\n"


def send(client, text, **more):
    file = BytesIO(text.encode() if isinstance(text, str) else text)
    file.name = "orders.csv"
    return client.post(SEND, {"file": file, "match": "", **more})


def a_file(operator, *extra):
    with work(operator):
        there, someone = order(note="before"), customer()
    lines = [
        f"{there.number},after,{there.customer_id},{there.placed_at.isoformat()}",
        f"NEW-1,fresh,{someone.pk},2024-01-01",
    ]
    return HEADER + "\n".join([*lines, *extra]) + "\n"


def test_the_form_names_the_columns_and_the_limits(operator, as_):
    page = as_(operator).get(SEND).content.decode()
    assert "placed_at" in page
    assert "100,000 lines" in page
    assert 'enctype="multipart/form-data"' in page


def test_only_who_may_ask_may_send(auditor, as_):
    assert as_(auditor).get(SEND).status_code == 403


def test_a_file_that_cannot_be_read_is_told_on_the_page(operator, as_):
    client = as_(operator)
    answer = send(client, b"number,note\nA,\xff\n")
    assert answer.status_code == 422
    assert "Line 2 of the file is not UTF-8" in answer.content.decode()
    assert client.post(SEND, {"match": ""}).status_code == 422
    assert no_change(operator)


def test_the_diff_counts_and_shows_before_and_after(operator, as_):
    client = as_(operator)
    answer = send(client, a_file(operator))
    draft = only_change(operator)
    assert answer["Location"] == f"/admin/changes/{draft.pk}/look/"
    page = client.get(answer["Location"])
    assert {tab.verdict: tab.count for tab in page.context["tabs"]} == {"all": "2", "new": "1", "changed": "1"}
    text = page.content.decode()
    assert "<del>before</del> → <ins>after</ins>" in text
    assert "<ins>fresh</ins>" in text
    with work(operator):
        assert Order.objects.count() == 1


def test_wrong_lines_are_shown_first_and_stop_it(operator, as_):
    client = as_(operator)
    send(client, a_file(operator, "X,y,0,never"))
    look = f"/admin/changes/{only_change(operator).pk}/look/"
    page = client.get(look).content.decode()
    assert "1 line is wrong." in page
    assert "placed_at: “never”" in page
    assert client.post(look, {})["Location"] == look
    assert client.post(look, {"leave_out": "1"})["Location"].endswith("/why/")
    with work(operator):
        assert only_change(operator).options["leave_out"] is True


def test_values_of_a_file_come_back_escaped(operator, as_):
    client = as_(operator)
    with work(operator):
        one = order()
    send(client, f"id,note\n{one.pk},<script>alert(1)</script>\n")
    page = client.get(f"/admin/changes/{only_change(operator).pk}/look/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_whole_way_to_an_import(operator, as_):
    client = as_(operator)
    send(client, a_file(operator))
    draft = only_change(operator)
    client.post(f"/admin/changes/{draft.pk}/look/", {})
    page = client.get(f"/admin/changes/{draft.pk}/why/").content.decode()
    assert "Change 2 rows now" in page
    assert "rows are found by number" in page
    form = {"title": "", "reason": REASON, "request_key": str(uuid.uuid4()), "do": "ask"}
    answer = client.post(f"/admin/changes/{draft.pk}/why/", form)
    page = client.get(answer["Location"]).content.decode()
    assert f"/admin/changes/{draft.pk}/lines/" in page
    assert "added from the file" in page
    assert "NEW-1" in client.get(f"/admin/changes/{draft.pk}/lines/?verdict=new").content.decode()


def test_long_files_are_paged(operator, as_):
    client = as_(operator)
    with work(operator):
        someone = customer()
    send(client, HEADER + "".join(f"N-{n},x,{someone.pk},2024-01-01\n" for n in range(120)))
    draft = only_change(operator)
    seen, address = 0, "?verdict=new"
    while address:
        page = client.get(f"/admin/changes/{draft.pk}/look/{address}")
        seen += len(page.context["lines"])
        address = page.context["next"]
    assert seen == 120


def test_a_draft_is_seen_by_its_sender_only(operator, engineer, as_):
    send(as_(operator), a_file(operator))
    draft = only_change(operator)
    client = as_(engineer)
    assert client.get(f"/admin/changes/{draft.pk}/lines/").status_code in (400, 404, 422)
    assert client.get(f"/admin/changes/{draft.pk}/look/").status_code in (403, 404)


def test_a_draft_can_be_thrown_away_with_its_lines(operator, as_):
    client = as_(operator)
    send(client, a_file(operator))
    client.post(f"/admin/changes/{only_change(operator).pk}/discard/")
    with work(operator):
        assert not ImportRow.objects.exists()
        assert Change.objects.get().state == "refused"


def test_sensitive_values_are_hidden_from_who_may_not_see_them(operator, approver, as_):
    with work(operator):
        one = customer(phone="111")
    file = BytesIO(f"id,phone\n{one.pk},222\n".encode())
    file.name = "p.csv"
    client = as_(operator)
    client.post("/admin/changes/import/shop.customer/", {"file": file, "match": "", "including": ["phone"]})
    draft = only_change(operator)
    form = {"title": "", "reason": REASON, "request_key": str(uuid.uuid4()), "do": "ask"}
    client.post(f"/admin/changes/{draft.pk}/why/", form)
    assert "222" in client.get(f"/admin/changes/{draft.pk}/lines/").content.decode()
    page = as_(approver).get(f"/admin/changes/{draft.pk}/lines/").content.decode()
    assert "not shown" in page
    assert ">222<" not in page
