"""The whole life of changes as a state machine: people ask, agree, start and stop, workers work and die, others go on editing."""

from __future__ import annotations

from typing import ClassVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.changes.life.course import OPEN, UNDONE, Course

NUMBER = st.integers(0, 7)
PICKS = st.lists(NUMBER, min_size=1, max_size=4, unique=True)
TABLE = st.sampled_from(
    ["shop_customer", "shop_order", "shop_order", "shop_orderitem", "shop_usertag", "shop_behaviourlog"]
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "changed_since": st.sampled_from(["keep_theirs", "force", "abort"]),
        "unique_taken": st.just("abort"),
        "parent_deleted": st.just("abort"),
        "key_reused": st.just("abort"),
        "dependants": st.just("abort"),
    },
)
NO_RULES = st.just({})
STEPS = {"chunk": 2, "edit": 2} | dict.fromkeys(
    ("agree", "start", "die", "sleep", "flip", "remove", "rival", "child", "orphan", "finish", "undo"), 1
)
THEN = st.lists(
    st.tuples(
        st.sampled_from([step for step, times in STEPS.items() for _ in range(times)]),
        NUMBER,
        NUMBER,
    ),
    max_size=8,
)


class Life(RuleBasedStateMachine):
    """Every rule is one step of somebody, or a change and what becomes of it; everything is looked at after each step."""

    begin: ClassVar[type[Course]]

    def __init__(self) -> None:
        super().__init__()
        self.course = type(self).begin()
        self.checks = self.course.checks

    def teardown(self) -> None:
        self.course.set_scratch(False)

    def any_of(self, *states: str) -> list[int]:
        return self.course.changes(*states)

    @initialize()
    def rows(self) -> None:
        self.course.rows()

    # -- others ----------------------------------------------------------------------------------

    @rule(
        table=TABLE,
        edits=st.lists(st.tuples(PICKS, NUMBER, NUMBER), min_size=1, max_size=3),
        as_owner=st.booleans(),
    )
    def somebody_edits_rows(self, table: str, edits: list[tuple[list[int], int, int]], as_owner: bool) -> None:
        self.course.edit_rows(table, edits, as_owner)

    @rule(
        table=TABLE, pick=NUMBER, value=NUMBER, how=st.sampled_from(["add", "save", "delete", "restore", "key again"])
    )
    def somebody_writes_a_row(self, table: str, pick: int, value: int, how: str) -> None:
        removed = self.course.oracle.removed(table)
        if how == "add":
            self.course.add(table, pick, value)
        elif how == "save":
            self.course.save(table, pick, value)
        elif how == "key again" and removed:
            self.course.use_again(table, removed[pick % len(removed)][1], value)
        elif how in ("delete", "restore"):
            keys = self.course.keys(table, [pick, value], live=how == "delete")
            self.course.by_hand(table, [row for _, row in keys], back=how == "restore")

    @rule(table=TABLE, picks=st.lists(NUMBER, min_size=1, max_size=2), below=st.booleans())
    def the_owner_removes_rows(self, table: str, picks: list[int], below: bool) -> None:
        self.course.remove(self.course.keys(table, picks), below=below)

    # -- asking ----------------------------------------------------------------------------------

    @rule(table=TABLE, picks=PICKS, also=st.booleans(), then=THEN)
    def ask_to_delete(self, table: str, picks: list[int], also: bool, then: list[tuple[str, int, int]]) -> None:
        self.course.live_on(self.course.ask_to_delete(table, picks, also), then)

    @rule(table=TABLE, picks=PICKS, then=THEN)
    def ask_to_restore(self, table: str, picks: list[int], then: list[tuple[str, int, int]]) -> None:
        self.course.live_on(self.course.ask_to_restore(table, picks), then)

    @precondition(lambda self: self.any_of(*UNDONE))
    @rule(pick=NUMBER, rules=NO_RULES | RULES, part=st.none() | st.none() | PICKS, then=THEN)
    def ask_to_undo(
        self, pick: int, rules: dict[str, str], part: list[int] | None, then: list[tuple[str, int, int]]
    ) -> None:
        self.course.live_on(self.course.ask_to_undo(self.course.one(pick, *UNDONE), rules, part), then)

    @precondition(lambda self: self.checks.events)
    @rule(
        pick=st.integers(0, 3),
        more=st.none() | st.integers(0, 3),
        rules=NO_RULES | RULES,
        whole=st.booleans(),
        field=st.none() | st.none() | st.none() | NUMBER,
        part=st.none() | st.none() | st.none() | PICKS,
        then=THEN,
    )
    def ask_to_undo_events(
        self,
        pick: int,
        more: int | None,
        rules: dict[str, str],
        whole: bool,
        field: int | None,
        part: list[int] | None,
        then: list[tuple[str, int, int]],
    ) -> None:
        self.course.live_on(self.course.ask_to_undo_events(pick, more, rules, whole, field, part), then)

    @rule(
        table=TABLE,
        pick=NUMBER,
        edits=st.lists(st.tuples(NUMBER, NUMBER), min_size=2, max_size=3),
        undone=st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True),
        rules=NO_RULES | RULES,
        then=THEN,
    )
    def one_row_is_edited_again_and_again(
        self,
        table: str,
        pick: int,
        edits: list[tuple[int, int]],
        undone: list[int],
        rules: dict[str, str],
        then: list[tuple[str, int, int]],
    ) -> None:
        asked = self.course.one_row_is_edited_again_and_again(table, pick, edits, undone, rules)
        self.course.live_on(asked, then)

    @rule(
        table=TABLE,
        picks=st.lists(NUMBER, min_size=1, max_size=3),
        below=st.booleans(),
        again=st.none() | NUMBER,
        rules=NO_RULES | RULES,
        then=THEN,
    )
    def removed_rows_are_asked_back(
        self,
        table: str,
        picks: list[int],
        below: bool,
        again: int | None,
        rules: dict[str, str],
        then: list[tuple[str, int, int]],
    ) -> None:
        keys = self.course.keys(table, picks)
        if keys:
            self.course.live_on(self.course.ask_for_removed_rows(keys, below, again, rules), then)

    # -- deciding, steering, working -------------------------------------------------------------

    @precondition(lambda self: self.any_of("waiting"))
    @rule(pick=NUMBER, verb=st.sampled_from(["approve", "approve", "approve", "reject", "withdraw"]))
    def decide(self, pick: int, verb: str) -> None:
        self.course.decide(self.course.one(pick, "waiting"), verb)

    @precondition(lambda self: self.any_of("cleared", "paused", "failed", "waiting"))
    @rule(pick=NUMBER)
    def start(self, pick: int) -> None:
        self.course.start(self.course.one(pick, "cleared", "paused", "failed", "waiting"))

    @precondition(lambda self: self.any_of(*OPEN))
    @rule(pick=NUMBER, verb=st.sampled_from(["pause", "cancel"]))
    def hold(self, pick: int, verb: str) -> None:
        self.course.hold(self.course.one(pick, *OPEN), verb)

    @precondition(lambda self: self.course.scratch or self.any_of("waiting", "cleared", *OPEN))
    @rule(there=st.booleans())
    def the_schema_changes(self, there: bool) -> None:
        self.course.alter(there)

    @precondition(lambda self: self.any_of("running", "cancelling"))
    @rule(pick=NUMBER, then=THEN)
    def workers_go_on(self, pick: int, then: list[tuple[str, int, int]]) -> None:
        number = self.course.one(pick, "running", "cancelling")
        self.course.chunk(number)
        self.course.live_on(number, then)
