"""`python -m bench [KEYS…] [--scale 0.1] [--rounds 3]`: measure, print, write var/bench/latest.json (a quick look: quick.json)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from bench.measuring import Figure, table
from bench.stage import Stage, staged

KEYS = (
    "delete_vs_hand_sql",
    "delete_vs_simple_history_bulk",
    "delete_vs_pghistory_statement",
    "run_vs_statement",
    "run_vs_statement_indexed",
    "undo_vs_delete",
    "restore_vs_delete",
    "freeze_vs_delete",
    "single_row_overhead",
    "guard_overhead",
    "rss_growth_mb",
    "compare_vs_except",
    "compare_10m_s_per_million",
    "neighbour_p99",
    "parallel_speedup",
    "hot_share",
)
MILLION = 1_000_000
Measure = Callable[[frozenset[str]], list[Figure]]


def main() -> int:
    arguments = _arguments()
    wanted = frozenset(arguments.keys or KEYS)
    # Before the servers replace it: figures belong to the installation, not to their private home.
    name = "latest.json" if arguments.scale == 1 else "quick.json"
    latest = Path(os.environ.get("CUSTODY_HOME") or "var") / "bench" / name
    with staged() as stage:
        import django

        django.setup()
        figures, failed = measure(stage, wanted, arguments.scale, arguments.rounds)
        settings = stage.settings()
    print("\n" + table(figures))
    print(f"\n{os.cpu_count()} cores, {platform.machine()}; " + ", ".join(f"{k} {v}" for k, v in settings.items()))
    write(latest, figures, failed)
    print(f"Written to {latest}.")
    if failed:
        print(f"Not measured, see above: {', '.join(failed)}.")
    missed = arguments.scale == 1 and not all(figure.met for figure in figures)
    return 1 if failed or missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Custody against its neighbours.")
    parser.add_argument("keys", nargs="*", metavar="KEY", help=f"figures to take: {', '.join(KEYS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows, for a quick look")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    unknown = [key for key in arguments.keys if key not in KEYS]
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(KEYS)}")
    return arguments


def measure(stage: Stage, wanted: frozenset[str], scale: float, rounds: int) -> tuple[list[Figure], list[str]]:
    """Every wanted figure, and the keys of those that an error kept from being measured; an error stops no other."""
    prepared(stage, int(MILLION * scale))
    figures: list[Figure] = []
    failed: list[str] = []
    for keys, take in measures(stage, scale, rounds):
        mine = [key for key in KEYS if key in keys & wanted]
        if not mine:
            continue
        print(f"{', '.join(mine)} ...", flush=True)
        began = time.monotonic()
        try:
            figures += take(frozenset(mine))
        except Exception:  # whatever it is, the other figures are worth having
            traceback.print_exc()
            failed += mine
        print(f"    ({time.monotonic() - began:.0f} s)", flush=True)
    return figures, failed


def prepared(stage: Stage, rows: int) -> None:
    """The rows that all tables are filled from."""
    from bench import tables

    with stage.owner() as owner:
        tables.prepare(owner, rows)


def measures(stage: Stage, scale: float, rounds: int) -> list[tuple[frozenset[str], Measure]]:
    """What is measured together, in order. The last one needs ten times the rows."""
    from bench import closure, compare, guard, neighbours, runs, single_row, statements

    million, hundred_thousand, ten_thousand = (int(size * scale) for size in (MILLION, 100_000, 10_000))

    def one(key: str, take: Callable[[], Figure]) -> tuple[frozenset[str], Measure]:
        return frozenset({key}), lambda _: [take()]

    return [
        one("delete_vs_hand_sql", lambda: statements.delete_vs_hand_sql(stage, million, rounds)),
        one("delete_vs_simple_history_bulk", lambda: statements.delete_vs_simple_history_bulk(stage, ten_thousand, rounds)),
        one("delete_vs_pghistory_statement", lambda: statements.delete_vs_pghistory_statement(stage, hundred_thousand, rounds)),
        one("single_row_overhead", lambda: single_row.single_row_overhead(stage, million)),
        one("guard_overhead", lambda: guard.guard_overhead(stage, million, min(1.0, 10 * scale))),
        (runs.KEYS, lambda keys: runs.figures(stage, million, rounds, keys)),
        one("run_vs_statement_indexed", lambda: runs.run_vs_statement_indexed(stage, million, rounds)),
        one("freeze_vs_delete", lambda: closure.freeze_vs_delete(stage, million, rounds)),
        one("neighbour_p99", lambda: neighbours.neighbour_p99(stage, million, rounds)),
        one("parallel_speedup", lambda: neighbours.parallel_speedup(stage, million, rounds)),
        one("hot_share", lambda: neighbours.hot_share(stage, max(million // 10, 1000))),
        one("compare_vs_except", lambda: compare.compare_vs_except(stage, million, rounds)),
        one("compare_10m_s_per_million", lambda: compare.compare_10m(stage, 10 * million, rounds)),
    ]  # fmt: skip


def write(latest: Path, figures: list[Figure], failed: list[str]) -> None:
    """A flat object of figures. Others of an earlier run stay, so keys can be measured one by one; failed ones go."""
    latest.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(latest.read_text()) if latest.is_file() else {}
    kept = {key: value for key, value in kept.items() if key in KEYS and key not in failed}
    kept |= {figure.key: round(figure.value, 3) for figure in figures}
    latest.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
