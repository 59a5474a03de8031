"""A version drawn as a picture: its steps against the weeks round surgery, a lane for each category.

Only the geometry; `templates/procedures/_timeline.html` draws it as SVG, with the same as a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from procedures.models import Category, Step
from procedures.timing import for_whom, span, when
from procedures.wording import NoWords, words_of

# The picture's own units. Labels stand left of LEFT; the lanes run from LEFT to WIDTH - MARGIN.
# In a language that is read from the right, all of it is the other way round.
WIDTH, LEFT, MARGIN, TOP, LANE = 960.0, 170.0, 24.0, 36.0, 40.0
# Weeks and the share of the width at which they stand: the busy weeks get most of the room.
SCALE = ((-9.0, 0.0), (13.0, 0.72), (27.0, 0.84), (53.0, 0.93), (106.0, 1.0))
TICKS = (-6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 26, 52, 104)


@dataclass(frozen=True, slots=True)
class Mark:
    """One step in the picture; `x2` differs from `x` where it repeats or stays open."""

    x: float
    x2: float
    label: str
    is_exact: bool

    @property
    def left(self) -> float:
        """Where the bar begins, seen from the left."""
        return min(self.x, self.x2)

    @property
    def width(self) -> float:
        """How long the bar is."""
        return round(abs(self.x2 - self.x), 1)


@dataclass(frozen=True, slots=True)
class Lane:
    """The steps of one category, at one height."""

    category: str
    label: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line at a week, with its number."""

    x: float
    label: str
    is_surgery: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One step in the table under the picture."""

    step: Step
    title: str
    category: str
    when: str
    for_whom: str
    is_drawn: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that a template needs to draw a version. Labels begin at `start`."""

    width: float
    height: float
    start: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


def draw(steps: Sequence[Step], slots: Mapping[str, str], language: str) -> Picture:
    """The picture of these steps. `slots` are the clinic's values by key, for a draft's open offsets.

    Reads prefetched texts. Marks that would stand outside the scale are put at its ends.
    """
    lanes = tuple(_lanes(steps, slots, language))
    return Picture(
        width=WIDTH,
        height=TOP + LANE * len(lanes) + MARGIN,
        start=WIDTH if get_language_bidi() else 0.0,
        lanes=lanes,
        ticks=tuple(Tick(place(week), _tick_label(week), week == 0) for week in TICKS),
        lines=tuple(_line(step, slots, language) for step in steps),
    )


def place(weeks: float) -> float:
    """Where so many weeks from surgery stand across the picture; time runs the way that the language is read."""
    inside = min(max(weeks, SCALE[0][0]), SCALE[-1][0])
    for (low, start), (high, end) in itertools.pairwise(SCALE):
        if inside <= high:
            share = start + (end - start) * (inside - low) / (high - low)
            across = round(LEFT + share * (WIDTH - LEFT - MARGIN), 1)
            return round(WIDTH - across, 1) if get_language_bidi() else across
    raise AssertionError("The last stretch of the scale ends where its last week is.")


def title_of(step: Step, language: str) -> str:
    """A step's title in the reader's language, or its key while it has no words."""
    try:
        return words_of(step, language).title
    except NoWords:
        return step.key


def _lanes(steps: Iterable[Step], slots: Mapping[str, str], language: str) -> Iterable[Lane]:
    rows = list(steps)
    used = [category for category in Category if any(s.category == category for s in rows)]
    for number, category in enumerate(used):
        marks = (_mark(step, slots, language) for step in rows if step.category == category)
        yield Lane(
            category=category.value,
            label=str(category.label),
            y=TOP + LANE * number + LANE / 2,
            marks=tuple(mark for mark in marks if mark),
        )


def _mark(step: Step, slots: Mapping[str, str], language: str) -> Mark | None:
    found = span(step, slots)
    if found is None:
        return None
    label = f"{title_of(step, language)}: {when(step, slots)}"
    return Mark(place(found.first), place(found.last), label, found.is_exact)


def _line(step: Step, slots: Mapping[str, str], language: str) -> Line:
    return Line(
        step=step,
        title=title_of(step, language),
        category=str(Category(step.category).label),
        when=when(step, slots),
        for_whom=for_whom(step),
        is_drawn=span(step, slots) is not None,
    )


def _tick_label(week: int) -> str:
    if week == 0:
        return _("surgery")
    years = {52: _("1 year"), 104: _("2 years")}
    return years.get(week, f"{week:+d}".replace("-", "−"))
