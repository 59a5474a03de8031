"""The stones of a plan's path, written in Python: a plan has some fifty, each with a dozen small choices.

A template took a third of the page for them (docs/decisions/0161). The stretches around them are a template still.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy

from portal import languages
from portal.templatetags.stepwise import icon

register = template.Library()

NOTHING = SafeString("")
STONE = """
<li class="sw-path-item" data-state="{}" data-category="{}">
    <span class="sw-stone">{}</span>
    <p class="sw-row"><span class="sw-date">{}</span>{}</p>
    <h3{}>{}</h3>
    <p class="sw-soft sw-small">{}{}</p>
</li>"""
LINE = """
<li data-state="{}" data-category="{}">{} <span>{} <span class="sw-soft sw-small">{}{}</span>{}</span></li>"""
# What is said about a state, and how the badge looks; nothing is said about the others.
BADGES = {
    "now": ("sw-badge-now", gettext_lazy("Now")),
    "done": ("sw-badge-done sw-badge-plain", gettext_lazy("Done")),
    "waiting": ("sw-badge-plain", gettext_lazy("When your surgeon says so")),
}


class Stone(Protocol):
    """What there is to say about one of them.

    `when` is words for the date, such as "Mon 4 May" or "In the weeks from 4 to 18 May"; `state` one of past,
    done, now, next and waiting (for the surgeon's word), which is said in words as well as in colour; `detail`
    a line more. Detail, address and language may be empty.
    """

    category: str
    category_label: str
    title: str
    when: str
    state: str
    detail: str
    url: str
    language: str


@register.simple_tag
def stones(entries: Iterable[Stone]) -> SafeString:
    """Each in full."""
    drawn = format_html_join("", "{}", ((_stone(each),) for each in entries))
    return format_html('<ol class="sw-path">{}</ol>', drawn)


@register.simple_tag
def far_stones(entries: Iterable[Stone]) -> SafeString:
    """Each in a line."""
    drawn = format_html_join("", "{}", ((_line(each),) for each in entries))
    return format_html('<ul class="sw-path-far">{}</ul>', drawn)


def _stone(each: Stone) -> SafeString:
    title = format_html('<a href="{}">{}</a>', each.url, each.title) if each.url else each.title
    return format_html(
        STONE, each.state, each.category,
        icon("check" if each.state == "done" else each.category),
        each.when, _badge(each.state, get_language()),
        languages.attributes(each.language), title,
        each.category_label, _further(each),
    )  # fmt: skip


def _line(each: Stone) -> SafeString:
    marks = languages.attributes(each.language)
    title = (
        format_html('<a href="{}"{}>{}</a>', each.url, marks, each.title)
        if each.url
        else format_html("<span{}>{}</span>", marks, each.title)
    )
    badge = _badge(each.state, get_language()) if each.state == "waiting" else NOTHING
    return format_html(
        LINE,
        each.state,
        each.category,
        icon(each.category),
        title,
        each.when,
        _further(each),
        badge,
    )


def _further(each: Stone) -> str:
    return format_html(" · {}", each.detail) if each.detail else NOTHING


@lru_cache(maxsize=32)
def _badge(state: str, _language: str | None) -> SafeString:
    """What is said about a state in the language in force, which is the second value."""
    if state not in BADGES:
        return NOTHING
    look, words = BADGES[state]
    return format_html(' <span class="sw-badge {}">{}</span>', look, words)
