"""Everything one page about a change shows, gathered once, so that its numbers agree."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from access.enforcement import allowed
from approvals import decisions as voting
from approvals.models import Contributor, Ticket, Vote
from audit import registry
from audit.models import Event
from changes import drift, execution, sampling
from changes.models import Change, ChangePart, SkippedRow
from changes.operations import REGISTRY, rollback
from changes.progress import progress
from changes.selection import Selection
from changes.states import UNFINISHED, Effect, Operation, State
from console.admin import columns
from console.pages import archives, checking, inbox, revising, steering, talking, terms
from console.pages.labels import plural, record_url, table
from console.pages.shell import actor_of
from console.presenters import activity, decision, fingerprint, impact, states
from console.presenters import facts as facts_words
from console.presenters.banner import banner
from console.presenters.impact import capital
from console.presenters.notes import Note
from console.presenters.progress import PartFacts, RunCard, RunFacts, run_card
from console.presenters.sample import Sample, sample
from foundation.actor import Actor
from foundation.errors import CustodyError

DRIFT_TIMEOUT_MS = "2000"
ACTIVITY_LIMIT, LEFT_LIMIT, SAMPLE_SIZE, KEYS_TOLD = 200, 20, 5, 100
STARTED = (*UNFINISHED, State.DONE, State.CANCELLED, State.FAILED)
ENDED = (State.DONE, State.CANCELLED, State.FAILED)


def page(request: HttpRequest, change: Change) -> dict[str, Any]:
    """Context of console/change.html; `change` comes with its ticket."""
    actor = actor_of(request)
    ticket: Ticket | None = getattr(change, "ticket", None)
    parts = list(change.parts.all())
    drifted = _drift(change) if change.state in (State.WAITING, State.CLEARED) else None
    code = inbox.code(change)
    return {
        **admin.site.each_context(request),
        "title": f"{code} {change.title}",
        "code": code,
        "selection_text": _selection_text(change),
        "change": change,
        "ticket": ticket,
        "pill": states.state_pill(change.state, ticket.state if ticket else None),
        "stages": states.stages(_standing(change, ticket)),
        "banner": _banner(change, ticket, drifted),
        "impact": impact.impact(_parts(parts), operation=change.operation, done=change.state in ENDED),
        "print": fingerprint.fingerprint(
            change.digest, drifted=drifted.rows if drifted else None, started=change.state in (*STARTED, State.REFUSED)
        ),
        **checking.of_change(change, actor),
        **_sampled(request, change, parts),
        "lines": talking.in_order(_lines(change), talking.lines(ticket, actor)),
        "facts": facts_words.facts(
            change, ticket, entity=capital(plural(change.entity)), chunk=settings.CUSTODY_CHUNK_ROWS
        ),
        **_of_ticket(change, ticket, actor),
        "run": run_card_of(change) if change.state in STARTED else None,
        "left": _left(change) if change.skipped else None,
        "others": _others(change),
        "storage": archives.of_change(change),
        **_asked(change),
        **_buttons(change, actor),
        **steering.steering(change, ticket, drifted, actor),
    }


def _of_ticket(change: Change, ticket: Ticket | None, actor: Actor) -> dict[str, Any]:
    """What is there only when other people decide."""
    return {
        "panel": _panel(ticket, actor) if ticket else None,
        "vote_url": reverse("admin:ticket-vote", args=[ticket.pk]) if ticket else "",
        "retold": revising.retold(change, ticket, actor),
        **talking.conversation(ticket, actor),
    }


def _banner(change: Change, ticket: Ticket | None, drifted: drift.Drift | None) -> Note | None:
    held, closed = steering.banner_of(change)
    return banner(
        state=change.state,
        drifted=drifted.rows if drifted else 0,
        error=change.error,
        held=held,
        closed=closed,
        sent_back=revising.sent_back(ticket),
    )


def _sampled(request: HttpRequest, change: Change, parts: list[ChangePart]) -> dict[str, Any]:
    return {"sample": _sample(request, change, parts), "next_sample": str(1 + _seed(request))}


def _asked(change: Change) -> dict[str, Any]:
    """What was asked for besides the rows, in words."""
    return {
        "terms": terms.terms_of(change),
        "statement": terms.statement_of(change.options["source"]) if "source" in change.options else None,
        "words": REGISTRY[change.operation].in_words(change),
        "lines_url": reverse("admin:change-lines", args=[change.pk]) if change.operation == Operation.IMPORT else "",
    }


def _selection_text(change: Change) -> str:
    """The selection in the reader's language where it is kept whole, else as it was written down."""
    if not change.selection or len(change.selection.get("keys", ())) > KEYS_TOLD:
        return change.selection_text
    try:
        return Selection.parse(change.selection, registry.entity(change.entity)).describe()
    except CustodyError:
        return change.selection_text


