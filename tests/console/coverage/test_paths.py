"""The reader of code: every way must pass the door."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest

from console.coverage.paths import Reader


def door(*given: Any) -> None: ...


def ask(*given: Any) -> bool: ...


def other(*given: Any) -> Any: ...


def through(verb: Any, what: str = "default") -> None:
    verb(what)


class Base:
    def enter(self) -> None:
        door("base")

    @classmethod
    def of_class(cls) -> None:
        door("class")

    @staticmethod
    def of_nothing() -> None:
        door("static")


class Child(Base):
    def enter(self) -> None:
        other()
        super().enter()

    def all_three(self) -> None:
        self.of_class()

    def the_static(self) -> None:
        self.of_nothing()


def guarding(function: Any) -> Any:
    @wraps(function)
    def inner(*given: Any) -> Any:
        door("decorator")
        return function(*given)

    return inner


def quiet(function: Any) -> Any:
    @wraps(function)
    def inner(*given: Any) -> Any:
        if not given:
            return None
        return function(*given)

    return inner


# -- pass ----------------------------------------------------------------------------------------------


def plain() -> None:
    door("a")


def in_value() -> Any:
    return {"x": [other(door("a"))]}


def after_refusals(x: Any) -> None:
    if x:
        raise ValueError
    door("a")


def both_branches(x: Any) -> None:
    if x:
        door("a")
    else:
        through(door, "a")


def either_text(x: Any) -> None:
    door("a" if x else "b")


def asked_first(x: Any) -> Any:
    if not ask("a"):
        door("a")
    return x


def in_with(x: Any) -> None:
    with x:
        door("a")


def in_try(x: Any) -> Any:
    try:
        door("a")
    except ValueError:
        return x
    return None


def in_match(x: Any) -> None:
    match x:
        case 1:
            door("a")
        case _:
            raise ValueError


def late_import() -> None:
    from tests.console.coverage.test_paths import plain as renamed

    renamed()


@guarding
def decorated() -> None: ...


@quiet
def decorated_quietly() -> None:
    door("a")


def in_loop_head() -> None:
    for _ in other(door("a")):
        pass


PASS = [
    (plain, ("a",)),
    (in_value, ("a",)),
    (after_refusals, ("a",)),
    (both_branches, ("a",)),
    (either_text, ("a", "b")),
    (asked_first, ("a",)),
    (in_with, ("a",)),
    (in_try, ("a",)),
    (in_match, ("a",)),
    (late_import, ("a",)),
    (decorated, ("decorator",)),
    (decorated_quietly, ("a",)),
    (in_loop_head, ("a",)),
    (Child().enter, ("base",)),
    (Child().all_three, ("class",)),
    (Child().the_static, ("static",)),
]


# -- do not --------------------------------------------------------------------------------------------


def nothing() -> None: ...


def one_branch(x: Any) -> None:
    if x:
        door("a")


def answers_before(x: Any) -> Any:
    if x:
        return x
    door("a")
    return None


def maybe_empty(x: Any) -> None:
    for _ in x:
        door("a")


def short_circuit(x: Any) -> None:
    x and door("a")


def only_if(x: Any) -> None:
    door("a") if x else None


def lazily() -> Any:
    return lambda: door("a")


def comprehended(x: Any) -> Any:
    return [door("a") for _ in x]


def handler_answers(x: Any) -> Any:
    try:
        other()
    except ValueError:
        return x
    door("a")
    return None


def nested_only() -> Any:
    def inner() -> None:
        door("a")

    return inner


def shadowed() -> None:
    door = other
    door("a")


def no_case(x: Any) -> None:
    match x:
        case 1:
            door("a")


def asked_and_ignored(x: Any) -> Any:
    ask("a")
    return x


def asked_then_answers(x: Any) -> Any:
    if not ask("a"):
        return x
    return None


def endless() -> None:
    endless()


NOT = [
    nothing,
    one_branch,
    answers_before,
    maybe_empty,
    short_circuit,
    only_if,
    lazily,
    comprehended,
    handler_answers,
    nested_only,
    shadowed,
    no_case,
    asked_and_ignored,
    asked_then_answers,
    endless,
]


def noted(called: Any, arguments: Any) -> list[str] | None:
    if called is not door:
        return None
    first = arguments[0] if arguments else ()
    return [text for text in (first if isinstance(first, tuple) else (first,)) if isinstance(text, str)]


@pytest.mark.parametrize(("function", "said"), PASS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_all_ways_pass(function, said) -> None:
    assert Reader(noted, asks=ask).passes(function) == said


@pytest.mark.parametrize("function", NOT, ids=lambda value: value.__qualname__)
def test_a_way_leads_around(function) -> None:
    assert Reader(noted, asks=ask).passes(function) is None


def test_work_may_find_nothing_to_do() -> None:
    assert Reader(noted, idle=True).passes(maybe_empty) == ("a",)
    assert Reader(noted, idle=True).passes(one_branch) is None


def test_a_default_is_handed_on() -> None:
    assert Reader(noted).passes(through, door) == ("default",)
