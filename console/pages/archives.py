"""Evidence, Archive: the files of removed rows, and whether they are still what they were."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from audit.archive import examining
from audit.archive.examining import Health
from audit.models import ArchiveFile
from changes.models import Change
from console.pages.guards import require
from console.pages.labels import plural
from console.presenters.archive import FileLine, Storage, examined, file_line, storage
from console.presenters.impact import capital

PAGE = 50


@require_safe
def archive_list(request: HttpRequest) -> HttpResponse:
    """A page of files, newest first."""
    require(request, "archive.browse")
    rows = ArchiveFile.objects.order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    page = list(rows[: PAGE + 1])
    context = {
        **admin.site.each_context(request),
        "title": _("Archive"),
        "files": [_line(one) for one in page[:PAGE]],
        "older": page[PAGE - 1].pk if len(page) > PAGE else "",
        "first": bool(after),
    }
    return render(request, "console/archives.html", context)


@require_POST
def examine(request: HttpRequest, archive_id: int) -> HttpResponse:
    """Compare one file with its record; what was found is an event."""
    require(request, "archive.verify")
    archive = examining.get(archive_id)
    found = examining.examine_and_note(archive)
    say = messages.success if found == Health.SOUND else messages.error
    say(request, examined(found, archive.path))
    return redirect("admin:archives")


def of_change(change: Change) -> Storage | None:
    """Cold storage of a change that removes rows, None for any other."""
    removed = change.parts.filter(effect="remove").aggregate(rows=Sum("rows"))["rows"]
    if not removed:
        return None
    files = ArchiveFile.objects.filter(change_id=change.pk)
    stored = files.aggregate(rows=Sum("frozen"))["rows"] or 0
    return storage(tuple(_line(one) for one in files.order_by("pk")[:PAGE]), frozen=removed, stored=stored)


def _line(one: ArchiveFile) -> FileLine:
    return file_line(one, entity=capital(plural(one.entity)))
