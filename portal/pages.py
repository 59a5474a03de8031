"""Long lists page by page, without counting them: one row more than is shown says that there are older ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import HttpRequest

Row = TypeVar("Row")
# What no list reaches; a database refuses to start at a number that has no end.
LAST = 99_999


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page; `number` counts from 1."""

    number: int
    rows: Sequence[Row]
    has_older: bool

    @property
    def newer_url(self) -> str:
        """The address of the page before; empty on the first."""
        return f"?page={self.number - 1}" if self.number > 1 else ""

    @property
    def older_url(self) -> str:
        """The address of the page after; empty on the last."""
        return f"?page={self.number + 1}" if self.has_older else ""


def page_of(
    request: HttpRequest, rows: Callable[[int, int], Sequence[Row]], most: int
) -> Page[Row]:
    """The page that was asked for, of at most so many rows; the first one where there is no such page.

    `rows` gives those from a place up to, and without, another. One query, two where the page is none.
    """
    number = _number(request.GET.get("page", ""))
    found = _page(number, rows, most)
    return found if found.rows or number == 1 else _page(1, rows, most)


def _page(number: int, rows: Callable[[int, int], Sequence[Any]], most: int) -> Page[Any]:
    start = (number - 1) * most
    found = rows(start, start + most + 1)
    return Page(number, found[:most], has_older=len(found) > most)


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LAST))
    return max(int(text), 1) if is_number else 1
