"""The decision panel: who may press which button, and the sentence beside a blocked one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from console.presenters.decision import TicketFacts, Viewer, VoteFacts, panel

NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)
DIGEST = "ab" * 32


def ticket(**facts) -> TicketFacts:
    known = {"id": 7, "state": "pending", "required": 2, "digest": DIGEST, "requester": "Lin", "requester_person": 1}
    return TicketFacts(**(known | {"expires_at": NOW + timedelta(hours=3)} | facts))


def vote(decision: str = "approve", digest: str = DIGEST) -> VoteFacts:
    return VoteFacts(name="Tomás Ortega", decision=decision, at=NOW, digest=digest)


def test_another_approver_may_decide():
    shown = panel(ticket(), Viewer(person=2, votes=True), now=NOW)
    assert shown.may_vote
    assert shown.why_not == ""
    assert shown.urgent, "less than four hours are left"


def test_the_requester_may_not_and_reads_why():
    shown = panel(ticket(), Viewer(person=1, votes=True, withdraws=True), now=NOW)
    assert not shown.may_vote
    assert shown.why_not == "You asked for this, so someone else must decide."
    assert shown.may_withdraw


def test_who_is_no_approver_may_not():
    assert panel(ticket(), Viewer(person=3, votes=False), now=NOW).why_not == "Only an approver decides."


def test_one_vote_each():
    assert panel(ticket(), Viewer(person=2, votes=True, voted=True), now=NOW).why_not == "You have decided already."


def test_past_its_time_a_pending_ticket_is_closed():
    shown = panel(ticket(expires_at=NOW), Viewer(person=2, votes=True), now=NOW)
    assert not shown.open
    assert not shown.may_vote


def test_free_slots_make_up_the_quorum():
    shown = panel(ticket(votes=[vote()]), Viewer(person=2, votes=True), now=NOW)
    assert (shown.have, shown.need) == (1, 2)
    assert [slot.mark for slot in shown.slots] == ["on", ""]


def test_a_vote_on_another_fingerprint_says_so():
    shown = panel(ticket(votes=[vote(digest="00" * 32)]), Viewer(person=2, votes=True), now=NOW)
    assert "old fingerprint" in shown.slots[0].text
