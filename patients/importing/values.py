"""Reads the words of a list as dates, answers and sides. Pure; refuses what can be meant in two ways."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from patients.names import words_of


class Unread(ValueError):
    """A value cannot be read. `code` says why; `patients.importing.words` puts it into words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


_NUMBERS = re.compile(r"(\d{1,4})[/.\-\s](\d{1,2})[/.\-\s](\d{1,4})")
_ISO = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]00:00(?::00)?)?")
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january ene enero", "feb february febrero", "mar march marzo", "apr april abr abril",
         "may mayo", "jun june junio", "jul july julio", "aug august ago agosto", "sep sept september septiembre",
         "oct october octubre", "nov november noviembre", "dec december dic diciembre"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_YES = frozenset({"yes", "y", "true", "1", "x", "si", "s"})
_NO = frozenset({"no", "n", "false", "0", "never"})
_SIDES = {
    "l": "left", "left": "left", "lt": "left", "izquierda": "left", "izquierdo": "left",
    "r": "right", "right": "right", "rt": "right", "derecha": "right", "derecho": "right",
    "both": "both", "bilateral": "both", "b": "both", "bl": "both", "ambos": "both", "ambas": "both",
}  # fmt: skip


def read_date(text: str, order: str, *, is_mixed: bool = False) -> date:
    """A day. `order` is dmy, mdy or ymd; a year before month and day is read in every order.

    In a column whose dates contradict its order (`is_mixed`), a date that could be read in two ways is
    not read at all. Raises Unread.
    """
    text = text.strip()
    if iso := _ISO.fullmatch(text):
        return _day(*(int(part) for part in iso.groups()))
    if numbers := _NUMBERS.fullmatch(text):
        return _by_numbers(numbers.groups(), order, is_mixed=is_mixed)
    return _by_month_name(text)


def _by_numbers(parts: tuple[str, ...], order: str, *, is_mixed: bool) -> date:
    one, two, three = parts
    if len(one) == 4:
        return _day(int(one), int(two), int(three))
    if len(three) != 4:
        raise Unread("short_year")
    if order == "ymd":
        raise Unread("other_order")
    year, first, second = int(three), int(one), int(two)
    if is_mixed and first != second and max(first, second) <= 12:
        raise Unread("ambiguous")
    month, day = (second, first) if order == "dmy" else (first, second)
    if month > 12 >= day:
        raise Unread("other_order")
    return _day(year, month, day)


def _by_month_name(text: str) -> date:
    words = words_of(text)
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [word for word in words if word.isdigit()]
    years = [word for word in numbers if len(word) == 4]
    days = [word for word in numbers if len(word) <= 2]
    if (len(months), len(years), len(days)) != (1, 1, 1):
        raise Unread("no_date")
    return _day(int(years[0]), months[0], int(days[0]))


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise Unread("no_date") from None


def contradicts(texts: Iterable[str], order: str) -> bool:
    """Whether a column holds a date that its order cannot mean, and another order can."""
    for text in texts:
        numbers = _NUMBERS.fullmatch(text.strip())
        if not numbers or len(numbers[1]) == 4 or len(numbers[3]) != 4:
            continue
        first, second = int(numbers[1]), int(numbers[2])
        month, day = (second, first) if order == "dmy" else (first, second)
        if month > 12 >= day:
            return True
    return False


def read_answer(text: str) -> bool | None:
    """Yes or no; None for an empty cell, which changes nothing. Raises Unread."""
    folded = " ".join(words_of(text))
    if not folded:
        return None
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise Unread("no_answer")


def read_side(text: str) -> str:
    """Which side. Raises Unread."""
    try:
        return _SIDES[" ".join(words_of(text))]
    except KeyError:
        raise Unread("no_side") from None
