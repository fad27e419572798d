"""The house's own rules: files and functions stay small, drawers stay away, the web stays in the console."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
APPS = ("foundation", "audit", "access", "changes", "approvals", "console", "shop")
CODE = (*APPS, "bench", "chaos", "scripts", "tests")
FILE_LINES, TEST_LINES, FUNCTION_LINES = 400, 500, 40
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "services", "tools", "lib", "base_utils"}
WEB = ("django.http", "django.shortcuts", "django.forms", "django.urls", "django.views", "rest_framework")
BELOW_CONSOLE = ("foundation", "audit", "access", "changes", "approvals", "shop")


def files(*roots: str) -> list[Path]:
    found = [path for root in roots for path in sorted((PROJECT / root).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts and "__pycache__" not in path.parts]


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_file_is_long() -> None:
    long = {}
    for path in files(*CODE):
        lines = len(path.read_text().splitlines())
        if lines > (TEST_LINES if path.parts[len(PROJECT.parts)] == "tests" else FILE_LINES):
            long[name(path)] = lines
    assert not long, f"split by verb: {long}"


def test_no_function_is_long() -> None:
    long = {
        f"{name(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in files(*CODE)
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert not long, f"name the steps: {long}"


def test_no_module_is_a_drawer() -> None:
    drawers = [name(path) for path in files(*APPS, "bench", "chaos", "tests") if path.stem in DRAWERS]
    assert not drawers, f"name the module for what it holds: {drawers}"


def test_the_web_stays_in_the_console() -> None:
    leaks = [
        f"{name(path)} imports {module}"
        for path in files(*BELOW_CONSOLE)
        for module in imports(path)
        if any(module == web or module.startswith(f"{web}.") for web in WEB)
    ]
    assert not leaks, leaks


@pytest.mark.parametrize(
    "module", ["access/policy.py", "approvals/rules/book.py", "foundation/actor.py", "foundation/context.py"]
)
def test_rules_that_decide_are_pure(module: str) -> None:
    outside = [found for found in imports(PROJECT / module) if found.split(".")[0] in ("django", "celery", "psycopg")]
    assert not outside, f"{module} imports {outside}"


def test_the_checker_shares_nothing_with_the_product() -> None:
    shared = [
        found
        for module in ("checker", "rules", "catalog", "cold", "watch")
        for found in imports(PROJECT / "chaos" / f"{module}.py")
        if found.split(".")[0] in (*APPS, "django")
    ]
    assert not shared, shared


def test_every_module_says_what_it_is() -> None:
    silent = [
        name(path)
        for path in files(*CODE)
        if path.read_text().strip()
        and path.name not in ("__init__.py", "apps.py")
        and not ast.get_docstring(tree(path))
    ]
    assert not silent, silent


def test_every_command_says_what_it_does() -> None:
    for app in APPS:
        for path in (PROJECT / app / "management" / "commands").glob("[a-z]*.py"):
            assert ast.get_docstring(tree(path)), f"{name(path)} has no docstring"


def test_only_the_settings_read_the_environment() -> None:
    """Below the console nothing reads os.environ, except where a command starts another process."""
    readers = [
        name(path)
        for path in files(*BELOW_CONSOLE)
        if "adoption" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert not readers, readers


def test_nobody_swallows_every_error() -> None:
    bare = [
        f"{name(path)}:{node.lineno}"
        for path in files(*APPS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not bare, bare


def test_errors_are_not_told_apart_by_their_words() -> None:
    """Constraint violations are recognised by constraint name, never by the text of the message."""
    readers = [
        f"{name(path)}:{node.lineno}"
        for path in files(*BELOW_CONSOLE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In)
        and any("str(error)" in ast.unparse(side) for side in node.comparators)
    ]
    assert not readers, readers
