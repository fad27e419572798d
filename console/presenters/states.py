"""State in one pill, and the stages a change has behind and before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext


@dataclass(frozen=True, slots=True)
class Pill:
    """A word with a colour and an icon; the colour never speaks alone."""

    text: str
    tone: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the line; mark is ok, now, bad or empty."""

    text: str
    mark: str = ""
    extra: str = ""

    @property
    def spoken(self) -> str:
        words = {"ok": _("done"), "now": _("now"), "bad": _("stopped here")}
        return words.get(self.mark, _("to come"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a change stands, as facts."""

    operation: str
    state: str
    ticket: str | None = None
    approvals: int = 0
    required: int = 0
    warnings: int = 0
    verified: bool | None = None


def state_pill(change: str, ticket: str | None = None) -> Pill:
    """One pill for the change and its ticket together: the ticket's word until it is approved."""
    if ticket in ("rejected", "sent_back", "withdrawn", "expired"):
        return {
            "sent_back": Pill(_("Sent back"), "warn", "pencil"),
            "rejected": Pill(_("Rejected"), "bad", "bad"),
            "withdrawn": Pill(_("Withdrawn"), "", "x"),
            "expired": Pill(_("Expired"), "", "time"),
        }[ticket]
    pills = {
        "draft": Pill(_("Draft"), "", "pencil"),
        "frozen": Pill(_("Frozen"), "acc", "fp"),
        "waiting": Pill(_("Waiting for approval"), "warn", "time"),
        "cleared": Pill(_("Ready to start"), "acc", "play"),
        "running": Pill(_("Running"), "acc", "play"),
        "paused": Pill(_("Paused"), "warn", "pause"),
        "cancelling": Pill(_("Stopping"), "warn", "stop"),
        "done": Pill(_("Done"), "ok", "ok"),
        "cancelled": Pill(_("Stopped"), "warn", "stop"),
        "failed": Pill(_("Failed"), "bad", "bad"),
        "refused": Pill(_("Called off"), "", "x"),
    }
    return pills.get(change, Pill(change))


def verb(operation: str) -> str:
    """The stage's word for the act itself."""
    return {
        "delete": pgettext("stage", "Delete"),
        "restore": pgettext("stage", "Restore"),
        "update": pgettext("stage", "Update"),
        "undo": pgettext("stage", "Undo"),
        "rollback": pgettext("stage", "Roll back"),
        "purge": pgettext("stage", "Purge"),
        "import": pgettext("stage", "Import"),
    }.get(operation, operation)


def stages(at: Standing) -> tuple[Stage, ...]:
    """Asked, Frozen, Checks, Approvals, the act, Verify."""
    checks = ngettext("%(count)d to look at", "%(count)d to look at", at.warnings) % {"count": at.warnings}
    return (
        Stage(pgettext("stage", "Asked"), "ok"),
        Stage(pgettext("stage", "Frozen"), "ok" if at.state != "draft" else "now"),
        Stage(_("Checks"), "ok" if at.state != "draft" else "", checks if at.warnings else ""),
        _approvals(at),
        _act(at),
        _verify(at),
    )


def _approvals(at: Standing) -> Stage:
    if at.ticket is None:
        not_needed = at.state not in ("draft", "frozen")
        return Stage(_("Approvals"), "ok" if not_needed else "", _("not needed") if not_needed else "")
    quorum = _("%(have)d of %(need)d") % {"have": at.approvals, "need": at.required}
    if at.ticket == "pending":
        return Stage(_("Approvals"), "now", quorum)
    if at.ticket == "approved":
        return Stage(_("Approvals"), "ok", quorum)
    return Stage(_("Approvals"), "bad", state_pill(at.state, at.ticket).text)


def _act(at: Standing) -> Stage:
    text = verb(at.operation)
    if at.state == "cleared":
        return Stage(text, "now", _("to be started"))
    if at.state in ("running", "cancelling"):
        return Stage(text, "now")
    if at.state == "done":
        return Stage(text, "ok")
    if at.state == "paused":
        return Stage(text, "now", state_pill(at.state).text)
    if at.state in ("failed", "cancelled"):
        return Stage(text, "bad", state_pill(at.state).text)
    return Stage(text)


def _verify(at: Standing) -> Stage:
    if at.verified is None:
        return Stage(_("Verify"))
    return Stage(_("Verify"), "ok") if at.verified else Stage(_("Verify"), "bad", _("numbers differ"))
