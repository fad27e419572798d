"""The course of changes: asking, deciding, steering and working, each step checked against what the oracle expects."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import note

from foundation.errors import CustodyError
from tests.changes.life import others, requests
from tests.changes.life.checks import Violation, leaving, must, predicted
from tests.changes.life.neighbours import Neighbours
from tests.changes.life.oracle import ABORT
from tests.changes.life.tables import BY_NAME, Key, parent_of
from tests.changes.life.world import KillAt, World

DRIFT_ROWS = 3
OPEN = ("running", "cancelling", "paused")
HOLDING = ("waiting", "cleared", *OPEN)  # what they froze goes into no other ticket
UNDONE = ("done", "cancelled", "failed")


class Course(Neighbours):
    """One tenant's changes from the first question to the last undo."""

    scratch: ClassVar[bool] = False

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.seen: dict[int, bool] = {}
        self.undone: dict[int, int] = {}

    def one_row_is_edited_again_and_again(
        self, table: str, pick: int, edits: list[tuple[int, int]], undone: list[int], rules: dict[str, str]
    ) -> int | None:
        """One transaction after another; then some of them are to be undone."""
        keys = self.keys(table, [pick])
        before = len(self.checks.events)
        for column, value in edits if keys else []:
            self.write([others.update(table, [keys[0][1]], self.edit(table, column, value))], False)
        made = self.checks.events[before:]
        chosen = sorted({event for n in undone if n < len(made) for event in made[n]})
        return self._ask_events(chosen, {}, rules) if chosen else None

    def ask_for_removed_rows(
        self, keys: list[Key], below: bool, again: int | None, rules: dict[str, str]
    ) -> int | None:
        """Rows are removed for good, one key perhaps used again, and all of them are to come back."""
        before = len(self.checks.events)
        self.remove(keys, below=below)
        chosen = [event for batch in self.checks.events[before:] for event in batch]
        if chosen and again is not None:
            self.use_again(*keys[again % len(keys)], again)
        return self._ask_events(chosen, {}, rules) if chosen else None

    # -- asking ----------------------------------------------------------------------------------

    def ask_to_delete(self, table: str, picks: list[int], also: bool) -> int | None:
        keys = self.keys(table, picks)
        if not keys:
            return None
        relations = ["shop.order.customer"] if also else []
        meant = requests.delete(self.oracle, table, keys, frozenset(relations))
        refusals = {"protected_rows"} if meant.protected else set()
        ids = [row for _, row in keys]
        return self._ask(
            "delete",
            meant,
            {},
            refusals,
            lambda: self.world.ask(BY_NAME[table].entity, "delete", ids, relations),
        )

    def ask_to_restore(self, table: str, picks: list[int]) -> int | None:
        keys = self.keys(table, picks, live=False)
        if not keys:
            return None
        ids = [row for _, row in keys]
        meant = requests.restore(self.oracle, keys)
        return self._ask("restore", meant, {}, set(), lambda: self.world.ask(BY_NAME[table].entity, "restore", ids, []))

    def ask_to_undo(self, number: int, rules: dict[str, str], part: list[int] | None = None) -> int | None:
        done = self.oracle.asked[number]
        only: dict[str, Any] = {}
        if part is not None and done.written:
            table, _, _ = next(iter(done.written))
            keys = [row for _, row in self.keys(table, part)]
            only = {"rows": {BY_NAME[table].entity: {"keys": keys}}} if keys else {}
        refusals = set() if done.written else {"nothing_to_undo"}
        if any(
            seen.state in ("waiting", "cleared", *OPEN)
            for n, seen in self.checks.changes.items()
            if self.undone.get(n) == number
        ):
            refusals.add("undo_exists")
        options = {"conflicts": rules} | ({"only": only} if only else {})
        asked = self._ask(
            "undo", requests.undo(self.oracle, done, only), rules, refusals, lambda: self.world.undo(number, options)
        )
        if asked:
            self.undone[asked] = number
        return asked

    def ask_to_undo_events(
        self, pick: int, more: int | None, rules: dict[str, str], whole: bool, field: int | None, part: list[int] | None
    ) -> int | None:
        newest = self.checks.events[::-1]
        chosen = newest[pick % len(newest)] + ([] if more is None else newest[more % len(newest)])
        meant = requests.undo_events(self.oracle, set(chosen), {})
        tables = sorted({key[0] for key in (want.key for want in meant.wants())})
        only: dict[str, Any] = {}
        if tables and field is not None:
            names = list(others.VALUES[tables[0]])
            only["fields"] = {BY_NAME[tables[0]].entity: [names[field % len(names)]]}
        if tables and part is not None:
            known = sorted(key for key in self.oracle.versions if key[0] == tables[0])
            only["rows"] = {BY_NAME[tables[0]].entity: {"keys": sorted({known[p % len(known)][1] for p in part})}}
        named = sorted({batch[0] for batch in newest if batch[0] in chosen})
        return self._ask_events(chosen, only, rules, named if whole else None)

    def _ask_events(
        self, chosen: list[int], only: dict[str, Any], rules: dict[str, str], named: list[int] | None = None
    ) -> int | None:
        """`named` events stand for all of their transactions."""
        options = {"conflicts": rules} | ({"only": only} if only else {})
        meant = requests.undo_events(self.oracle, set(chosen), only)
        return self._ask(
            "undo of events",
            meant,
            rules,
            set(),
            lambda: self.world.undo_events(named or chosen, options, whole=named is not None),
        )

    def _ask(
        self,
        what: str,
        meant: requests.Request,
        rules: dict[str, str],
        refusals: set[str],
        verb: Any,
    ) -> int | None:
        """Ask; a refusal must be one the oracle expects, and what is frozen must be what it says."""
        stays, out = meant.wants(), {}
        if what != "delete":
            stays, out = predicted(self.oracle, meant, rules.get("changed_since", "skip"))
        aborts = any(rules.get(reason) == ABORT for found in out.values() for reason in found)
        possible = refusals | ({"conflicts_found"} if aborts or rules.get("unique_taken") == ABORT else set())
        possible |= {"empty_selection"} if not stays else set()
        possible |= {"rows_in_another_ticket"} if self._held({want.key for want in meant.wants()}) else set()
        known = set(self.checks.changes)
        try:
            change = verb()
        except CustodyError as error:
            note(f"refused: {error.code}")
            must(error.code in possible, "refused for no true reason", what, error, possible, out)
            self.did(f"refused: {error.code}")
            self.checks.quiet()
            return None
        self.did(what)
        note(f"C-{change.pk}: {what}")
        must(not refusals, "not refused", what, refusals)
        must(change.pk not in known, "a new change has an old number")
        self.checks.frozen(change.pk, what if what == "delete" else "undo", meant, rules)
        self.seen[change.pk] = type(self).scratch
        self.checks.quiet()
        return int(change.pk)

    # -- deciding and steering -------------------------------------------------------------------

    def decide(self, number: int, verb: str) -> None:
        self.did(verb)
        self.world.decide(number, verb)
        self.checks.quiet()
        must(self.checks.changes[number].state == ("cleared" if verb == "approve" else "refused"), "I7", verb)

    def start(self, number: int) -> None:
        state, held = self.checks.changes[number].state, self.checks.changes[number].held
        expected = {"wrong_state"} if state == "waiting" else set()
        drift = 0
        if state == "cleared":
            expected |= {"schema_moved"} if self._moved(number) else set()
            drift = self.oracle.drift(self.oracle.asked[number])
        elif held == "schema_moved":
            drift = self.oracle.drift(self.oracle.asked[number], self._behind(number))
        if self._new_children(number):
            expected.add("new_dependants")
        if drift - self.oracle.asked[number].accepted > DRIFT_ROWS:
            expected.add("back_to_voting" if state == "cleared" else "too_much_drift")
        if self._verb("start", number, expected) == "back_to_voting":
            self.oracle.asked[number].accepted = drift
        elif not expected:
            self.seen[number] = type(self).scratch

    def _held(self, keys: set[Key]) -> bool:
        """Whether an open change has frozen one of these rows."""
        held = [self.oracle.asked[n].parts for n, seen in self.checks.changes.items() if seen.state in HOLDING]
        return any(want.key in keys for parts in held for wants in parts.values() for want in wants.values())

    def _behind(self, number: int) -> Any:
        """Whether a row has been worked off."""
        cursors = {lane.part: lane.cursor for lane in self.checks.lanes.values() if lane.change == number}
        return lambda part, row: row <= cursors.get(self.checks.numbers[number][part], row - 1)

    def _moved(self, number: int) -> bool:
        tables = {part[0] for part in self.checks.numbers[number]}
        return type(self).scratch != self.seen[number] and "shop_order" in tables

    def _new_children(self, number: int) -> bool:
        """Live rows hang on those that it archives, and do not go along."""
        asked = self.oracle.asked[number]
        wants = [want for rows in asked.parts.values() for want in rows.values()]
        if asked.operation == "delete":
            going = {want.key for want in wants if want.effect == "delete"}
            below = [pair for key in going for pair in self.oracle.children(key)]
            return any(child not in going and link.rule != "clear" for child, link in below)
        going, leaves = self.oracle.goes(wants, asked.rule), leaving(self.oracle, wants, asked.rule)
        return any(key in self.oracle.live(key[0]) and self.oracle.hung_on(key, leaves) for key in going)

    def _verb(self, verb: str, number: int, expected: set[str]) -> str:
        self.did(verb)
        refusal = ""
        try:
            self.world.control(number, verb)
        except CustodyError as error:
            refusal = error.code
            must(refusal in expected, "refused for no true reason", verb, error, expected)
        else:
            must(not expected, "not refused", verb, expected)
        self.checks.quiet()
        return refusal

    def hold(self, number: int, verb: str) -> None:
        legal = {"pause": ("running",), "cancel": ("running", "paused")}[verb]
        self._verb(verb, number, set() if self.checks.changes[number].state in legal else {"wrong_state"})

    def alter(self, there: bool) -> None:
        self.did("alter")
        self.set_scratch(there)
        self.checks.quiet()

    def set_scratch(self, there: bool) -> None:
        if type(self).scratch != there:
            self.world.owner.execute(
                f"ALTER TABLE shop_order {'ADD' if there else 'DROP'} COLUMN scratch {'int' if there else ''}"
            )
            type(self).scratch = there

    # -- working ---------------------------------------------------------------------------------

    def chunk(self, number: int) -> bool:
        """Whether there was a lane. A table that has changed under it holds the change."""
        found = self.world.chunk(number)
        self.checks.worked()
        if self.checks.changes[number].state == "paused":
            self.did("held")
            must(self._moved(number), "I7 held for no reason", number)
        return found

    def die(self, number: int, statement: int, after: bool) -> None:
        kill = KillAt(statement, after)
        self.world.crash(number, kill)
        self.did("crash" if kill.hit else "chunk")
        self.checks.worked(crashed=kill.hit)

    def fall_asleep(self, number: int) -> None:
        self.world.fall_behind(number)
        self.checks.quiet()

    def wake_up(self, number: int) -> None:
        mine = self.world.lane_open(self.world.stale[number])
        self.did("woken")
        lost = self.world.wake_up(number)
        must(lost != mine, "I5 a worker went on with a lane it had lost, or lost one it held", mine)
        self.checks.worked()

    def finish(self, number: int) -> None:
        self.did("finish")
        self.world.leases_end()
        for _ in range(200):
            if not self.chunk(number):
                break
        else:
            raise Violation(f"a change does not come to its end: {number}")
        self.world.finish(number)
        self.checks.quiet()
        state = self.checks.changes[number].state
        must(
            state in UNDONE or (state == "paused" and self._moved(number)), "I7 not ended", self.checks.changes[number]
        )

    # -- one change, and what happens to it ------------------------------------------------------

    def live_on(self, number: int | None, steps: list[tuple[str, int, int]]) -> None:
        """What becomes of a change that was asked for, aimed at the rows it has frozen. A step that does not fit is left out."""
        for step, pick, value in steps if number is not None else []:
            state = self.checks.changes[number].state
            if state in FITS.get(step, (state,)):
                getattr(self, f"then_{step}")(number, pick, value)

    def aim(self, number: int, pick: int) -> list[Key]:
        """One of its frozen rows, if it is there."""
        wants = sorted({want.key for rows in self.oracle.asked[number].parts.values() for want in rows.values()})
        key = wants[pick % len(wants)]
        return [key] if key in self.oracle.rows else []

    def then_agree(self, number: int, pick: int, value: int) -> None:
        self.decide(number, "approve" if value else "reject")

    def then_start(self, number: int, pick: int, value: int) -> None:
        self.start(number)

    def then_chunk(self, number: int, pick: int, value: int) -> None:
        self.chunk(number)

    def then_finish(self, number: int, pick: int, value: int) -> None:
        self.finish(number)

    def then_die(self, number: int, pick: int, value: int) -> None:
        """Ten statements claim a lane and look around; the rows are changed between there and the thirtieth."""
        self.die(number, 10 + 3 * pick + value % 3, bool(value % 2))

    def then_sleep(self, number: int, pick: int, value: int) -> None:
        """One worker falls asleep, another one works, the first one wakes up."""
        self.fall_asleep(number)
        if number in self.world.stale:
            if value % 4:
                self.chunk(number)
            self.wake_up(number)

    def then_edit(self, number: int, pick: int, value: int) -> None:
        for table, row in self.aim(number, pick):
            self.write([others.update(table, [row], self.edit(table, value, pick))], True)

    def then_flip(self, number: int, pick: int, value: int) -> None:
        for table, row in self.aim(number, pick):
            self.by_hand(table, [row], back=not self.live(table, row))

    def then_remove(self, number: int, pick: int, value: int) -> None:
        for table, row in self.aim(number, pick):
            self.remove([(table, row)], below=True)
            if value % 2 and (table, row) not in self.oracle.rows:
                self.use_again(table, row, value)

    def then_rival(self, number: int, pick: int, value: int) -> None:
        """Another row gets the unique value that a row of the change holds, or would hold again."""
        wants = [want for rows in self.oracle.asked[number].parts.values() for want in rows.values()]
        want = sorted(wants, key=lambda want: want.key)[pick % len(wants)]
        table, column = want.key[0], BY_NAME[want.key[0]].unique
        row = want.before or self.oracle.rows.get(want.key)
        if column and row is not None:
            self.add(table, value, value, **{column: others.literal(column, str(row[column]))})

    def then_child(self, number: int, pick: int, value: int) -> None:
        """Another row below one of its rows."""
        for key in self.aim(number, pick):
            below = [(t, link) for t in BY_NAME.values() for link in t.links if link.parent == key[0]]
            if below:
                table, link = below[value % len(below)]
                self.add(table.name, value, value, **{link.column: str(key[1])})

    def then_orphan(self, number: int, pick: int, value: int) -> None:
        """What one of its rows hangs on is deleted by hand."""
        for key in self.aim(number, pick):
            above = [parent_of(self.oracle.rows[key], link) for link in BY_NAME[key[0]].links]
            for parent in [parent for parent in above if parent is not None]:
                self.by_hand(parent[0], [parent[1]], back=not self.live(*parent))

    def then_undo(self, number: int, pick: int, value: int) -> None:
        """The undo is finished if it may begin at once, and undone in its turn."""
        again = self.ask_to_undo(number, {"changed_since": "keep_theirs"} if pick == 1 else {})
        for _ in range(2):
            if again is None or self.checks.changes[again].state != "running":
                return
            self.finish(again)
            again = self.ask_to_undo(again, {}) if value % 2 and self.checks.changes[again].state in UNDONE else None


FITS = {
    "agree": ("waiting",),
    "start": ("cleared", "paused", "failed"),
    "chunk": ("running", "cancelling"),
    "finish": ("running", "cancelling"),
    "die": ("running", "cancelling"),
    "sleep": ("running",),
    "undo": UNDONE,
}
