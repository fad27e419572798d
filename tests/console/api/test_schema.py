"""The schema is valid, complete, and says which refusals to expect."""

from __future__ import annotations

import json
import re

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from console.api import routes

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def _operations(schema):
    return [
        (path, method, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "patch", "delete")
    ]


def test_the_schema_is_valid(schema):
    validate_schema(schema)


def test_every_address_is_in_the_schema(schema):
    known = {re.sub(r"<\w+:(\w+)>", r"{\1}", str(route.pattern)) for route in routes.V1}
    assert {path.removeprefix("/api/v1/") for path in schema["paths"]} == known


def test_every_operation_names_its_refusals(schema):
    for path, method, operation in _operations(schema):
        responses = operation["responses"]
        refused = [status for status in responses if status >= "400"]
        assert {"404", "405", "406", "500", "503"} <= set(refused), (path, method)
        if "/tokens/" not in path or method == "delete":
            assert {"401", "403"} <= set(refused), (path, method)
        for status in refused:
            assert list(responses[status]["content"]) == ["application/problem+json"], (path, method, status)
            assert "`" in responses[status]["description"]


def test_the_codes_of_a_vote_are_documented(schema):
    responses = schema["paths"]["/api/v1/tickets/{ticket_id}/votes/"]["post"]["responses"]
    assert "`digest_moved`" in responses["409"]["description"]
    assert "`self_approval`" in responses["403"]["description"]


def test_schema_and_page_need_no_login(db):
    answer = APIClient().get("/api/schema/", headers={"Accept": "application/json"})
    assert json.loads(answer.content)["openapi"].startswith("3.1")
    page = APIClient().get("/api/docs/")
    assert page.status_code == 200
    assert "<style" not in page.content.decode()
    assert re.search(r"script-src 'self'(;|$)", page["Content-Security-Policy"])
    assert "http://" not in page.content.decode()
    assert "https://" not in page.content.decode()
