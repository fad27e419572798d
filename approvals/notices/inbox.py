"""One person's inbox: what is unread, and marking it read. Nobody reads another's."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Now

from access.enforcement import enforce
from approvals.notices.errors import NoticeNotFound
from approvals.notices.models import Notice
from foundation.actor import Actor
from foundation.postgres.transactions import durable

# The badge says "99+" beyond; counting stops there, however long the inbox is.
COUNTED = 100


def of(actor: Actor) -> QuerySet[Notice]:
    """A person's notices, newest first; none for who is nobody."""
    mine = Notice.objects.select_related("message").order_by("-pk")
    return mine.filter(person_id=actor.person_id) if actor.person_id is not None else mine.none()


def unread_count(actor: Actor) -> int:
    """How many are unread, at most 100."""
    if actor.person_id is None or actor.tenant_id is None:
        return 0
    return Notice.objects.filter(person_id=actor.person_id, read_at=None)[:COUNTED].count()


def get(notice_id: int, actor: Actor) -> Notice:
    """One of the person's own. Raises NoticeNotFound."""
    found = of(actor).filter(pk=notice_id).first()
    if found is None:
        raise NoticeNotFound(notice_id=notice_id)
    return found


def read(notice_id: int, *, actor: Actor) -> Notice:
    """Mark one read; once it is, the time stays. Raises NoticeNotFound."""
    enforce(actor, "notice.settle", "own")
    found = get(notice_id, actor)
    with durable():
        Notice.objects.filter(pk=found.pk, read_at=None).update(read_at=Now())
    return get(notice_id, actor)


def read_all(up_to: int, *, actor: Actor) -> int:
    """Mark everything read up to the newest one that was seen; what came later stays unread. Return how many."""
    enforce(actor, "notice.settle", "own")
    if actor.person_id is None:
        return 0
    with durable():
        mine = Notice.objects.filter(person_id=actor.person_id, read_at=None, pk__lte=up_to)
        return mine.update(read_at=Now())
