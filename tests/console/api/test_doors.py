"""Who gets in: logins, roles, tenants, and what each request leaves behind."""

from __future__ import annotations

import pytest
from django.conf import settings as django_settings
from rest_framework.test import APIClient

from access.models import Decision
from audit.models import Event
from tests import personas
from tests.console.api.asking import REASON, assert_problem, delete_orders, laying_out
from tests.personas import user_of

pytestmark = pytest.mark.django_db

READS = (
    "entities/",
    "entities/shop.order/",
    "entities/shop.nope/",
    "entities/shop.order/rows/",
    "entities/shop.order/rows/1/",
    "entities/shop.order/rows/1/history/",
    "changes/",
    "changes/1/",
    "changes/1/rows/",
    "changes/1/skipped/",
    "changes/1/drift/",
    "changes/1/undo-preview/",
    "tickets/",
    "tickets/1/",
    "events/",
)
WRITES = (
    "changes/1/start/",
    "changes/1/discard/",
    "changes/1/pause/",
    "changes/1/cancel/",
    "changes/1/undo/",
    "changes/1/undo-preview/",
    "tickets/1/withdraw/",
)
UNDO_OF_EVENTS = ("events/undo/", "events/undo-preview/")


def test_without_a_login_every_door_asks_for_one(db):
    for address in (*READS, "me/"):
        answer = APIClient().get(f"/api/v1/{address}")
        assert_problem(answer, 401, "not_authenticated")
        assert answer["WWW-Authenticate"] == "Token"
    for address in (*WRITES, *UNDO_OF_EVENTS, "changes/", "changes/preview/"):
        assert_problem(APIClient().post(f"/api/v1/{address}", {}), 401, "not_authenticated")


def test_a_wrong_token_is_refused(db):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    assert_problem(client.get("/api/v1/me/"), 401, "authentication_failed")


def test_an_outsider_learns_nothing_about_what_exists(outsider, operator, client_of):
    with laying_out():
        order = personas.order()
        delete_orders(client_of(operator), [order.pk])
    client = client_of(outsider)
    for address in READS:
        assert_problem(client.get(f"/api/v1/{address}"), 403, "not_allowed")
    for address in WRITES:
        assert_problem(client.post(f"/api/v1/{address}", {}), 403, "not_allowed")
    for address in UNDO_OF_EVENTS:
        assert_problem(client.post(f"/api/v1/{address}", {"events": [1]}), 403, "not_allowed")
    vote = {"decision": "approve", "digest": "x"}
    assert_problem(client.post("/api/v1/tickets/1/votes/", vote), 403, "not_allowed")
    assert_problem(delete_orders(client, [order.pk]), 403, "not_allowed")
    assert client.get("/api/v1/me/").json()["may"] == []


def test_rows_changes_and_tickets_of_another_tenant_do_not_exist(operator, persona, client_of):
    with laying_out():
        rows = personas.orders(12)
    change = delete_orders(client_of(operator), [row.pk for row in rows]).json()
    other = persona("operator", "approver", name="Otto Other", tenant=2)
    client = client_of(other)
    row = f"/api/v1/entities/shop.order/rows/{rows[0].pk}/"
    assert client.get("/api/v1/entities/shop.order/rows/").json()["results"] == []
    assert_problem(client.get(row), 404, "row_not_found")
    assert_problem(client.get(f"{row}history/"), 404, "row_not_found")
    assert_problem(client.patch(row, {"values": {"note": "x"}}), 404, "row_not_found")
    assert_problem(client.delete(f"{row}?reason=not+mine+at+all"), 404, "row_not_found")
    for address in (f"changes/{change['id']}/", f"changes/{change['id']}/rows/", f"changes/{change['id']}/drift/"):
        assert_problem(client.get(f"/api/v1/{address}"), 404, "change_not_found")
    assert_problem(client.post(f"/api/v1/changes/{change['id']}/start/", {}), 404, "change_not_found")
    vote = {"decision": "approve", "digest": change["digest"]}
    assert_problem(client.post(f"/api/v1/tickets/{change['ticket']}/votes/", vote), 404, "ticket_not_found")
    assert client.get(f"/api/v1/events/?change={change['id']}").json()["results"] == []
    assert_problem(delete_orders(client, [rows[0].pk]), 422, "empty_selection")


@pytest.mark.parametrize(
    ("role", "status"), [("auditor", 403), ("approver", 403), ("administrator", 403), ("engineer", 201)]
)
def test_only_operators_and_engineers_ask(request, role, status, client_of):
    with laying_out():
        keys = [row.pk for row in personas.orders(12)]
    assert delete_orders(client_of(request.getfixturevalue(role)), keys).status_code == status


def test_an_operator_does_not_vote_and_an_auditor_does_not_start(operator, auditor, engineer, client_of):
    with laying_out():
        keys = [row.pk for row in personas.orders(12)]
    change = delete_orders(client_of(operator), keys).json()
    vote = {"decision": "approve", "digest": change["digest"]}
    assert_problem(client_of(engineer).post(f"/api/v1/tickets/{change['ticket']}/votes/", vote), 403, "not_allowed")
    assert_problem(client_of(auditor).post(change["links"]["start"]), 403, "not_allowed")
    assert client_of(auditor).get(change["links"]["self"]).status_code == 200


