"""`python -m chaos --kind races --trials 100000`: two at the same moment, on one ticket, over and over.

Both sides say to the database what the verbs of the product say, in two sessions that stay open, let go together by a
barrier. What is raced is the database: its locks, conditions, constraints and triggers are what nobody walks around.
`--naive` reads first and writes then, without a lock and without the database's guards: it must be red.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from chaos.data import CONTEXT

TENANT = 1
BATCH = 100
ASKER, FIRST, SECOND, AGAIN = 9001, 9002, 9003, 9004  # logins; AGAIN is FIRST's second one
PERSONS = {ASKER: 9001, FIRST: 9002, SECOND: 9003, AGAIN: 9002}

PEOPLE = (
    f"INSERT INTO access_tenant (id, name, slug) VALUES ({TENANT}, 'Races', 'races') ON CONFLICT DO NOTHING",
    "INSERT INTO access_person (id, name) SELECT n, 'P' || n FROM generate_series(9001, 9003) n",
    "INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, "
    "date_joined) SELECT n, 'race' || n, '', false, true, true, '', '', '', now() FROM generate_series(9001, 9004) n",
    f"INSERT INTO access_account (user_id, person_id, tenant_id) SELECT n, CASE n WHEN {AGAIN} THEN {FIRST} ELSE n END, "
    f"{TENANT} FROM generate_series(9001, 9004) n",
    "INSERT INTO auth_user_groups (user_id, group_id) SELECT n, g.id FROM generate_series(9002, 9004) n, auth_group g "
    "WHERE g.name = 'approver'",
)
# A batch of changes with one row each, frozen, and their tickets.
CHANGES = (
    "INSERT INTO changes_change (tenant_id, operation, entity, title, reason, selection, selection_text, options, state, "
    "digest, snapshot, schema_fingerprint, rows_selected, rows_total, approvals_least, preflight, requested_by_id, "
    "requester_person_id, requester_name, channel, started_by, applied, skipped, error) "
    f"SELECT {TENANT}, 'delete', 'shop.order', 'a race', 'two at once', '{{}}', '', '{{}}', 'draft', repeat('d', 64), '', "
    f"'', 1, 1, %s, '[]', {ASKER}, {ASKER}, 'Asker', 'chaos', '', 0, 0, '' FROM generate_series(1, %s) RETURNING id"
)
FROZEN = (
    f"INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) SELECT {TENANT}, c, 0, c, '1' "
    "FROM unnest(%(ids)s) c",
    "INSERT INTO changes_changepart (tenant_id, change_id, part, depth, step, entity, effect, via, columns, rows, conflicts) "
    f"SELECT {TENANT}, c, 0, 0, 0, 'shop.order', 'delete', '', '[]', 1, 0 FROM unnest(%(ids)s) c",
    "UPDATE changes_change SET state = 'frozen', frozen_at = clock_timestamp() WHERE id = ANY(%(ids)s)",
)
TICKETS = (
    "INSERT INTO approvals_ticket (tenant_id, change_id, state, title, required, rule, digest, requester_person_id, "
    f"requester_name, expires_at) SELECT {TENANT}, c, 'pending', 'a race', 1, '{{}}', repeat('d', 64), {ASKER}, 'Asker', "
    "now() FROM unnest(%(ids)s) c RETURNING id, change_id"
)


@dataclass(slots=True)
class Case:
    """One ticket of a trial."""

    ticket: int
    change: int


@dataclass(slots=True)
class Side:
    """A session that stays open. `naive`: what most programs do, with the other one let in between read and write."""

    connection: psycopg.Connection
    between: threading.Barrier | None = None
    proofs: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def as_login(self, login: int) -> Iterator[psycopg.Connection]:
        context = {"user": login, "person": PERSONS[login], "name": "x", "tenant": TENANT, "channel": "chaos"}
        with self.connection.transaction():
            self.connection.execute(CONTEXT, [json.dumps(context), str(TENANT)])
            yield self.connection

    def prove(self, login: int) -> None:
        with self.as_login(login) as connection:
            row = connection.execute("SELECT custody.record_proof('password', '')").fetchone()
            assert row is not None
            self.proofs[login] = int(row[0])

    def look(self, case: Case) -> bool:
        """Whether the ticket is open: under its lock, or (naively) just so."""
        lock = "" if self.between else " FOR UPDATE"
        found = self.connection.execute(
            f"SELECT 1 FROM approvals_ticket WHERE id = %s AND state = 'pending' AND expires_at > clock_timestamp(){lock}",
            [case.ticket],
        ).fetchone()
        self._let_in()
        return found is not None

    def _let_in(self) -> None:
        if self.between:
            self.between.wait()

    def settle(self, case: Case, state: str, when: str = "expires_at > clock_timestamp()") -> bool:
        condition = "" if self.between else f" AND state = 'pending' AND {when}"
        moved = self.connection.execute(
            f"UPDATE approvals_ticket SET state = %s, decided_at = clock_timestamp() WHERE id = %s{condition}",
            [state, case.ticket],
        )
        return bool(moved.rowcount)

    def move(self, case: Case, seen: str, to: str) -> bool:
        condition = "" if self.between else f" AND state = '{seen}'"
        moved = self.connection.execute(
            f"UPDATE changes_change SET state = %s WHERE id = %s{condition}", [to, case.change]
        )
        return bool(moved.rowcount)


Deed = Callable[[Side, Case], Any]


def vote(login: int) -> Deed:
    """Approve; with enough others the change is cleared in the same transaction."""

    def deed(side: Side, case: Case) -> bool:
        with side.as_login(login) as connection:
            if not side.look(case):
                return False
            connection.execute(
                "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
                f"digest, reason, proof_id) VALUES ({TENANT}, %s, {ASKER}, %s, %s, 'x', 'approve', repeat('d', 64), '', %s)",
                [case.ticket, PERSONS[login], login, side.proofs[login]],
            )
            agreed = connection.execute("SELECT custody.is_agreed(%s, %s, true)", [TENANT, case.ticket]).fetchone()
            if agreed == (True,):
                side.settle(case, "approved")
                side.move(case, "waiting", "cleared")
        return True

    return deed


def withdraw(side: Side, case: Case) -> bool:
    with side.as_login(ASKER):
        if side.between and not side.look(case):
            return False
        return side.settle(case, "withdrawn") and side.move(case, "waiting", "refused")


def expire(side: Side, case: Case) -> bool:
    with side.as_login(ASKER):
        side._let_in()
        return side.settle(case, "expired", "expires_at <= clock_timestamp()") and side.move(case, "waiting", "refused")


def lower_the_rules(side: Side, case: Case) -> bool:
    """What an agreed amendment does, which the owner's function does for it."""
    with side.as_login(ASKER) as connection:
        side._let_in()
        connection.execute(
            "INSERT INTO approvals_ruleversion (tenant_id, number, rules, amendment_id, author_person_id, author_name) "
            f'SELECT {TENANT}, coalesce(max(number), 0) + 1, \'[{{"name": "nobody", "stages": []}}]\', 0, 0, \'x\' '
            "FROM approvals_ruleversion"
        )
        if side.between:  # what a product does that looks its rules up again
            side.settle(case, "approved")
    return True


