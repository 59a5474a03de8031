"""The course of pain and temperature over check-ins, as points of a picture and as numbers. No markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.utils.translation import gettext_lazy as _

from patients.models import CheckIn

# The picture's inside, in its own units; templates/patients/_trend.html draws the frame round it.
WIDTH, HEIGHT = 300.0, 100.0
SHOWN = 60

# Which questions are drawn: their keys in every questionnaire, their names, and the ends of the scale.
DRAWN = (
    ("pain", _("Pain, from 0 to 10"), 0.0, 10.0, ""),
    ("temperature", _("Temperature"), 35.0, 41.0, "°C"),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement, and where it stands in the picture."""

    at: datetime
    value: float
    x: float
    y: float

    @property
    def shown(self) -> float:
        """The number to one decimal, without one that is nothing."""
        rounded = round(self.value, 1)
        return int(rounded) if rounded == int(rounded) else rounded


@dataclass(frozen=True, slots=True)
class Trend:
    """One course, the oldest measurement first. `least` and `most` are the ends of the scale."""

    key: str
    label: str
    unit: str
    least: float
    most: float
    points: list[Point]

    @property
    def line(self) -> str:
        """The points as SVG takes them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)

    @property
    def newest_first(self) -> list[Point]:
        """The points as the table has them."""
        return self.points[::-1]


def trends_of(rows: Iterable[CheckIn]) -> list[Trend]:
    """The courses with at least two measurements, of the newest check-ins in `rows`. One query."""
    newest = list(islice(rows, SHOWN))
    trends = [_trend(newest[::-1], *drawn) for drawn in DRAWN]
    return [trend for trend in trends if len(trend.points) > 1]


def _trend(
    rows: Sequence[CheckIn], key: str, label: object, least: float, most: float, unit: str
) -> Trend:
    measured = [(row.sent_at, float(row.values[key])) for row in rows if key in row.values]
    points = [
        Point(at, value, _x(at, measured[0][0], measured[-1][0]), _y(value, least, most))
        for at, value in measured
    ]
    return Trend(key, str(label), unit, least, most, points)


def _x(at: datetime, first: datetime, last: datetime) -> float:
    whole = (last - first).total_seconds()
    return WIDTH * (at - first).total_seconds() / whole if whole else WIDTH / 2


def _y(value: float, least: float, most: float) -> float:
    inside = min(max(value, least), most)
    return HEIGHT * (1 - (inside - least) / (most - least))
