"""Imports over the API: send a file, read what it would do, ask for it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from shop.models import Order
from tests.console.api.asking import REASON, assert_problem, laying_out, run
from tests.personas import customer, order

IMPORTS, CHANGES = "/api/v1/imports/", "/api/v1/changes/"
HEADER = "number,note,customer,placed_at\n"


@pytest.fixture
def client(client_of: Any, operator: Any) -> Any:
    return client_of(operator)


def send(client: Any, text: str | bytes, query: str = "entity=shop.order", kind: str = "text/csv") -> Any:
    data = text.encode() if isinstance(text, str) else text
    return client.generic("POST", f"{IMPORTS}?{query}", data, content_type=kind)


def a_file(*extra: str) -> str:
    with laying_out():
        there, someone = order(note="before"), customer()
    lines = [
        f"{there.number},after,{there.customer_id},{there.placed_at.isoformat()}",
        f"NEW-1,fresh,{someone.pk},2024-01-01",
        *extra,
    ]
    return HEADER + "\n".join(lines) + "\n"


def ask(client: Any, number: Any, **options: Any) -> Any:
    sent = {"entity": "shop.order", "operation": "import", "reason": REASON, "options": {"import": number, **options}}
    return client.post(CHANGES, sent)


def test_the_whole_way_of_a_file(client: Any) -> None:
    answer = send(client, a_file(), "entity=shop.order&name=march.csv")
    assert answer.status_code == 201, answer.content
    found = answer.json()
    assert found["counts"] == {"new": 1, "changed": 1, "same": 0, "conflict": 0, "wrong": 0}
    assert (found["match"], found["separator"], found["name"], found["approvals"]) == (["number"], ",", "march.csv", 0)
    lines = client.get(found["links"]["lines"]).json()["results"]
    assert lines[0]["fields"] == [{"field": "note", "before": "before", "after": "after", "hidden": False}]
    assert (lines[1]["verdict"], lines[1]["key"]) == ("new", "")
    asked = ask(client, found["id"])
    assert asked.status_code == 202, asked.content
    assert asked.json()["id"] == found["id"]
    run(found["id"])
    with laying_out():
        assert set(Order.objects.values_list("note", flat=True)) == {"after", "fresh"}


def test_a_form_with_a_file_is_read_too(client: Any) -> None:
    file = BytesIO(a_file().encode())
    file.name = "orders.csv"
    answer = client.post(f"{IMPORTS}?entity=shop.order", {"file": file}, format="multipart")
    assert answer.status_code == 201, answer.content
    assert answer.json()["name"] == "orders.csv"


def test_wrong_lines_are_told_and_stop_it(client: Any) -> None:
    found = send(client, a_file("X,y,0,never")).json()
    assert found["counts"]["wrong"] == 1
    assert found["wrong"][0]["line"] == 4
    assert found["wrong"][0]["problems"][0]["column"] == "placed_at"
    assert_problem(ask(client, found["id"]), 409, "wrong_lines", "options.leave_out")
    assert ask(client, found["id"], leave_out=True).status_code == 202


def test_lines_are_paged_by_verdict(client: Any) -> None:
    with laying_out():
        someone = customer()
    text = HEADER + "".join(f"N-{n},x,{someone.pk},2024-01-01\n" for n in range(5))
    found = send(client, text).json()
    page = client.get(f"{found['links']['lines']}?verdict=new&page_size=2").json()
    assert [line["line"] for line in page["results"]] == [2, 3]
    page = client.get(page["next"]).json()
    assert [line["line"] for line in page["results"]] == [4, 5]
    assert_problem(client.get(f"{found['links']['lines']}?verdict=odd"), 400, "bad_parameter", "verdict")


@pytest.mark.parametrize(
    ("data", "query", "status", "code"),
    [
        (b"", "entity=shop.order", 400, "empty_file"),
        (b"number,note\nA,\xff\n", "entity=shop.order", 400, "not_utf8"),
        (b'number,note\nA,"x\n', "entity=shop.order", 400, "broken_csv"),
        (b"number,colour\nA,x\n", "entity=shop.order", 400, "bad_columns"),
        (b"note\nA\n", "entity=shop.order&match=number", 400, "bad_match"),
        (b"email,phone\na@b.example,1\n", "entity=shop.customer", 400, "say_including"),
        (b"number\nA\n", "entity=auth.user", 404, "unknown_entity"),
        (b"number\nA\n", "", 404, "unknown_entity"),
        (b"number\nA\n", "entity=shop.order&odd=1", 400, "unknown_parameter"),
    ],
)
def test_a_file_that_cannot_be_read_names_the_way_out(
    client: Any, data: bytes, query: str, status: int, code: str
) -> None:
    assert_problem(send(client, data, query), status, code)


def test_other_kinds_of_bodies_are_refused(client: Any) -> None:
    assert_problem(send(client, "{}", kind="application/json"), 415, "unsupported_media_type")


@pytest.mark.parametrize("number", [None, "x", 0, True, 10**12, [1]])
def test_a_file_that_was_not_sent_is_not_found(client: Any, number: Any) -> None:
    assert_problem(ask(client, number), 400, "import_not_found", "options.import")


def test_a_draft_belongs_to_who_sent_it(client: Any, client_of: Any, engineer: Any, outsider: Any) -> None:
    found = send(client, a_file()).json()
    assert_problem(client_of(engineer).get(found["links"]["self"]), 404, "change_not_found")
    assert_problem(ask(client_of(engineer), found["id"]), 403, "not_the_requester")
    assert client_of(outsider).get(found["links"]["self"]).status_code in (403, 404)


def test_a_change_that_is_no_import_has_no_lines(client: Any) -> None:
    with laying_out():
        one = order()
    sent = {"entity": "shop.order", "operation": "delete", "selection": {"keys": [one.pk]}, "reason": REASON}
    change = client.post(CHANGES, sent).json()["id"]
    assert_problem(client.get(f"{IMPORTS}{change}/lines/"), 400, "import_not_found")


def test_who_may_not_ask_may_not_send(client_of: Any, auditor: Any) -> None:
    assert_problem(send(client_of(auditor), "number\nA\n"), 403, "not_allowed")
