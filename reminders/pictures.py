"""Small pictures of counts over time, as the numbers that an SVG takes. No markup, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

# The inside of each picture, in its own units.
LINE_WIDTH, LINE_HEIGHT = 120.0, 28.0
BAR_WIDTH, BARS_HEIGHT = 12.0, 40.0


@dataclass(frozen=True, slots=True)
class Line:
    """A course of counts: its points as SVG takes them, and the numbers that say the same in words."""

    points: str
    first: int
    last: int
    most: int
    since: date


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: what went well stands below what did not. Heights are in the picture's units."""

    day: date
    good: int
    bad: int
    x: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Days side by side."""

    bars: list[Bar]
    good: int
    bad: int
    width: float
    height: float = BARS_HEIGHT


def line(counts: Mapping[date, int], first: date, last: date) -> Line | None:
    """The course from `first` to `last`; a day without a count keeps the last one. None with fewer than two days."""
    known = sorted(day for day in counts if first <= day <= last)
    if len(known) < 2:
        return None
    most = max(1, *(counts[day] for day in known))
    whole = max((last - known[0]).days, 1)
    points = [
        (LINE_WIDTH * (day - known[0]).days / whole, LINE_HEIGHT * (1 - counts[day] / most))
        for day in known
    ]
    words = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Line(words, counts[known[0]], counts[known[-1]], most, known[0])


def bars(days: Mapping[date, tuple[int, int]], first: date, last: date) -> Bars:
    """A bar for each day from `first` to `last`, of (went well, did not); a day without numbers is empty."""
    span = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    most = max(1, *(sum(days.get(day, (0, 0))) for day in span))
    drawn = [_bar(number, day, days.get(day, (0, 0)), most) for number, day in enumerate(span)]
    return Bars(
        drawn, sum(bar.good for bar in drawn), sum(bar.bad for bar in drawn), BAR_WIDTH * len(span)
    )


def _bar(number: int, day: date, counted: tuple[int, int], most: int) -> Bar:
    good, bad = (BARS_HEIGHT * n / most for n in counted)
    return Bar(
        day, *counted, x=BAR_WIDTH * number, good_y=BARS_HEIGHT - good, good_height=good,
        bad_y=BARS_HEIGHT - good - bad, bad_height=bad,
    )  # fmt: skip
