"""`make check`: every check that needs no test run. They run side by side; each is printed with its time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import polib

PROJECT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(PYTHON).parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
# Settings need addresses to read; nothing here connects.
UNCONNECTED = {
    "CUSTODY_SECRET_KEY": "x" * 50,
    "DATABASE_URL": "postgresql://custody_app@127.0.0.1:1/custody",
    "DATABASE_OWNER_URL": "postgresql://custody_owner@127.0.0.1:1/custody",
    "DJANGO_SETTINGS_MODULE": "console.settings",
}


def main() -> int:
    os.chdir(PROJECT)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = pool.map(lambda item: passes(*item), checks().items())
        failed = [name for name, good in zip(checks(), passed, strict=True) if not good]
    print(f"\n{len(failed)} failed: {', '.join(failed)}" if failed else "\nAll checks passed.")
    return 1 if failed else 0


def checks() -> dict[str, Callable[[], str]]:
    """Each returns what is wrong, or nothing. The longest comes first."""
    return {
        "types": lambda: tool("mypy"),
        "format": lambda: tool("ruff", "format", "--check", "--quiet", "."),
        "lint": lambda: tool("ruff", "check", "--quiet", "."),
        "layers": lambda: tool("lint-imports"),
        "templates": lambda: tool("djlint", "--lint", "--quiet", "templates") if Path("templates").is_dir() else "",
        "migrations": pending_migrations,
        "governance": ungoverned,
        "translations": lambda: "\n".join(stale_translations()),
        "documents": lambda: "\n".join(broken_links()),
    }


def passes(name: str, check: Callable[[], str]) -> bool:
    began = time.monotonic()
    wrong = check().strip()
    verdict = f"{'failed' if wrong else 'ok':7}{name:14}{time.monotonic() - began:5.1f} s"
    print("\n       ".join([verdict, *wrong.splitlines()]), flush=True)  # in one piece: others print beside it
    return not wrong


def tool(name: str, *arguments: str) -> str:
    return output_when_failing([str(BIN / name), *arguments])


def output_when_failing(command: list[str]) -> str:
    done = subprocess.run(
        command, env=os.environ | UNCONNECTED, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout or f"{command[0]} ended with {done.returncode}"


def pending_migrations() -> str:
    return output_when_failing(
        [PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run"]
    )


def ungoverned() -> str:
    return output_when_failing([PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", "coverage", "--fail"])


def stale_translations() -> Iterator[str]:
    """The compiled catalog is committed, so it must say what the readable one says."""
    for source in sorted(Path("locale").glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")
        if not compiled.is_file():
            yield f"{compiled} is missing: run `python manage.py compilemessages`."
            continue
        wanted = {(e.msgctxt, e.msgid): message(e) for e in polib.pofile(str(source)).translated_entries()}
        found = {(e.msgctxt, e.msgid): message(e) for e in polib.mofile(str(compiled)) if e.msgid}
        if wanted != found:
            yield f"{compiled} is out of step with {source.name}: run `python manage.py compilemessages`."


def message(entry: polib.POEntry | polib.MOEntry) -> object:
    return sorted(entry.msgstr_plural.items()) if entry.msgid_plural else entry.msgstr


def broken_links() -> Iterator[str]:
    """Relative links of the documents must lead somewhere."""
    listed = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=False).stdout.split("\n")
    for document in (Path(name) for name in listed if name):
        if not document.is_file():
            continue
        for match in LINK.finditer(re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)):
            target = unquote((match[1] or match[2]).split("#", 1)[0])
            is_file = target and "://" not in target and not target.startswith("mailto:")
            if is_file and not (document.parent / target).exists():
                yield f"{document}: {target} does not exist"


if __name__ == "__main__":
    sys.exit(main())
