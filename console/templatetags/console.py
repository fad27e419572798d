"""What templates need to print: icons, numbers, times. Words come from presenters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.presenters import words

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """One symbol of the sprite; always beside a word, so it is hidden from screen readers."""
    return format_html(
        '<svg class="c-i" aria-hidden="true"><use href="{}#{}"></use></svg>', static("console/icons/sprite.svg"), name
    )


@register.filter
def number(value: Any) -> str:
    """A count with grouped digits."""
    return words.number(value)


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """An absolute time in a <time> element."""
    return _time(value, words.moment)


@register.filter
def exact(value: datetime | None) -> SafeString | str:
    """A time to the millisecond in a <time> element."""
    return _time(value, words.exact)


@register.filter
def clock(value: datetime | None) -> SafeString | str:
    """Today the time, earlier the day, in a <time> element."""
    return _time(value, words.clock)


def _time(value: datetime | None, say: Any) -> SafeString | str:
    if value is None:
        return "–"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), say(value))
