"""Reads code: does every way through a function pass a door before it answers?

A door is a function such as `access.enforcement.enforce`. The reader follows calls of the project's own functions by
the objects their names stand for, with functions, classes and texts handed on as arguments. It is strict: a way that
returns before the door, a call it cannot follow, a lambda, a loop that may be empty do not count. A way that raises is
a refusal and does. What it cannot see is what a handler of an exception raised before the door goes on to show.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import FunctionType, MethodType, ModuleType
from typing import Any

DEPTH = 12
UNKNOWN: Any = object()
Scope = dict[str, Any]


class Way(Enum):
    """What the ways through some statements do."""

    PASS = "all pass the door, or raise"
    ON = "some go on without it"
    OUT = "some answer without it"


@dataclass(frozen=True, slots=True)
class Instance:
    """Some object of a class."""

    kind: type


@dataclass(slots=True)
class Reader:
    """Looks for one door.

    door   takes the callee and the arguments, as far as they are known; returns what to note, None for no door
    asks   a function that answers yes or no where the door refuses: “if not asks(…):” and a refusal is a door, too
    idle   loops count as run and an early return without a value as nothing done: right for work, wrong for pages
    """

    door: Callable[[Any, Sequence[Any]], Sequence[str] | None]
    asks: Any = None
    idle: bool = False
    noted: list[str] = field(default_factory=list)
    _busy: list[Any] = field(default_factory=list)

    def passes(self, function: Any, *bound: Any) -> tuple[str, ...] | None:
        """What the door noted on the way through `function`; None when a way leads around it."""
        self.noted = []
        done = self._enter(function, list(bound), {})
        return tuple(dict.fromkeys(self.noted)) if done else None

    # -- functions -----------------------------------------------------------------------------------

    def _enter(self, called: Any, positional: list[Any], named: Scope) -> bool:
        """Whether all ways through the called function pass: through a decorator around it, or through itself."""
        for layer, first in _layers(called):
            given = [*first, *positional]
            noted = self.door(layer, [*given, *named.values()])
            if noted is not None:
                self.noted += noted
                return True
            if self._through(layer, given, named):
                return True
        return False

    def _through(self, function: Any, positional: list[Any], named: Scope) -> bool:
        if not isinstance(function, FunctionType) or function in self._busy or len(self._busy) >= DEPTH:
            return False
        tree = _tree(function)
        if tree is None:
            return False
        self._busy.append(function)
        try:
            return self._block(tree.body, _scope(function, tree, positional, named)) is Way.PASS
        finally:
            self._busy.pop()

    # -- statements ----------------------------------------------------------------------------------

    def _block(self, statements: Sequence[ast.stmt], scope: Scope) -> Way:
        for statement in statements:
            way = self._statement(statement, scope)
            if way is not Way.ON:
                return way
        return Way.ON

    def _statement(self, statement: ast.stmt, scope: Scope) -> Way:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return Way.ON
            case ast.Import() | ast.ImportFrom():
                scope |= _imported(statement, scope)
                return Way.ON
            case ast.Return(value=value):
                return Way.PASS if self._expression(value, scope) or self._is_idle(value) else Way.OUT
            case ast.Raise():
                return Way.PASS
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call() as test), body=body) if self._asked(
                test, scope
            ):
                # On from here the answer was yes.
                return self._block(body, dict(scope))
            case ast.If(test=test, body=body, orelse=other):
                return Way.PASS if self._expression(test, scope) else self._either(scope, body, other)
            case ast.With() | ast.AsyncWith():
                entered = [self._expression(item.context_expr, scope) for item in statement.items]
                return Way.PASS if any(entered) else self._block(statement.body, scope)
            case ast.Try() | ast.TryStar():
                return self._try(statement, scope)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(statement, scope)
            case ast.Match(subject=subject, cases=cases):
                always = any(
                    isinstance(c.pattern, ast.MatchAs) and not c.pattern.pattern and not c.guard for c in cases
                )
                ways = [*(c.body for c in cases), *([] if always else [[]])]
                return Way.PASS if self._expression(subject, scope) else self._either(scope, *ways)
        values = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.expr)]
        return Way.PASS if any(self._expression(value, scope) for value in values) else Way.ON

    def _asked(self, test: ast.Call, scope: Scope) -> bool:
        return self.asks is not None and value_of(test.func, scope) is self.asks

    def _either(self, scope: Scope, *blocks: Sequence[ast.stmt]) -> Way:
        """One of these is run."""
        ways = [self._block(block, dict(scope)) for block in blocks]
        return next((worst for worst in (Way.OUT, Way.ON) if worst in ways), Way.PASS)

    def _try(self, statement: ast.Try | ast.TryStar, scope: Scope) -> Way:
        """Once the body is past the door, so are the handlers."""
        way = self._block([*statement.body, *statement.orelse], scope)
        if way is Way.ON:
            handled = self._either(scope, *[handler.body for handler in statement.handlers], [])
            way = Way.OUT if handled is Way.OUT else self._block(statement.finalbody, scope)
        return way

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> Way:
        head = statement.test if isinstance(statement, ast.While) else statement.iter
        if self._expression(head, scope):
            return Way.PASS
        way = self._block(statement.body, scope)
        if way is Way.PASS and not self.idle:
            way = Way.ON
        return self._block(statement.orelse, scope) if way is Way.ON else way

    def _is_idle(self, value: ast.expr | None) -> bool:
        return self.idle and (value is None or (isinstance(value, ast.Constant) and not value.value))

    # -- expressions ---------------------------------------------------------------------------------

    def _expression(self, node: ast.AST | None, scope: Scope) -> bool:
        """Whether evaluating this passes; only what is evaluated in any case counts."""
        match node:
            case None | ast.Lambda() | ast.Constant() | ast.Name():
                return False
            case ast.IfExp(test=test, body=body, orelse=other):
                both = [self._expression(body, scope), self._expression(other, scope)]
                return self._expression(test, scope) or all(both)
            case ast.BoolOp(values=values):
                return self._expression(values[0], scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._expression(node.generators[0].iter, scope)
            case ast.Call():
                inside = [self._expression(part, scope) for part in (node.func, *node.args, *node.keywords)]
                return any(inside) or self._call(node, scope)
        return any(self._expression(child, scope) for child in ast.iter_child_nodes(node))

    def _call(self, node: ast.Call, scope: Scope) -> bool:
        called = value_of(node.func, scope)
        if called is UNKNOWN:
            return False
        positional = [value_of(part, scope) for part in node.args if not isinstance(part, ast.Starred)]
        named = {word.arg: value_of(word.value, scope) for word in node.keywords if word.arg}
        return self._enter(called, positional, named)


def value_of(node: ast.AST, scope: Scope) -> Any:
    """The object an expression stands for: a name, an attribute, a text, a choice of texts; UNKNOWN otherwise."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name):
            return scope.get(name, UNKNOWN)
        case ast.IfExp(body=body, orelse=other):
            return (value_of(body, scope), value_of(other, scope))
        case ast.Attribute(value=value, attr=name):
            return _attribute(value_of(value, scope), name)
        case ast.Call(func=ast.Name(id="super"), args=[]):
            return _Super(scope["__class__"], scope["self"]) if {"__class__", "self"} <= scope.keys() else UNKNOWN
        case ast.Call():
            return _made(node, scope)
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class _Super:
    after: type
    of: Any


