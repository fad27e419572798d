"""`python -m chaos --faults 100 --seed 1`: exit status 1 when a rule was broken, 0 when none was.

One seed gives one plan of faults, requests and edits; what the processes make of it in time differs.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from chaos import cold, races
from chaos.catalog import Catalog
from chaos.checker import Checker
from chaos.data import load
from chaos.faults import Faults
from chaos.stage import Stage
from chaos.traffic import Traffic
from chaos.watch import Watch

FULL_LOOK_EVERY = 20
QUIET_PATIENCE_S, QUIET_MOST_S = 60.0, 600.0
LOOKS_TRIED = 5
FAULTS_TO_JUDGE = 20


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing we started stays behind
    if options.kind == "races":
        return races.main(options, say)
    began = time.monotonic()
    with Stage(chunk_rows=options.chunk_rows, slow_s=options.slow, naive=options.naive) as stage:
        checker = Checker(stage.admin)
        checker.set_up()
        load(stage.app)
        import django

        django.setup()
        say(f"up after {time.monotonic() - began:.0f} s, seed {options.seed}")
        run = Run(stage, checker, options)
        run.go()
        status = run.report(time.monotonic() - began)
        if status and options.keep:
            say(f"everything stays up to be looked at, in {stage.directory}; Ctrl-C ends it")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
        return status


class Run:
    """Faults one after the other while people and traffic go on; looks after each; then waits for quiet."""

    def __init__(self, stage: Stage, checker: Checker, options: argparse.Namespace) -> None:
        from chaos.people import People

        self.stage, self.checker, self.options = stage, checker, options
        self.catalog = Catalog(stage.admin)
        self.people = People(checker, seed=options.seed, naive=options.naive)
        self.traffic = Traffic(stage.app, stage.owner, checker.heard, seed=options.seed)
        self.faults = Faults(stage, seed=options.seed)
        self.watch = Watch(stage.admin, stage.workers, self.faults.slept)
        self.quiet_s = 0.0
        self.struck: Counter[str] = Counter()
        self.violations: list[str] = []
        self.unfinished: list[Any] = []

    def go(self) -> None:
        self.stage.start_programs()
        self.people.start()
        self.traffic.start()
        self.watch.start()
        try:
            for number in range(1, self.options.faults + 1):
                name, hit = self.faults.strike()
                self.struck[name] += 1
                if self.options.verbose:
                    say(f"fault {number}: {name}{'' if hit else ' (no chunk was open)'}")
                self.stage.revive()
                self._look(f"after fault {number} ({name})", quick=number % FULL_LOOK_EVERY != 0)
                if self.violations:
                    break
            self._quiet()
        finally:
            self.faults.wake_all()
            for thread in (self.people, self.traffic, self.watch):
                thread.stopping.set()
            for thread in (self.people, self.traffic, self.watch):
                thread.join(20)
        self._last_look()

    def _quiet(self) -> None:
        """I12. No more faults and no new requests: nothing stands still for a minute before all has ended or waits."""
        self.people.winding_up.set()
        began = moved = time.monotonic()
        patience = 5.0 if self.options.naive else QUIET_PATIENCE_S
        seen = self.checker.progress()
        while self.people.busy and time.monotonic() < min(moved + patience, began + QUIET_MOST_S):
            self.stage.revive()
            time.sleep(0.2)
            if not self.options.naive and (now := self.checker.progress()) != seen:
                seen, moved = now, time.monotonic()
        self.quiet_s = time.monotonic() - began
        if not self.options.naive:
            self.unfinished = self.checker.moving()

    def _look(self, when: str, *, quick: bool) -> None:
        found = self._patiently(lambda: self.checker.violations(quick=quick))
        if not quick:
            found += self._patiently(self.catalog.violations)
        self.violations += [f"{rule}, {when}" for rule in found]

    def _patiently(self, look: Callable[[], list[str]]) -> list[str]:
        """A look that a dying server ends is taken again: it may notice a killed backend only after we have gone on."""
        for _ in range(LOOKS_TRIED - 1):
            try:
                return look()
            except psycopg.OperationalError:
                self.stage.wait_for_cluster()
        return look()

    def _last_look(self) -> None:
        """Every change once more, the catalogs, every block of every table, every file of the archive."""
        found = [*self.checker.violations(last=True), *self.catalog.violations(), *self.catalog.damage()]
        found += cold.violations(self.stage.admin, self.stage.archive.place)
        found += [] if self.options.naive else self.watch.complaints
        self.violations += [f"{rule}, at the end" for rule in found]

    def _cuts(self) -> Counter[str]:
        return self.stage.proxy.cuts if self.stage.proxy else Counter()

    def report(self, seconds: float) -> int:
        faults = sum(self.struck.values())
        share = 100 * self.faults.hits // max(1, faults)
        say(f"{faults} faults in {seconds:.0f} s, {self.faults.hits} inside an open chunk ({share} %)")
        say("faults: " + ", ".join(f"{name} {count}" for name, count in self.struck.most_common()))
        say("people: " + ", ".join(f"{name} {count}" for name, count in self.people.counts.most_common()))
        say(f"traffic: {self.traffic.written} written, {self.traffic.failed} failed")
        cuts = ", ".join(f"{way} {count}" for way, count in sorted(self._cuts().items()))
        say(f"cut around COMMIT: {cuts or 'none'}; messages sent again: {self.faults.messages.repeated}")
        say(f"archives filled while a purge wrote: {self.faults.full_archives}")
        say(
            f"longest transaction with locks {self.watch.longest_s:.2f} s in {self.watch.looks} looks; quiet after {self.quiet_s:.0f} s"
        )
        for error in Counter(self.people.unexpected).most_common(10):
            say(f"UNEXPECTED {error}")
        for broken in self.violations:
            say(f"VIOLATION {broken}")
        if self.unfinished:
            say(f"UNFINISHED (I12) {self.unfinished}")
        if faults >= FAULTS_TO_JUDGE and not self.options.naive and 2 * self.faults.hits < faults:
            self.people.unexpected.append("less than half of the faults hit an open chunk")
            say("TOO FEW HITS")
        bad = len(self.violations) + len(self.unfinished) + len(self.people.unexpected)
        say(f"{len(self.violations)} violations, seed {self.options.seed}: {'RED' if bad else 'GREEN'}")
        return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--kind", choices=("faults", "races"), default="faults")
    parser.add_argument("--trials", type=int, default=100_000, help="of each race, with --kind races")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunk-rows", type=int, default=500)
    parser.add_argument("--slow", type=float, default=0.06, help="seconds each changing statement takes longer")
    parser.add_argument("--naive", action="store_true", help="a careless executor in the workers' place: must be red")
    parser.add_argument("--keep", action="store_true", help="after a violation, leave the servers up until Ctrl-C")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def say(line: str) -> None:
    print(f"chaos: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