def test_an_administrator_browses_rows_but_not_the_record(administrator, client_of):
    client = client_of(administrator)
    assert client.get("/api/v1/entities/shop.order/rows/").status_code == 200
    assert_problem(client.get("/api/v1/events/"), 403, "not_allowed")


def test_a_draft_is_its_writers_own(operator, engineer, client_of):
    from changes import drafts
    from foundation.context import acting

    with acting(operator):
        draft = drafts.save(operator, entity="shop.order", operation="delete", selection={})
    assert client_of(operator).get(f"/api/v1/changes/{draft.pk}/").status_code == 200
    assert_problem(client_of(engineer).get(f"/api/v1/changes/{draft.pk}/"), 404, "change_not_found")
    assert client_of(engineer).get("/api/v1/changes/").json()["results"] == []


def test_a_token_client_acts_in_its_own_name(operator, client_of):
    with laying_out():
        order = personas.order()
    client = client_of(operator, HTTP_X_REQUEST_ID="req-1", HTTP_X_TRACE_ID="trace-1")
    address = f"/api/v1/entities/shop.order/rows/{order.pk}/"
    answer = client.patch(address, {"values": {"note": "call back"}, "reason": "the customer called"})
    assert answer.status_code == 200, answer.content
    assert (answer["X-Request-ID"], answer["X-Trace-ID"]) == ("req-1", "trace-1")
    with laying_out():
        event = Event.objects.filter(entity="shop.order", operation="~").latest("pk")
    assert (event.operator_id, event.person_id, event.operator_name) == (
        operator.user_id,
        operator.person_id,
        operator.name,
    )
    assert (event.channel, event.request_id, event.trace_id) == ("api", "req-1", "trace-1")
    assert (event.ip, event.tenant_id, event.reason) == ("127.0.0.1", 1, "the customer called")
    version = client.get(f"{address}history/").json()["results"][0]
    assert {one["field"]: (one["before"], one["after"]) for one in version["differences"]}["note"] == ("", "call back")
    assert (version["operator_name"], version["reason"]) == (operator.name, "the customer called")


def test_a_traceparent_is_taken_and_given_back(operator, client_of):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = client_of(operator, HTTP_TRACEPARENT=parent).get("/api/v1/me/")
    assert (answer["traceparent"], answer["X-Trace-ID"]) == (parent, parent[3:35])
    answer = client_of(operator, HTTP_TRACEPARENT="junk", HTTP_X_REQUEST_ID="a b\x7f").get("/api/v1/me/")
    assert len(answer["X-Request-ID"]) == 32
    assert "traceparent" not in answer


def test_a_session_needs_the_csrf_token_to_write(operator):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user_of(operator), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/me/").json()["name"] == operator.name
    assert_problem(client.post("/api/v1/changes/preview/", {}), 403, "csrf_failed")
    client.cookies[django_settings.CSRF_COOKIE_NAME] = "x" * 32
    answer = client.post("/api/v1/changes/preview/", {}, headers={"X-CSRFToken": "x" * 32})
    assert_problem(answer, 400, "invalid_fields")


def test_every_door_leaves_a_decision(operator, outsider, client_of):
    client_of(operator).get("/api/v1/entities/shop.order/rows/")
    client_of(outsider).get("/api/v1/changes/7/")
    found = Decision.objects.values_list("user_id", "action", "resource", "allowed")
    assert (operator.user_id, "entity.browse", "shop.order", True) in found
    assert (outsider.user_id, "change.browse", "C-7", False) in found


def test_a_token_is_given_for_a_password_and_taken_back(operator, client_of):
    user = user_of(operator)
    user.set_password("correct horse battery")
    user.save()
    sent = {"username": user.username, "password": "correct horse battery"}
    answer = APIClient().post("/api/v1/tokens/", sent)
    assert answer.status_code == 200, answer.content
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert client.get("/api/v1/me/").json()["user"] == user.pk
    assert client.delete("/api/v1/tokens/mine/").status_code == 204
    assert_problem(client.get("/api/v1/me/"), 401, "authentication_failed")
    assert_problem(APIClient().post("/api/v1/tokens/", {"username": "x"}), 400, "invalid_fields", "password")


def test_wrong_passwords_lock_the_login_out(operator):
    user = user_of(operator)
    user.set_password("correct horse battery")
    user.save()
    wrong = {"username": user.username, "password": "wrong"}
    answers = [APIClient().post("/api/v1/tokens/", wrong) for _ in range(6)]
    assert_problem(answers[0], 401, "wrong_credentials")
    assert_problem(answers[-1], 429, "locked_out")
    assert int(answers[-1]["Retry-After"]) > 0
    right = APIClient().post("/api/v1/tokens/", wrong | {"password": "correct horse battery"})
    assert_problem(right, 429, "locked_out")


def test_the_middleware_answers_problems_too(operator, client_of):
    assert_problem(client_of(operator).get("/api/v1/me/", headers={"Host": "evil.example"}), 400, "bad_request")


def test_an_undo_is_asked_for_by_who_may(auditor, client_of):
    assert_problem(client_of(auditor).post("/api/v1/changes/1/undo/", {"reason": REASON}), 404, "change_not_found")