def _buttons(change: Change, actor: Actor) -> dict[str, bool]:
    """What the viewer may do now; the verbs ask again."""
    return {
        "may_start": execution.can_start(change) and allowed(actor, "change.start"),
        "may_discard": change.state == State.CLEARED and allowed(actor, "change.discard"),
        "may_pause": change.state == State.RUNNING and allowed(actor, "change.pause"),
        "may_cancel": change.state in (State.RUNNING, State.PAUSED) and allowed(actor, "change.cancel"),
        "may_undo": change.state in ENDED and bool(change.applied) and allowed(actor, "change.undo"),
        "waits_for_start": change.state == State.CLEARED,
    }


def _standing(change: Change, ticket: Ticket | None) -> states.Standing:
    return states.Standing(
        operation=change.operation,
        state=change.state,
        ticket=ticket.state if ticket else None,
        approvals=sum(vote.decision == "approve" for vote in _votes(ticket)) if ticket else 0,
        required=ticket.required if ticket else 0,
        warnings=sum(finding["level"] == "warn" for finding in change.preflight),
        verified=change.verification.get("equal") if change.verification else None,
    )


def _parts(parts: list[ChangePart]) -> list[impact.Part]:
    return [
        impact.Part(
            name=plural(part.entity),
            table=table(part.entity),
            effect=part.effect,
            depth=part.depth,
            rows=part.rows,
            conflicts=part.conflicts,
        )
        for part in parts
    ]


