"""When and how a new change runs, as the form of its last step: a window, and a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from changes import canary as canaries
from changes import windows
from foundation.errors import CustodyError

FIELDS = ("days", "from", "to", "zone", "percent", "watch_s", "on_trouble")
WEEK, WORKDAYS, WEEKEND = "week", "workdays", "weekend"
DAYS = {WEEK: windows.DAYS, WORKDAYS: windows.DAYS[:5], WEEKEND: windows.DAYS[5:]}


def window(typed: Mapping[str, str]) -> dict[str, Any] | None:
    """The window as the engine reads it; None where nothing was typed."""
    opens, closes = typed.get("from", "").strip(), typed.get("to", "").strip()
    if not opens and not closes:
        return None
    found: dict[str, Any] = {"days": list(DAYS.get(typed.get("days", ""), windows.DAYS))}
    found |= {name: text for name, text in (("from", opens), ("to", closes)) if text}
    zone = typed.get("zone", "").strip()
    return found | ({"zone": zone} if zone else {})


def typed(options: Mapping[str, Any]) -> dict[str, str]:
    """The form of a draft that was frozen before, with the window and the trial it had."""
    kept, trial = options.get("window", {}), options.get("canary", {})
    days = next((name for name, those in DAYS.items() if list(those) == kept.get("days")), "")
    found = {"days": days, **{name: str(kept.get(name, "")) for name in ("from", "to", "zone")}}
    return found | {name: str(trial.get(name, "")) for name in ("percent", "watch_s", "on_trouble")}


def canary(typed: Mapping[str, str]) -> dict[str, Any] | None:
    """The trial as the engine reads it; None where no share was typed."""
    percent = typed.get("percent", "").strip()
    if not percent:
        return None
    return {
        "percent": _number(percent),
        "watch_s": _number(typed.get("watch_s", "").strip() or "60"),
        "on_trouble": typed.get("on_trouble") or canaries.PAUSE,
    }


def _number(text: str) -> float | str:
    """What is no number stays as it was typed; the engine refuses it by name."""
    try:
        return float(text)
    except ValueError:
        return text


def form(typed: Mapping[str, str], error: CustodyError | None) -> dict[str, Any]:
    """The form's values, its choices, and whether it has to be open."""
    values = {name: typed.get(name, "") for name in FIELDS}
    return {
        **{("opens" if name == "from" else "closes" if name == "to" else name): text for name, text in values.items()},
        "open": any(values[name] for name in ("from", "to", "percent")),
        "days_choices": [(WEEK, _("every day")), (WORKDAYS, _("Monday to Friday")), (WEEKEND, _("at the weekend"))],
        "trouble_choices": [
            (canaries.PAUSE, _("pause and ask")),
            (canaries.TAKE_BACK, _("take the rows back")),
            (canaries.GO_ON, _("go on all the same")),
        ],
    }
