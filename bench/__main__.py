"""`python -m bench [KEYS…] [--scale 0.1] [--rounds 3]`: measure, print, write var/bench/latest.json (a quick look: quick.json)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
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


def main() -> int:
    arguments = _arguments()
    wanted = set(arguments.keys or KEYS)
    # Before the servers replace it: figures belong to the installation, not to their private home.
    name = "latest.json" if arguments.scale == 1 else "quick.json"
    latest = Path(os.environ.get("CUSTODY_HOME") or "var") / "bench" / name
    with staged() as stage:
        import django

        django.setup()
        figures = _measure(stage, wanted, arguments.scale, arguments.rounds)
        settings = stage.settings()
    print("\n" + table(figures))
    print(f"\n{os.cpu_count()} cores, {platform.machine()}; " + ", ".join(f"{k} {v}" for k, v in settings.items()))
    _write(latest, figures)
    print(f"Written to {latest}.")
    return 0 if all(figure.met for figure in figures) or arguments.scale != 1 else 1


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


def _measure(stage: Stage, wanted: set[str], scale: float, rounds: int) -> list[Figure]:
    from bench import compare, guard, neighbours, runs, single_row, statements, tables

    million, hundred_thousand, ten_thousand = (int(size * scale) for size in (MILLION, 100_000, 10_000))
    with stage.owner() as owner:
        tables.prepare(owner, million)
    figures: list[Figure] = []
    for key, measure in (
        ("delete_vs_hand_sql", lambda: statements.delete_vs_hand_sql(stage, million, rounds)),
        (
            "delete_vs_simple_history_bulk",
            lambda: statements.delete_vs_simple_history_bulk(stage, ten_thousand, rounds),
        ),
        (
            "delete_vs_pghistory_statement",
            lambda: statements.delete_vs_pghistory_statement(stage, hundred_thousand, rounds),
        ),
        ("single_row_overhead", lambda: single_row.single_row_overhead(stage)),
        ("compare_vs_except", lambda: compare.compare_vs_except(stage, million, rounds)),
        ("guard_overhead", lambda: guard.guard_overhead(stage)),
    ):
        if key in wanted:
            print(f"{key} ...", flush=True)
            figures.append(measure())
    of_runs = wanted & {"run_vs_statement", "run_vs_statement_indexed", "undo_vs_delete", "rss_growth_mb"}
    if of_runs:
        print(f"{', '.join(sorted(of_runs))} ...", flush=True)
        figures += runs.figures(stage, million, rounds, of_runs)
    if "compare_10m_s_per_million" in wanted:  # last: it needs ten times the rows
        print("compare_10m_s_per_million ...", flush=True)
        figures.append(compare.compare_10m(stage, 10 * million, rounds))
    beside = wanted & neighbours.KEYS
    if beside:
        print(f"{', '.join(sorted(beside))} ...", flush=True)
        figures += neighbours.figures(stage, million, rounds, beside)
    return figures


def _write(latest: Path, figures: list[Figure]) -> None:
    """A flat object of figures. Others of an earlier run stay, so keys can be measured one by one."""
    latest.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(latest.read_text()) if latest.is_file() else {}
    kept |= {figure.key: round(figure.value, 3) for figure in figures}
    latest.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