def _drift(change: Change) -> drift.Drift | None:
    """Live against frozen, if it can be said within two seconds."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [DRIFT_TIMEOUT_MS])
            return drift.measure(change)
    except OperationalError:
        return None


def _sample(request: HttpRequest, change: Change, parts: list[ChangePart]) -> Sample | None:
    """Five frozen rows by a stable draw; ?sample=2 draws others."""
    if not parts:
        return None
    model = registry.entity(parts[0].entity)
    fields = [model._meta.pk, *columns.special_fields(model)[:4]]
    drawn = sampling.sample(change, parts[0], seed=_seed(request), size=SAMPLE_SIZE)
    names = [capital(str(field.verbose_name)) for field in fields]
    return sample(
        names,
        [
            (
                columns.key_text(one.row),
                record_url(change.entity, columns.key_text(one.row)),
                one.moved and change.state not in STARTED,
                [columns.shown(one.row, field) for field in fields],
            )
            for one in drawn
            if one.row is not None
        ],
    )


def _seed(request: HttpRequest) -> int:
    text = request.GET.get("sample", "0")
    return int(text) if text.isdigit() and len(text) < 9 else 0


def _lines(change: Change) -> list[activity.Line]:
    asked = activity.line(act="asked", who=change.requester_name, at=change.created_at, facts={"reason": change.reason})
    acts = Event.objects.filter(change_id=change.pk, operation=Event.Operation.ACT)
    # That enough people agreed is a line of its own; that it is ready then says nothing more.
    told = acts.exclude(action="change.cleared", facts__by="ticket").exclude(action__in=talking.ACTS)
    events = told.order_by("pk")[:ACTIVITY_LIMIT]
    return [asked, *(activity.line(act=e.action, who=e.operator_name, at=e.occurred_at, facts=e.facts) for e in events)]


def _votes(ticket: Ticket) -> list[Vote]:
    """The votes that count: those of the present round."""
    return [vote for vote in ticket.votes.all() if vote.round == ticket.round]


def _panel(ticket: Ticket, actor: Actor) -> decision.Panel:
    votes = _votes(ticket)
    may = allowed(actor, "ticket.vote")
    missing: tuple[str, ...] = ()
    if ticket.state == Ticket.State.PENDING:
        missing = tuple(s.group for s in voting.counted(ticket) for _n in range(max(0, s.need - s.votes)))
        if may and actor.person_id is not None and actor.user_id is not None:
            may = voting.may_decide(ticket, person_id=actor.person_id, user_id=actor.user_id)
    return decision.panel(
        decision.TicketFacts(
            id=ticket.pk,
            state=ticket.state,
            required=ticket.required,
            digest=ticket.digest,
            requester=ticket.requester_name,
            requester_person=ticket.requester_person_id,
            expires_at=ticket.expires_at,
            votes=[
                decision.VoteFacts(name=v.name, decision=v.decision, at=v.created_at, digest=v.digest, reason=v.reason)
                for v in votes
            ],
            missing=missing,
        ),
        decision.Viewer(
            person=actor.person_id,
            votes=may,
            voted=any(vote.person_id == actor.person_id for vote in votes),
            contributed=Contributor.objects.filter(change_id=ticket.change_id, person_id=actor.person_id or 0).exists(),
            withdraws=allowed(actor, "ticket.withdraw"),
        ),
        now=timezone.now(),
    )


def run_card_of(change: Change) -> RunCard:
    """The card of a started change: three queries."""
    now = progress(change)
    waiting, notice = steering.waiting_lines(change, now)
    return run_card(
        RunFacts(
            operation=change.operation,
            state=change.state,
            total=now.total,
            applied=now.applied,
            skipped=now.skipped,
            rate=now.rate,
            eta_s=now.eta_s,
            started_at=change.started_at,
            finished_at=change.finished_at,
            archives=change.operation == Operation.UNDO and any(part.effect == Effect.DELETE for part in now.parts),
            error=_("verification: the numbers differ") if now.error == "verification" else now.error,
            parts=[
                PartFacts(name=capital(plural(part.entity)), rows=part.rows, done=part.done, order=order)
                for order, part in enumerate(now.parts)
            ],
            waiting=waiting,
            notice=notice,
        )
    )


def _left(change: Change) -> dict[str, Any]:
    """Rows that were left alone, the first of them by name."""
    labels = {part.part: part.entity for part in change.parts.all()}
    found = SkippedRow.objects.filter(change_id=change.pk).order_by("part", "position")[:LEFT_LIMIT]
    rows = []
    for row in found:
        key = str(row.position) if row.key is None else "/".join(map(str, row.key))
        label = labels.get(row.part, "")
        rows.append((capital(plural(label)), key, record_url(label, key), row.get_reason_display(), row.detail))
    return {"rows": rows, "more": change.skipped - len(rows)}


def _others(change: Change) -> list[tuple[str, str, str]]:
    """What this one undoes, tries again or goes back to, is undone or tried again by: (words, code, address)."""
    found = []
    if change.retry_of_id:
        first = inbox.changes().filter(pk=change.retry_of_id).first()
        if first is not None:
            found.append((_("This tries again"), inbox.code(first), inbox.url(first)))
    if (snapshot := rollback.snapshot_of(change)) is not None:
        found.append((_("Goes back to the snapshot"), snapshot.name, reverse("admin:snapshot", args=[snapshot.pk])))
    if change.undo_of_id:
        original = inbox.changes().filter(pk=change.undo_of_id).first()
        if original is not None:
            found.append((_("This undoes"), inbox.code(original), inbox.url(original)))
    if change.state in ENDED:
        again = inbox.changes().filter(retry_of_id=change.pk)[:5]
        found += [(_("Tried again"), inbox.code(one), inbox.url(one)) for one in again]
        found += [
            (_("Undo"), inbox.code(one), inbox.url(one)) for one in inbox.changes().filter(undo_of_id=change.pk)[:5]
        ]
    return found
