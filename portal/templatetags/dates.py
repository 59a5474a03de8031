"""The filters `date` and `time` of Django's, writing days and times as the reader's language does.

Settings put them in place of Django's own, so that no template has to think of it.
"""

from __future__ import annotations

import datetime
from typing import Any

from django import template
from django.template import defaultfilters
from django.utils import translation

from portal import day_words
from portal.day_words import localised

register = template.Library()


@register.filter(expects_localtime=True, is_safe=False)
def date(value: Any, arg: str | None = None) -> str:
    """A day in words, as Django's `date`; formats such as `l j F Y` follow the language (portal.day_words)."""
    if arg and isinstance(value, datetime.date):
        return day_words.date_format(value, arg)
    return defaultfilters.date(value, _localised(arg))


@register.filter(expects_localtime=True, is_safe=False)
def time(value: Any, arg: str | None = None) -> str:
    """A time of day in words, as Django's `time`; the format follows the language (portal.day_words)."""
    if arg and isinstance(value, datetime.datetime | datetime.time):
        return day_words.time_format(value, arg)
    return defaultfilters.time(value, _localised(arg))


@register.simple_tag
def day_and_time(day: datetime.date, at: datetime.time, pattern: str = "l j F Y") -> str:
    """A day and a time of that day, with the comma of the language: Monday 4 May 2026, 14:05."""
    return day_words.day_and_time(day, at, pattern)


@register.filter
def weekday(value: datetime.date) -> str:
    """The weekday, as short as the language knows it, for narrow columns."""
    return day_words.weekday(value)


def _localised(pattern: str | None) -> str | None:
    return localised(pattern, translation.get_language() or "") if pattern else pattern
