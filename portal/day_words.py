"""Days and times of day as people write them in each language. What is written here is British; other languages follow.

Django knows the names of days and months in every language, but a format such as `l j F Y` puts them in
British order. `TABLE` says what stands in its place: “Monday, May 4, 2026”, “lunes, 4 de mayo de 2026”.
"""

from __future__ import annotations

from datetime import date, datetime, time
from functools import lru_cache

from django.utils import formats, translation

# By language: a British format, and what is written instead. Without an entry it is written as it is.
TABLE: dict[str, dict[str, str]] = {
    "en-us": {
        "l j F Y": "l, F j, Y",
        "l j F": "l, F j",
        "D j F Y": "D, F j, Y",
        "D j M Y": "D, M j, Y",
        "D j M": "D, M j",
        "j F Y": "F j, Y",
        "j F": "F j",
        "j M Y": "M j, Y",
        "j M": "M j",
        "H:i": "g:i A",
    },
    "es": {
        "l j F Y": r"l, j \d\e F \d\e Y",
        "l j F": r"l, j \d\e F",
        "D j F Y": r"D, j \d\e F \d\e Y",
        # Months are written small in Spanish; `b` is the small `M`.
        "D j M Y": "D, j b Y",
        "D j M": "D, j b",
        "j M Y": "j b Y",
        "j M": "j b",
        "j F Y": r"j \d\e F \d\e Y",
        "j F": r"j \d\e F",
        "F Y": r"F \d\e Y",
    },
}
# Between a day and a time.
COMMA = {"ar": "، "}
# Monday first, for narrow columns: Django's short names are whole words in Arabic.
NARROW_WEEKDAYS = {"ar": tuple("نثرخجسح")}
CLOCK = "H:i"
DAYS = frozenset(TABLE["en-us"]) - {CLOCK}


def date_format(value: date | datetime, pattern: str) -> str:
    """The day, in the language in force. `pattern` is a British one, as in `TABLE`, or a named one of Django's."""
    language = translation.get_language() or ""
    if not isinstance(value, datetime):
        return _day_in(value, pattern, language)
    day, comma, clock = pattern.partition(", ")
    if day not in DAYS or clock not in {"", CLOCK}:
        return str(formats.date_format(value, localised(pattern, language)))
    words = _day_in(value.date(), day, language)
    if not comma:
        return words
    at = value.time().replace(second=0, microsecond=0)
    return words + COMMA.get(language, comma) + _time_in(at, clock, language)


@lru_cache(maxsize=2048)
def _day_in(day: date, pattern: str, language: str) -> str:
    """A day in the language in force, which is `language`. A plan names the same days again and again."""
    return str(formats.date_format(day, localised(pattern, language)))


def weekday(day: date) -> str:
    """The weekday, as short as the language in force knows it: “Mon”."""
    names = NARROW_WEEKDAYS.get(translation.get_language() or "")
    return names[day.weekday()] if names else date_format(day, "D")


def time_format(value: time | datetime, pattern: str) -> str:
    """The time of day, in the language in force."""
    language = translation.get_language() or ""
    if isinstance(value, datetime):
        return str(formats.time_format(value, localised(pattern, language)))
    return _time_in(value, pattern, language)


@lru_cache(maxsize=2048)
def _time_in(at: time, pattern: str, language: str) -> str:
    """A time of day in the language in force, which is `language`. The visits of a clinic begin at the same times."""
    return str(formats.time_format(at, localised(pattern, language)))


def day_and_time(day: date, at: time, pattern: str) -> str:
    """A day, written by a British `pattern`, and a time of that day: Monday 4 May, 14:05."""
    return joined(date_format(day, pattern), time_format(at, "H:i"))


def joined(*pieces: str) -> str:
    """The pieces, with the comma of the language in force between them."""
    return COMMA.get(translation.get_language() or "", ", ").join(pieces)


@lru_cache(maxsize=256)
def localised(pattern: str, language: str) -> str:
    """A British format as it is written in `language`."""
    table = TABLE.get(language, {})
    day, comma, clock = pattern.partition(", ")
    if not comma:
        return _piece(day, table)
    return _piece(day, table) + COMMA.get(language, ", ") + _piece(clock, table)


def _piece(pattern: str, table: dict[str, str]) -> str:
    """A day, or a time of day with or without its zone: `H:i (T)`."""
    if pattern in table or "H:i" not in pattern:
        return table.get(pattern, pattern)
    return pattern.replace("H:i", table.get("H:i", "H:i"))