@dataclass(frozen=True, slots=True)
class Made:
    """What a call gives: the callee, and the arguments as far as they are known."""

    by: Any
    arguments: tuple[Any, ...]


def _made(node: ast.Call, scope: Scope) -> Any:
    by = value_of(node.func, scope)
    if by is UNKNOWN:
        return UNKNOWN
    return Made(by, tuple(value_of(part, scope) for part in (*node.args, *[word.value for word in node.keywords])))


def _attribute(owner: Any, name: str) -> Any:
    if owner is UNKNOWN or isinstance(owner, (str, tuple, Made)):
        return UNKNOWN
    if isinstance(owner, _Super):
        return _inherited(owner, name)
    kind = owner.kind if isinstance(owner, Instance) else owner
    found = inspect.getattr_static(kind, name, UNKNOWN)
    if isinstance(found, classmethod):
        return MethodType(found.__func__, kind)
    if isinstance(found, staticmethod):
        return found.__func__
    if isinstance(owner, Instance):
        return MethodType(found, owner) if isinstance(found, FunctionType) else UNKNOWN
    return found if isinstance(owner, (ModuleType, type)) or callable(owner) else UNKNOWN


def _inherited(owner: _Super, name: str) -> Any:
    kind = owner.of.kind if isinstance(owner.of, Instance) else UNKNOWN
    order = kind.__mro__ if kind is not UNKNOWN else ()
    later = order[order.index(owner.after) + 1 :] if owner.after in order else ()
    found = next((base.__dict__[name] for base in later if name in base.__dict__), UNKNOWN)
    return MethodType(found, owner.of) if isinstance(found, FunctionType) else UNKNOWN


def _layers(called: Any) -> Iterator[tuple[Any, list[Any]]]:
    """What is called, from the outermost decorator to the function itself, each with what it is bound to."""
    first: list[Any] = []
    while called is not None:
        if isinstance(called, MethodType):
            bound = called.__self__
            first = [bound if isinstance(bound, (Instance, type)) else Instance(type(bound)), *first]
            called = called.__func__
        yield called, first
        called = getattr(called, "__wrapped__", None)


@cache
def _tree(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function.__code__)))
    except (OSError, TypeError, SyntaxError):
        return None
    found = tree.body[0]
    return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None


def _scope(function: FunctionType, tree: Any, positional: list[Any], named: Scope) -> Scope:
    """What the names of a function stand for; what it assigns itself is not followed."""
    scope = dict(function.__globals__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    scope |= {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    scope |= dict.fromkeys(function.__code__.co_varnames, UNKNOWN)
    accepted = [argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)]
    defaults = function.__defaults__ or ()
    ordinary = [argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args)]
    scope |= dict(zip(ordinary[len(ordinary) - len(defaults) :], defaults, strict=True))
    scope |= function.__kwdefaults__ or {}
    scope |= dict(zip(ordinary, positional, strict=False))
    return scope | {name: value for name, value in named.items() if name in accepted}


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _imported(statement: ast.Import | ast.ImportFrom, scope: Scope) -> Scope:
    """What an import inside a function brings in."""
    return dict(_bindings(statement, str(scope.get("__package__") or "")))


def _bindings(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Any]]:
    for alias in statement.names:
        name = alias.asname or alias.name.partition(".")[0]
        try:
            if isinstance(statement, ast.ImportFrom):
                module = __import__(statement.module or package, fromlist=[alias.name])
                yield alias.asname or alias.name, getattr(module, alias.name, UNKNOWN)
            else:
                yield name, __import__(alias.name, fromlist=["_"] if alias.asname else [])
        except ImportError:
            yield name, UNKNOWN