def leave_the_group(side: Side, case: Case) -> bool:
    with side.as_login(ASKER) as connection:
        side._let_in()
        connection.execute("DELETE FROM auth_user_groups WHERE user_id = %s", [FIRST])
    return True


def start(side: Side, case: Case) -> bool:
    with side.as_login(ASKER):
        side._let_in()
        return side.move(case, "cleared", "running")


@dataclass(frozen=True, slots=True)
class Race:
    """Two deeds on one ticket that needs `need` others; `broken` says what is wrong with how it ended, if anything."""

    name: str
    left: Deed
    right: Deed
    need: int
    broken: Callable[[dict[str, Any], Any, Any], bool]
    near_the_end: bool = False
    right_as_owner: bool = False


def _ended(found: dict[str, Any]) -> tuple[str, str]:
    return found["ticket"], found["change"]


RACES = (
    Race(
        "vote, vote",
        vote(FIRST),
        vote(AGAIN),
        2,
        lambda f, a, b: f["votes"] != 1 or _ended(f) != ("pending", "waiting"),
    ),
    Race(
        "vote, withdraw",
        vote(FIRST),
        withdraw,
        1,
        lambda f, a, b: a is b or _ended(f) != (("approved", "cleared") if a is True else ("withdrawn", "refused")),
    ),
    Race(
        "vote, expire",
        vote(FIRST),
        expire,
        1,
        lambda f, a, b: (
            (a is True and b is True)
            or _ended(f) not in (("approved", "cleared"), ("expired", "refused"), ("pending", "waiting"))
            or (f["ticket"] == "approved") != (a is True)
            or (f["ticket"] == "expired" and not f["late"])
        ),
        near_the_end=True,
    ),
    Race(
        "vote, rules lowered",
        vote(FIRST),
        lower_the_rules,
        2,
        lambda f, a, b: _ended(f) != ("pending", "waiting") or f["required"] != 2 or f["votes"] != 1,
        right_as_owner=True,
    ),
    Race(
        "vote, group left",
        vote(FIRST),
        leave_the_group,
        1,
        lambda f, a, b: f["starts"] or (f["ticket"] == "approved" and a is not True),
    ),
    Race(
        "vote, start",
        vote(FIRST),
        start,
        1,
        lambda f, a, b: (
            a is not True or f["ticket"] != "approved" or f["change"] != ("running" if b is True else "cleared")
        ),
    ),
)


