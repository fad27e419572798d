"""The page to browse the API, in a real Chromium under the console's own policy."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_the_page_renders_offline_without_a_violation(live_site: str, page: Any) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: request.url.startswith((live_site, "data:")) or said.append(request.url))
    page.goto(f"{live_site}/api/docs/")
    page.locator("#operations-changes-createChange .opblock-summary-control").click()
    page.locator(".try-out__btn").wait_for()
    assert page.locator(".opblock").count() == 88
    assert said == []
