"""All URL patterns of the project, with the view behind each and what the view is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.urls import URLResolver, get_resolver
from rest_framework.views import APIView


@dataclass(frozen=True, slots=True)
class Address:
    """`route` as the patterns write it, from the root; `view` as Django calls it."""

    route: str
    view: Callable[..., Any]

    @property
    def view_class(self) -> type | None:
        """The class of a class-based view."""
        return getattr(self.view, "view_class", None) or getattr(self.view, "cls", None)

    @property
    def is_api(self) -> bool:
        return self.view_class is not None and issubclass(self.view_class, APIView)

    @property
    def layers(self) -> Iterator[Any]:
        """The view, and what is behind its decorators: a function, or a method of a site or of a model's pages."""
        view: Any = self.view
        while view is not None:
            yield view
            view = getattr(view, "__wrapped__", None)

    @property
    def name(self) -> str:
        """Module and name of the innermost function."""
        function = list(self.layers)[-1]
        function = getattr(function, "__func__", function)
        return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"

    @property
    def only_writes(self) -> bool:
        """Whether Django's `require_POST` or the like lets no GET through."""
        for layer in self.layers:
            code = getattr(layer, "__code__", None)
            if code is not None and "request_method_list" in code.co_freevars:
                cell = layer.__closure__[code.co_freevars.index("request_method_list")]
                return not {"GET", "HEAD"} & set(cell.cell_contents)
        return False

    @property
    def pages(self) -> ModelAdmin | None:
        """The model's pages this view belongs to."""
        for layer in self.layers:
            for owner in (getattr(layer, "model_admin", None), getattr(layer, "__self__", None)):
                if isinstance(owner, ModelAdmin):
                    return owner
        return None


def addresses(resolver: URLResolver | None = None) -> Iterator[Address]:
    """Every pattern below the resolver; the whole project's unless given."""
    yield from _below(resolver or get_resolver(), "")


def _below(resolver: URLResolver, prefix: str) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _below(pattern, route)
        else:
            yield Address(route, pattern.callback)
