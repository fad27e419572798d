"""A ticket and its change as a pure function: a state, and every step that people, workers, clocks and crashes can take.

Three people (0 asked, 1 and 2 may decide; 1 has a second login), two workers, a rule that asks for two and can be edited,
a role that can be lost, a look that can be stale. Nothing here is taken from the product: `test_model.py` compares the
tables below with the product's own, edge by edge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

# Published steps of a ticket (a new round of votes begins with those in NEW_ROUND), and of its change.
TICKET: dict[str, frozenset[str]] = {
    "pending": frozenset({"approved", "rejected", "sent_back", "withdrawn", "expired"}),
    "approved": frozenset({"pending"}),
    "sent_back": frozenset({"pending", "withdrawn", "expired"}),
    "rejected": frozenset(),
    "withdrawn": frozenset(),
    "expired": frozenset(),
}
NEW_ROUND = frozenset({("approved", "pending"), ("sent_back", "pending")})
CHANGE: dict[str, frozenset[str]] = {
    "waiting": frozenset({"cleared", "refused"}),
    "cleared": frozenset({"running", "refused", "waiting"}),
    "running": frozenset({"done", "paused", "cancelling", "failed"}),
    "paused": frozenset({"running", "cancelling"}),
    "cancelling": frozenset({"cancelled", "done", "failed"}),
    "failed": frozenset({"running"}),
    "done": frozenset(),
    "cancelled": frozenset(),
    "refused": frozenset(),
}
ENDS = ("rejected", "withdrawn", "expired")
PEOPLE = (0, 1, 2)
LOGINS = ((0, 0), (1, 1), (3, 1), (2, 2))  # login, person: 1 has two
WORKERS = (0, 1)
ROUNDS = 2
CHUNKS = 2


@dataclass(frozen=True, slots=True)
class Vote:
    login: int
    person: int
    round: int
    approves: bool
    fresh: bool = True  # for the fingerprint that the ticket has


@dataclass(frozen=True, slots=True)
class World:
    """Everything the guards can see, and what happened: `begun` counts starts, `chunks` what was carried out."""

    ticket: str = "pending"
    change: str = "waiting"
    round: int = 1
    votes: frozenset[Vote] = frozenset()
    need: int = 2  # on the ticket, from when it was opened
    rule: int = 2  # in force now
    holders: frozenset[int] = frozenset({1, 3, 2})  # logins with the role
    late: bool = False  # the clock is past the ticket's end
    begun: int = 0
    chunks: tuple[int, ...] = (0,) * CHUNKS
    lane: int | None = None  # which worker holds the lane
    fence: int = 0
    seen: tuple[int, ...] = (0,) * len(WORKERS)  # the fence each worker believes to hold
    entitled_at_start: bool = True


@dataclass(frozen=True, slots=True)
class Guards:
    """What the product refuses. A sabotage takes one away: some rule must be broken then."""

    not_the_requester: bool = True
    entitled: bool = True
    one_per_person: bool = True
    fingerprint: bool = True
    quorum: bool = True
    entitled_at_start: bool = True
    new_round_voids: bool = True
    own_rule: bool = True  # the ticket keeps the rule it was opened under
    terminal: bool = True
    in_time: bool = True
    start_once: bool = True
    fence: bool = True
    no_start_uncleared: bool = True


Step = tuple[str, World]


def counted(world: World, guards: Guards, *, now: bool = True) -> int:
    """Approvals that count."""
    good = [
        vote
        for vote in world.votes
        if vote.approves
        and (vote.round == world.round or not guards.new_round_voids)
        and (vote.fresh or not guards.fingerprint)
        and (vote.login in world.holders or not now or not guards.entitled)
    ]
    return len({vote.person for vote in good}) if guards.one_per_person else len(good)


def needed(world: World, guards: Guards) -> int:
    return world.need if guards.own_rule else min(world.need, world.rule)


def steps(world: World, guards: Guards) -> Iterator[Step]:
    """Every step that can be taken from here."""
    yield from _votes(world, guards)
    yield from _ends(world, guards)
    yield from _starts(world, guards)
    yield from _work(world, guards)
    yield from _surroundings(world)


def _votes(world: World, guards: Guards) -> Iterator[Step]:
    open_now = world.ticket == "pending" or (not guards.terminal and world.ticket in ENDS)
    if not open_now or (world.late and guards.in_time):
        return
    for login, person in LOGINS:
        if person == 0 and guards.not_the_requester:
            continue
        if login not in world.holders and guards.entitled and person != 0:
            continue
        if guards.one_per_person and any((v.person, v.round) == (person, world.round) for v in world.votes):
            continue
        for fresh in (True, False) if not guards.fingerprint else (True,):
            vote = Vote(login, person, world.round, True, fresh)
            if vote in world.votes:
                continue
            voted = replace(world, votes=world.votes | {vote})
            if counted(voted, guards) >= needed(voted, guards) or not guards.quorum:
                voted = replace(voted, ticket="approved", change="cleared")
            yield f"{login} approves", voted
        if world.ticket == "pending":
            no = Vote(login, person, world.round, False)
            yield f"{login} rejects", replace(world, votes=world.votes | {no}, ticket="rejected", change="refused")
            if world.round < ROUNDS:
                yield f"{login} sends it back", replace(world, ticket="sent_back")


def _ends(world: World, guards: Guards) -> Iterator[Step]:
    """A change that was sent back is a draft again; here it goes on as waiting, for nobody can clear it meanwhile."""
    if world.ticket in ("pending", "sent_back") and not world.late:
        yield "the requester withdraws", replace(world, ticket="withdrawn", change="refused")
    if world.ticket in ("pending", "sent_back") and world.late:
        yield "the clock closes it", replace(world, ticket="expired", change="refused")
    if world.ticket == "sent_back" and not world.late:
        # Edited and frozen anew under the rules of now; a ticket never asks fewer than it did.
        yield "it is asked again", replace(_asked_again(world), need=max(world.need, world.rule))
    if world.change == "cleared":
        yield "it is called off", replace(world, change="refused")


def _starts(world: World, guards: Guards) -> Iterator[Step]:
    startable = world.change == "cleared" or (not guards.no_start_uncleared and world.change == "waiting")
    if not guards.start_once and world.change == "running" and world.begun == 1:
        startable = True
    if not startable:
        return
    agreed = counted(world, guards) >= needed(world, guards) or not guards.quorum
    if not agreed and guards.entitled_at_start and guards.no_start_uncleared:
        if world.round < ROUNDS:
            yield "a start finds void votes", _asked_again(world)
        return
    if world.round < ROUNDS and world.change == "cleared":
        yield "a start finds too much drift", _asked_again(world)
    holds = {v.person for v in world.votes if v.login in world.holders and v.round == world.round and v.approves}
    yield (
        "a start",
        replace(world, change="running", begun=world.begun + 1, entitled_at_start=len(holds - {0}) >= world.need),
    )


def _asked_again(world: World) -> World:
    return replace(world, ticket="pending", change="waiting", round=world.round + 1, late=False)


def _work(world: World, guards: Guards) -> Iterator[Step]:
    if world.change in ("running", "cancelling"):
        yield "it fails", replace(world, change="failed", lane=None)
        for worker in WORKERS:
            yield from _works(world, guards, worker)
        if all(world.chunks):
            yield "it is finished", replace(world, change="done", lane=None)
    if world.change == "running":
        yield "a person pauses", replace(world, change="paused")
        yield "a person stops it", replace(world, change="cancelling")
    if world.change == "paused":
        yield "a person goes on", replace(world, change="running")
        yield "a person stops it", replace(world, change="cancelling")
    if world.change == "failed":
        yield "a person continues", replace(world, change="running")
    if world.change == "cancelling" and world.lane is None:
        yield "it has stopped", replace(world, change="cancelled")


def _works(world: World, guards: Guards, worker: int) -> Iterator[Step]:
    mine = world.seen[worker]
    if world.lane is None and world.change == "running" and world.fence < 3:
        fence = world.fence + 1
        seen = tuple(fence if w == worker else old for w, old in enumerate(world.seen))
        yield f"w{worker} claims", replace(world, lane=worker, fence=fence, seen=seen)
    # A worker thinks that it holds the lane as long as it remembers a fence; the commit of a chunk asks.
    if mine and ((mine == world.fence and world.lane == worker) or not guards.fence):
        chunk = next((n for n, done in enumerate(world.chunks) if not done), None)
        if chunk is not None:
            yield f"w{worker} commits a chunk", _carried_out(world, chunk)
        elif not guards.fence:
            yield f"w{worker} commits a chunk again", _carried_out(world, CHUNKS - 1)
        yield f"w{worker} gives the lane back", replace(world, lane=None)
    if mine and world.lane == worker:
        # Dead, or only thought to be: the lease ends and the lane is free, while the worker may go on.
        yield (
            f"w{worker} crashes",
            replace(world, lane=None, seen=tuple(0 if w == worker else old for w, old in enumerate(world.seen))),
        )
        yield f"w{worker} is thought dead", replace(world, lane=None)


def _carried_out(world: World, chunk: int) -> World:
    done = tuple(min(2, times + (n == chunk)) for n, times in enumerate(world.chunks))
    return replace(world, chunks=done)


def _surroundings(world: World) -> Iterator[Step]:
    """Rules, roles and the clock move whatever the ticket does."""
    if world.rule == 2:
        yield "the rule is lowered", replace(world, rule=0)
    for login in world.holders:
        if login != 3 or world.begun == 0:
            yield f"{login} loses the role", replace(world, holders=world.holders - {login})
    if world.ticket in ("pending", "sent_back") and not world.late:
        yield "time passes", replace(world, late=True)


@dataclass(slots=True)
class Walk:
    """Every state that can be reached, the edges seen on the way, and what was broken where."""

    states: int = 0
    edges: int = 0
    ticket_edges: set[tuple[str, str]] = field(default_factory=set)
    change_edges: set[tuple[str, str]] = field(default_factory=set)
    broken: dict[str, list[str]] = field(default_factory=dict)


def walk(guards: Guards, rules: dict[str, Callable[[World, World, str], bool]], *, stop: bool = False) -> Walk:
    """Breadth first, from the open ticket. `stop`: at the first rule that is broken."""
    first = World()
    found, ways = Walk(), {first: ""}
    queue = deque([first])
    while queue:
        world = queue.popleft()
        for name, after in steps(world, guards):
            found.edges += 1
            found.ticket_edges.add((world.ticket, after.ticket))
            found.change_edges.add((world.change, after.change))
            for rule, holds in rules.items():
                if rule not in found.broken and not holds(world, after, name):
                    found.broken[rule] = [ways[world], name]
            if after not in ways:
                ways[after] = f"{ways[world]}; {name}"[-400:]
                queue.append(after)
        if stop and found.broken:
            break
    found.states = len(ways)
    return found