@dataclass(slots=True)
class Result:
    """Of one race: how many trials, how they ended, and those that ended badly."""

    trials: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


class Track:
    """A database with the people of the races in it, and two sessions as the application."""

    def __init__(self, app: str, owner: str, *, naive: bool = False) -> None:
        self.naive = naive
        self.owner = psycopg.connect(owner, autocommit=True)
        self.owner.execute("SET custody.all_tenants = 'on'")
        between = threading.Barrier(2, timeout=10) if naive else None
        self.sides = [Side(psycopg.connect(app, autocommit=True), between) for _ in range(2)]
        self.owner_side = Side(self.owner, between)
        self._people()

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *error: object) -> None:
        for connection in (self.owner, *(side.connection for side in self.sides)):
            connection.close()

    def _people(self) -> None:
        for statement in PEOPLE:
            with self.sides[0].as_login(ASKER) as connection:
                connection.execute(statement)
        if self.naive:
            for table in ("approvals_ticket", "approvals_vote", "changes_change"):
                self.owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            self.owner.execute("ALTER TABLE approvals_vote DROP CONSTRAINT approvals_vote_one_per_person")

    def run(self, race: Race, trials: int, seed: int = 1) -> Result:
        """So many trials of one race."""
        result, chance = Result(), random.Random(f"{race.name} {seed}")
        with ThreadPoolExecutor(2) as pool:
            while result.trials < trials and len(result.bad) < 10:
                for side in self.sides:
                    for login in (FIRST, SECOND, AGAIN):
                        side.prove(login)
                for case in self._cases(race.need, min(BATCH, trials - result.trials)):
                    self._trial(race, case, pool, result, chance)
                    result.trials += 1
        self.owner.execute("DELETE FROM approvals_ruleversion WHERE author_name = 'x'")
        return result

    def _cases(self, need: int, amount: int) -> list[Case]:
        with self.sides[0].as_login(ASKER) as connection:
            ids = [row[0] for row in connection.execute(CHANGES, [need, amount]).fetchall()]
            for statement in FROZEN:
                connection.execute(statement, {"ids": ids})
            made = [Case(*row) for row in connection.execute(TICKETS, {"ids": ids}).fetchall()]
            connection.execute("UPDATE changes_change SET state = 'waiting' WHERE id = ANY(%s)", [ids])
        if self.naive:  # the triggers that write these are away
            rule = json.dumps({"stages": [{"group": "approver", "need": need}]})
            self.owner.execute(
                "UPDATE approvals_ticket SET expires_at = now() + interval '1 day', required = %s, rule = %s "
                "WHERE change_id = ANY(%s)",
                [need, rule, ids],
            )
        return made

    def _trial(self, race: Race, case: Case, pool: ThreadPoolExecutor, result: Result, chance: random.Random) -> None:
        if race.near_the_end:
            self.owner.execute(
                "UPDATE approvals_ticket SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
                [chance.uniform(-0.001, 0.006), case.ticket],
            )
        go = threading.Barrier(2)
        right = self.owner_side if race.right_as_owner else self.sides[1]
        futures = [
            pool.submit(_one, go, deed, side, case) for deed, side in ((race.left, self.sides[0]), (race.right, right))
        ]
        left_said, right_said = (future.result() for future in futures)
        found = self._found(race, case)
        way = f"{left_said}/{right_said}: {found['ticket']}, {found['change']}"
        result.ways[way] += 1
        if race.broken(found, left_said, right_said):
            result.bad.append(f"{race.name}: ticket {case.ticket} {way}, {found}")

    def _found(self, race: Race, case: Case) -> dict[str, Any]:
        """How it ended. Where the voter has left, whether it could start nevertheless; then the voter comes back."""
        starts = False
        if race.right is leave_the_group:
            starts = _one(threading.Barrier(1), _starts_now, self.sides[0], case) is True
            self.owner.execute(
                "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'approver'",
                [FIRST],
            )
        row = self.owner.execute(
            "SELECT t.state, c.state, t.required, (SELECT count(*) FROM approvals_vote v WHERE v.ticket_id = t.id), "
            "t.expires_at <= clock_timestamp() FROM approvals_ticket t JOIN changes_change c ON c.id = t.change_id "
            "WHERE t.id = %s",
            [case.ticket],
        ).fetchone()
        assert row is not None
        return dict(zip(("ticket", "change", "required", "votes", "late"), row, strict=True), starts=starts)


