"""The rules that must hold after every step, decided from plain SQL and the oracle. Imports nothing of the product.

I1 frozen rows are not reached, changed, or listed with the true reason; I2 changed means one history row of the change;
I3 rows = added - removed, and every event counts its history; I4 nothing else was touched, not even rewritten as it was;
I5 lanes are gapless and only go forward; I6 nothing changes before enough others agreed; I7 what ended stays as it ended;
I8 what comes back comes back bit by bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.changes.life.eyes import Eyes, Lane, Seen, Written
from tests.changes.life.oracle import ABORT, Asked, Oracle, PartKey, Want
from tests.changes.life.outcomes import NOW, Outcome, broken, outcome
from tests.changes.life.requests import Request
from tests.changes.life.tables import BY_ENTITY, BY_NAME, Key, Row, alive, parent_of

STEPS = {
    "draft": {"frozen", "refused"},
    "frozen": {"waiting", "cleared", "refused"},
    "waiting": {"cleared", "refused"},
    "cleared": {"running", "refused", "waiting"},
    "running": {"done", "paused", "cancelling", "failed"},
    "paused": {"running", "cancelling"},
    "cancelling": {"cancelled", "done", "failed"},
    "failed": {"running"},
    "done": set(),
    "cancelled": set(),
    "refused": set(),
}


class Violation(AssertionError):
    """A rule that does not hold."""


def must(holds: object, rule: str, *facts: object) -> None:
    if not holds:
        raise Violation(f"{rule}: {' '.join(map(str, facts))}")


@dataclass(slots=True)
class Checks:
    """Looks after each step and keeps the oracle up to date."""

    eyes: Eyes
    oracle: Oracle
    chunk_rows: int
    lanes: dict[int, Lane] = field(default_factory=dict)
    changes: dict[int, Seen] = field(default_factory=dict)
    listed: dict[int, dict[tuple[int, int], str]] = field(default_factory=dict)
    numbers: dict[int, dict[PartKey, int]] = field(default_factory=dict)
    needs: dict[int, int] = field(default_factory=dict)
    events: list[list[int]] = field(default_factory=list)

    # -- what others do -----------------------------------------------------------------------------

    def others(self, statements: list[list[tuple[Key, Row | None]]]) -> None:
        """Statements of one transaction, with the rows each of them wrote."""
        events = self.eyes.events()
        wrote = [rows for rows in statements if rows]
        must([len(rows) for rows in wrote] == [event.rows for event in events], "I3 events", events, statements)
        for rows, event in zip(wrote, events, strict=True):
            must(event.change is None, "I2 an event of nobody's change", event)
            for key, row in rows:
                self.oracle.wrote(key, row, event=event.id)
                if row is None:
                    del self.oracle.rows[key]
                else:
                    self.oracle.rows[key] = row
        if events:
            self.events.append([event.id for event in events])
        self.look({key for rows in wrote for key, _ in rows}, [(key, None) for rows in wrote for key, _ in rows])

    # -- what a request froze -----------------------------------------------------------------------

    def frozen(self, number: int, operation: str, request: Request, rules: dict[str, str]) -> Asked:
        """Compare what was frozen and listed with what the request is about."""
        asked = Asked(number, operation, rules, along=request.along)
        stored = {
            n: (BY_ENTITY[entity].name, effect, columns)
            for n, (entity, effect, columns) in self.eyes.parts(number).items()
        }
        self.numbers[number] = {part: n for n, part in stored.items()}
        links: dict[PartKey, set[int]] = {}
        for n, row in self.eyes.frozen(number):
            part = stored[n]
            if part[1] == "link":
                links.setdefault(part, set()).add(row)
                continue
            want = request.parts.get(part, {}).get(row)
            must(want is not None, "I4 frozen, but not meant", number, part, row, list(request.parts))
            asked.parts.setdefault(part, {})[row] = request.parts[part][row]
        listed = self._listed_at_once(asked, request, stored)
        self._complete(asked, request, listed)
        if operation != "delete":
            self._reasons(asked, request, listed)
        self._links(asked, links)
        for want in (want for wants in asked.parts.values() for want in wants.values()):
            asked.known[want.key] = len(self.oracle.versions[want.key])
            if want.key in self.oracle.tokens:
                asked.tokens[want.key] = self.oracle.tokens[want.key]
        self.oracle.asked[number] = asked
        self.needs[number] = needed(asked, rules)
        return asked

    def _listed_at_once(
        self, asked: Asked, request: Request, stored: dict[int, PartKey]
    ) -> dict[tuple[PartKey, int], str]:
        """Rows that the request itself left alone, with the reason."""
        listed = {}
        self.listed[asked.number] = self.eyes.skipped(asked.number)
        for (n, row), reason in self.listed[asked.number].items():
            part = stored[n]
            must(row in request.parts.get(part, {}), "I4 listed, but not meant", asked.number, part, row, reason)
            must(row not in asked.parts.get(part, {}), "I1 frozen and listed", asked.number, part, row)
            listed[part, row] = reason
        return listed

    def _complete(self, asked: Asked, request: Request, listed: dict[tuple[PartKey, int], str]) -> None:
        frozen = {want.key for wants in asked.parts.values() for want in wants.values()}
        for part, wants in request.parts.items():
            for row in wants:
                known = row in asked.parts.get(part, {}) or (part, row) in listed
                above = request.perhaps.get((part, row))
                stays = above is not None and above not in frozen
                must(known or stays, "I1 meant, but neither frozen nor listed", asked.number, part[:2], row)

    def _reasons(self, asked: Asked, request: Request, listed: dict[tuple[PartKey, int], str]) -> None:
        stays = [want for wants in asked.parts.values() for want in wants.values()]
        for want in stays:
            found = standing(self.oracle, want, asked.rule, stays)
            must(not found, "I8 frozen though something stands against it", asked.number, want.effect, want.key, found)
        for (part, row), reason in listed.items():
            want = request.parts[part][row]
            found = standing(self.oracle, want, asked.rule, stays)
            if reason == "unique_taken" and twin(self.oracle, want, request, asked.rule):
                continue
            must(reason in found, "I1 listed for no true reason", asked.number, want.effect, want.key, reason, found)
        for reason in listed.values():
            must(asked.rules.get(reason) != ABORT, "the rule was to stop", asked.number, reason)

    def _links(self, asked: Asked, links: dict[PartKey, set[int]]) -> None:
        """Rows added again get links to rows of their own table back in a part of its own."""
        meant: dict[PartKey, set[int]] = {}
        for part, wants in list(asked.parts.items()):
            own = frozenset(link.column for link in BY_NAME[part[0]].links if link.parent == part[0])
            if part[1] != "add" or not own:
                continue
            for row, want in wants.items():
                if want.before and any(want.before[c] is not None for c in own):
                    link = (part[0], "link", own)
                    meant.setdefault(link, set()).add(row)
                    asked.parts.setdefault(link, {})[row] = Want(want.key, "link", own, before=want.before)
        must(meant == links, "I4 links", meant, links)

    # -- what the engine does -----------------------------------------------------------------------

    def quiet(self) -> None:
        """A step that touches no row."""
        must(not self.eyes.events(), "I4 an event came from a step that writes no row")
        self.look(set(), [])

    def worked(self, crashed: bool = False) -> None:
        """A step in which at most one chunk was committed."""
        before, after = self.lanes, self.eyes.lanes()
        touched: list[tuple[Key, int | None]] = []
        moved = [lane for lane in after.values() if lane.cursor != (before.get(lane.id) or lane).cursor]
        must(len(moved) <= 1, "I5 more than one chunk at once", moved)
        for lane in moved:
            touched += self._chunk(before[lane.id], lane)
        if not moved and not crashed:
            for lane in after.values():
                self._stopped(before.get(lane.id) or lane, lane)
        events = self.eyes.events()
        must(sum(event.rows for event in events) == len(touched), "I2 events do not count the rows", events, touched)
        self.look({key for key, _ in touched}, touched)

    def _chunk(self, before: Lane, lane: Lane) -> list[tuple[Key, int | None]]:
        asked, part = self._part(lane)
        rows = asked.parts[part]
        ids = sorted(row for row in rows if before.cursor < row <= lane.cursor)
        ahead = {row for row in rows if row > before.cursor}
        made = outcome(self.oracle, asked, part, ids, ahead)
        refused = broken(self.oracle, part[0], made)
        must(not refused or len(ids) == 1, "a chunk passed that the database must refuse", lane, refused)
        for row in refused:
            del made.rows[row]
            made.skipped[row] = "error"
        must(
            (lane.applied - before.applied, lane.skipped - before.skipped) == (len(made.rows), len(made.skipped)),
            "I5 counts",
            before,
            lane,
            made,
        )
        self._listed(lane, ids, made)
        must(
            not any(asked.rules.get(reason) == ABORT for reason in made.skipped.values()),
            "the rule was to stop",
            made.skipped,
        )
        must(
            self.eyes.votes(lane.change) >= self.needs[lane.change],
            "I6 rows changed that nobody agreed to",
            lane.change,
        )
        for row, new in made.rows.items():
            key = (part[0], row)
            asked.written.setdefault(part, {})[row] = (self.oracle.rows.get(key), new)
            self.oracle.rows[key] = new
            self.oracle.wrote(key, new, change=lane.change)
        return [((part[0], row), lane.change) for row in made.rows]

    def _part(self, lane: Lane) -> tuple[Asked, PartKey]:
        part = next(key for key, number in self.numbers[lane.change].items() if number == lane.part)
        return self.oracle.asked[lane.change], part

    def _listed(self, lane: Lane, ids: list[int], made: Outcome) -> None:
        before, now = self.listed[lane.change], self.eyes.skipped(lane.change)
        fresh = {row: reason for (part, row), reason in now.items() if (part, row) not in before}
        must(
            all(now.get(key) == reason for key, reason in before.items()),
            "I7 the list of rows left alone was rewritten",
        )
        must(
            fresh == made.skipped,
            "I1 rows left alone",
            lane.change,
            lane.part,
            ids,
            "listed",
            fresh,
            "true",
            made.skipped,
        )
        self.listed[lane.change] = now

    def _stopped(self, before: Lane, lane: Lane) -> None:
        """A chunk that was tried and taken back had a reason."""
        if lane.state != "failed" or before.state == "failed":
            return
        asked, part = self._part(lane)
        rows = sorted(row for row in asked.parts[part] if row > lane.cursor)
        made = outcome(self.oracle, asked, part, rows[: self.chunk_rows], set(rows))
        aborting = any(asked.rules.get(reason) == ABORT for reason in made.skipped.values())
        must(aborting, "a lane failed for no reason", lane, made.skipped)

    # -- every look ---------------------------------------------------------------------------------

    def look(self, touched: set[Key], recorded: list[tuple[Key, int | None]]) -> None:
        """Rows, history, lanes and states, after `touched` rows were written."""
        rows, tokens = self.eyes.rows()
        self._clock(rows)
        if rows != self.oracle.rows:
            raise Violation("I4 rows: " + "; ".join(differences(self.oracle.rows, rows)))
        for key, token in tokens.items():
            old = self.oracle.tokens.get(key)
            must(
                (token == old) == (key not in touched), "I4 rewritten" if key not in touched else "I2 not written", key
            )
        self.oracle.tokens = tokens
        self._history(self.eyes.history(), recorded)
        self._lanes()
        self._states()

    def _clock(self, rows: dict[Key, Row]) -> None:
        for key, row in self.oracle.rows.items():
            for column, value in row.items():
                if value == NOW and key in rows:
                    must(rows[key][column], "the clock's value is missing", key, column)
                    row[column] = rows[key][column]

    def _history(self, fresh: Iterable[Written], recorded: list[tuple[Key, int | None]]) -> None:
        fresh = list(fresh)
        found = Counter(((h.table, h.row), h.change) for h in fresh)
        must(found == Counter(recorded), "I2 history", found, Counter(recorded))
        for h in fresh:
            if h.change is not None:
                mine = any(
                    h.row in wants for part, wants in self.oracle.asked[h.change].parts.items() if part[0] == h.table
                )
                must(mine, "I4 a change wrote outside of its frozen rows", h)

    def _lanes(self) -> None:
        now = self.eyes.lanes()
        for lane in now.values():
            before = self.lanes.get(lane.id, lane)
            must(lane.fence >= before.fence and lane.cursor >= before.cursor, "I5 a lane went back", before, lane)
            asked, part = self._part(lane)
            passed = [row for row in asked.parts[part] if lane.lo < row <= lane.cursor]
            must(len(passed) == lane.applied + lane.skipped, "I5 counts are not the rows passed", lane, passed)
            must(lane.state != "done" or lane.cursor == lane.hi, "I5 done before its end", lane)
            must(
                lane.rows == sum(lane.lo < row <= lane.hi for row in asked.parts[part]),
                "I5 a range of another size",
                lane,
            )
        self.lanes = now

    def _states(self) -> None:
        now = self.eyes.changes()
        for seen in now.values():
            before = self.changes.get(seen.id)
            if before is None:
                continue
            must(seen.state == before.state or reachable(before.state, seen.state), "I7 no such step", before, seen)
            must(STEPS[before.state] or before == seen, "I7 an ended change moved", before, seen)
        must(self.changes.keys() <= now.keys(), "I14 a change is lost", self.changes.keys() - now.keys())
        self.changes = now
        for seen in now.values():
            if seen.state in ("done", "cancelled"):
                wrote = sum(len(rows) for rows in self.oracle.asked[seen.id].written.values())
                must(seen.applied == wrote, "I2 a change counts other rows than it wrote", seen, wrote)
            must(seen.error != "verification", "I2 a change does not verify", seen)


def reachable(before: str, after: str) -> bool:
    """Within one of our steps a change may take several."""
    seen, queue = set(), {before}
    while queue:
        state = queue.pop()
        seen.add(state)
        queue |= STEPS[state] - seen
    return after in seen


def leaving(oracle: Oracle, wants: list[Want], rule: str) -> set[Key]:
    """Rows that will no longer hang on what they hang on: archived, or linked to another row."""
    gone = oracle.goes(wants, rule)
    for want in wants:
        if want.effect != "revert" or want.key not in oracle.rows:
            continue
        now, then = oracle.rows[want.key], oracle.becomes(want, rule)
        if any(parent_of(now, link) != parent_of(then, link) for link in BY_NAME[want.key[0]].links):
            gone.add(want.key)
    return gone


def standing(oracle: Oracle, want: Want, rule: str, stays: list[Want]) -> set[str]:
    """What stands against a row, given the rows that are frozen with it."""
    return oracle.standing(want, rule, oracle.comes_back(stays, rule), leaving(oracle, stays, rule))


def twin(oracle: Oracle, want: Want, request: Request, rule: str) -> bool:
    """Another row of the request would come back with the same unique value."""
    column = BY_NAME[want.key[0]].unique
    if not column or (want.effect != "add" and want.key not in oracle.rows):
        return False
    mine = oracle.becomes(want, rule)
    others = [w for w in request.wants() if w.key[0] == want.key[0] and w.key != want.key and w.before is not None]
    theirs = [oracle.becomes(w, rule) for w in others if w.effect == "add" or w.key in oracle.rows]
    return any(alive(row) and row[column] == mine[column] for row in theirs)


def needed(asked: Asked, rules: dict[str, str]) -> int:
    """Other persons that must agree: tables under one threshold count together."""
    together: Counter[int] = Counter()
    for (table, _, _), wants in asked.parts.items():
        together[BY_NAME[table].threshold] += len(wants)
    over = any(rows > threshold for threshold, rows in together.items())
    return 1 if over or "force" in rules.values() else 0


def predicted(oracle: Oracle, request: Request, rule: str) -> tuple[list[Want], dict[Key, set[str]]]:
    """Which rows a request can freeze, and what stands against the others."""
    stays, out = request.wants(), {}
    while True:
        found = {want.key: why for want in stays if (why := standing(oracle, want, rule, stays))}
        if not found:
            return stays, out
        out |= found
        stays = [want for want in stays if want.key not in found]


def differences(expected: dict[Key, Row], found: dict[Key, Row]) -> list[str]:
    """What is not as the oracle says, column by column."""
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        should, there = expected.get(key), found.get(key)
        if should is None or there is None:
            lines.append(f"{key} should {'be there' if there is None else 'not be there'}")
        elif should != there:
            lines += [f"{key}.{c}: {there[c]!r} should be {should[c]!r}" for c in there if there[c] != should[c]]
    return lines
