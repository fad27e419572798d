"""The readable pages of an evidence pack: one file per language, without a reference to anything outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.http import FileResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from approvals import evidence
from changes.preflight import Moment
from console.pages.checking import lines
from console.pages.labels import plural
from console.presenters.impact import capital
from foundation.actor import Actor


def download(change_id: int, actor: Actor) -> FileResponse:
    """The pack as a download; the file is read in pieces and closed with the answer."""
    made = evidence.pack(change_id, actor=actor, pages=pages)
    answer = FileResponse(made.file, as_attachment=True, filename=made.name, content_type="application/zip")
    answer.headers["Content-Length"] = str(made.bytes)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Digest"] = f"sha-256={made.sha256}"
    return answer


def pages(rows: Mapping[str, list[Any]], listed: list[dict[str, Any]]) -> dict[str, bytes]:
    """`readme.<language>.html`, in every language of the console."""
    made = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            made[f"readme.{language}.html"] = _page(rows, listed).encode()
    return made


def _page(rows: Mapping[str, list[Any]], listed: list[dict[str, Any]]) -> str:
    request = rows["request.json"][0]
    ticket = rows.get("ticket.json", [None])[0]
    moments = dict(Moment.choices)
    runs = [
        {"run": run, "moment": moments.get(run["moment"], run["moment"]), "checks": lines(run["findings"])}
        for run in rows["checks.jsonl"]
    ]
    context = {
        "language": translation.get_language(),
        "request": request,
        "ticket": ticket,
        "table": capital(plural(request["entity"])),
        "votes": rows.get("votes.jsonl", []),
        "parts": [{**part, "name": capital(plural(part["entity"]))} for part in rows["parts.jsonl"]],
        "runs": runs,
        "history": rows["history.jsonl"],
        "events": rows["events.jsonl"],
        "rule": _plain(ticket["rule"]) if ticket else _("none: few enough rows to need no approval"),
        "files": listed,
    }
    return render_to_string("console/evidence.html", context)


def _plain(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, sort_keys=True)
