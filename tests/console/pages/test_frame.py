"""The frame of every page: policy header, languages, error pages, request id."""

from __future__ import annotations

import re

from django.test import Client

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


def test_the_policy_is_strict_on_every_page(operator, as_):
    client = as_(operator)
    for page in ("/admin/", "/admin/tickets/", "/admin/shop/order/", "/admin/nowhere/"):
        header = client.get(page)["Content-Security-Policy"]
        assert {part.strip() for part in header.split(";")} == POLICY, page


def test_no_page_has_inline_style_or_script(operator, as_):
    client = as_(operator)
    for page in (
        "/admin/",
        "/admin/login/",
        "/admin/tickets/",
        "/admin/shop/order/",
        "/admin/shop/order/add/",
        "/admin/changes/new/?entity=shop.order",
    ):
        html = client.get(page).content.decode()
        assert not re.search(r'\sstyle="|<style|\son\w+="|javascript:', html), page
        assert not re.search(r'<script(?![^>]*(?:\bsrc=|type="application/json"))', html), page


def test_the_login_page_speaks_chinese(db):
    client = Client()
    client.post("/admin/language/", {"language": "zh-hans"})
    page = client.get("/admin/login/").content.decode()
    assert '<html lang="zh-hans"' in page
    assert "妥善保管业务数据" in page


def test_the_language_is_offered_on_every_page(operator, as_):
    client = as_(operator)
    assert "中文" in client.get("/admin/tickets/").content.decode()
    answer = client.post("/admin/language/", {"language": "zh-hans", "next": "/admin/tickets/"})
    assert answer["Location"] == "/admin/tickets/"
    assert "新建变更" in client.get("/admin/tickets/").content.decode()


def test_unknown_addresses_answer_in_the_frame(operator, as_):
    answer = as_(operator).get("/admin/nowhere/")
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()
    assert 'class="sh-side"' in answer.content.decode()


def test_an_unknown_address_without_login_has_no_menu(db):
    answer = Client().get("/nowhere/")
    assert answer.status_code == 404
    assert "sh-side" not in answer.content.decode()


def test_a_refusal_of_a_verb_becomes_a_page(auditor, as_):
    answer = as_(auditor).post("/admin/changes/1/start/")
    assert answer.status_code == 404, "there is no such change"
    assert "There is no change 1." in answer.content.decode()


def test_a_form_without_a_token_is_refused_in_words(operator):
    from tests.personas import user_of

    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of(operator), backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post("/admin/changes/1/start/")
    assert answer.status_code == 403
    assert "The form was not accepted" in answer.content.decode()


def test_every_answer_carries_a_request_id(db):
    client = Client()
    assert re.fullmatch(r"[0-9a-f]{32}", client.get("/admin/login/")["X-Request-ID"])
    assert client.get("/admin/login/", headers={"X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
    assert client.get("/admin/login/", headers={"X-Request-ID": "<b>"})["X-Request-ID"] != "<b>"


def test_a_wrong_password_is_told_on_the_page(db):
    answer = Client().post("/admin/login/", {"username": "nobody", "password": "x"})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