def _starts_now(side: Side, case: Case) -> bool:
    with side.as_login(ASKER) as connection:
        moved = connection.execute(
            "UPDATE changes_change SET state = 'running' WHERE id = %s AND state = 'cleared'", [case.change]
        )
        return bool(moved.rowcount)


def _one(go: threading.Barrier, deed: Deed, side: Side, case: Case) -> Any:
    """What a deed came to: whether it was done, or the SQLSTATE it was refused with."""
    go.wait()
    try:
        return deed(side, case)
    except psycopg.Error as error:
        return error.sqlstate


def main(options: Any, say: Callable[[str], None]) -> int:
    """All races, so many trials each, on an installation of their own; 1 when one was lost."""
    from chaos.stage import Stage

    bad = 0
    with (
        Stage(chunk_rows=500, slow_s=0, naive=False) as stage,
        Track(stage.app, stage.owner, naive=options.naive) as track,
    ):
        for race in RACES:
            result = track.run(race, options.trials, options.seed)
            ways = ", ".join(f"{way} {count}" for way, count in result.ways.most_common())
            say(f"{race.name}: {result.trials} trials, {len(result.bad)} bad; {ways}")
            for one in result.bad:
                say(f"BAD {one}")
            bad += len(result.bad)
    say(f"races, seed {options.seed}: {'RED' if bad else 'GREEN'}")
    return 1 if bad else 0
