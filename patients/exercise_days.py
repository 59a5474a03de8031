"""What the exercises page shows: today's list round by round, and the last four weeks as days. No markup."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import DateField, Exists, OuterRef, QuerySet, UUIDField
from django.utils.safestring import SafeString
from django.utils.translation import get_language, get_language_bidi, ngettext
from django.utils.translation import gettext as _

from patients.actions.notes import today_at
from patients.care import Care
from patients.models import Episode, ExerciseLog, Prescription
from patients.querysets import READER, asked_by
from portal.day_words import date_format, joined, weekday
from portal.languages import in_own_language
from portal.prepared import Blank, Listed, prepared
from portal.row_addresses import address
from procedures.question_wording import in_language

DAYS = 28
WEEK = 7
# The side of a day in the picture; templates/patients/_exercise_month.html draws the frame round it.
CELL = 40
# The radius of a day's disc, of what it holds, and of a day without anything planned.
DISC, PART, REST = 14, 7, 3


class Row(NamedTuple):
    """What is read of a prescription for the list: the exercise's words, the dose, and when it stands."""

    pk: UUID
    words: Mapping[str, Any]
    sets: int
    repetitions: int
    times_a_day: int
    starts_on: date
    last_on: date | None
    ended_at: datetime | None
    note: str
    status: str


class Log(NamedTuple):
    """What is read of a round that was done."""

    prescription_id: UUID
    on: date
    round: int
    logged_at: datetime
    pain_before: int | None
    pain_after: int | None


@dataclass(frozen=True, slots=True)
class Round:
    """One time of the day, done or still open."""

    number: int
    log: Log | None

    @property
    def is_done(self) -> bool:
        """Whether it is ticked off."""
        return self.log is not None


@dataclass(frozen=True, slots=True)
class Item:
    """One exercise of today in the reader's words; `title` is its name marked with the language it is in.

    `next` is the first round that is still open. `has_focus` is for one that was finished just now: its button is gone.
    """

    pk: UUID
    name: str
    title: SafeString
    instructions: tuple[str, ...]
    language: str
    dose: str
    note: str
    rounds: list[Round]
    url: str
    log_url: str
    next: int | None
    has_focus: bool = False

    @property
    def ticked(self) -> list[Round]:
        """The rounds that are ticked off."""
        return [one for one in self.rounds if one.is_done]

    @property
    def is_done(self) -> bool:
        """Whether every round is ticked off."""
        return self.next is None

    @property
    def next_in_words(self) -> str:
        """What the button for the first round that is still open says."""
        if len(self.rounds) == 1:
            return _("Done")
        return _("Done, time %(number)s of %(all)s") % {
            "number": self.next,
            "all": len(self.rounds),
        }


@dataclass(frozen=True, slots=True)
class Day:
    """One day: how many rounds were planned and how many done, and where it stands in the picture."""

    on: date
    planned: int
    done: int
    column: int
    row: int

    @property
    def x(self) -> int:
        """The middle of the day across, in the picture's own units."""
        return CELL * self.column + CELL // 2

    @property
    def y(self) -> int:
        """The middle of the day downwards."""
        return CELL * self.row + CELL // 2

    def disc(self, radius: int) -> str:
        """A disc at its place, as a path of SVG: two half turns."""
        width = 2 * radius
        return f"M{self.x - radius} {self.y}a{radius} {radius} 0 1 0 {width} 0a{radius} {radius} 0 1 0-{width} 0"

    @property
    def in_words(self) -> str:
        """The day, for the table."""
        return date_format(self.on, "l j F")

    @property
    def state(self) -> str:
        """“rest” where nothing was planned, else “all”, “some” or “none”."""
        if self.done:
            return "all" if self.done >= self.planned else "some"
        return "none" if self.planned else "rest"


@dataclass(frozen=True, slots=True)
class Month:
    """The last four weeks, the oldest day first."""

    days: list[Day]

    @property
    def weekdays(self) -> list[tuple[int, str]]:
        """The middle of each column, and its day's name."""
        return [(day.x, weekday(day.on)) for day in self.days[:WEEK]]

    @property
    def rest(self) -> str:
        """The days on which nothing was planned, as dots: a path of SVG, as are the next four."""
        return self._discs(REST, {"rest"})

    @property
    def off(self) -> str:
        """The days off, as rings."""
        return self._discs(DISC, {"none"})

    @property
    def begun(self) -> str:
        """The days on which some of it was done, as rings."""
        return self._discs(DISC, {"some"})

    @property
    def part(self) -> str:
        """What those rings hold."""
        return self._discs(PART, {"some"})

    @property
    def full(self) -> str:
        """The days on which all of it was done."""
        return self._discs(DISC, {"all"})

    @property
    def ticks(self) -> str:
        """The tick on each of these. From right to left the whole picture is turned, and the tick must not be."""
        start, tick = (6, "l-4 4-8-8") if get_language_bidi() else (-6, "l4 4 8-8")
        return "".join(f"M{day.x + start} {day.y}{tick}" for day in self.days if day.state == "all")

    def _discs(self, radius: int, states: Container[str]) -> str:
        return "".join(day.disc(radius) for day in self.days if day.state in states)

    @property
    def active(self) -> int:
        """On how many days something was done."""
        return sum(1 for day in self.days if day.done)

    @property
    def planned(self) -> int:
        """On how many days something was to be done, or was done."""
        return sum(1 for day in self.days if day.planned or day.done)

    @property
    def in_a_row(self) -> int:
        """Days in a row up to today, or to yesterday where today has not begun; days of rest do not break it."""
        count = 0
        for day in self._backwards():
            if day.state == "none":
                break
            count += bool(day.done)
        return count

    def _backwards(self) -> list[Day]:
        newest_first = self.days[::-1]
        return newest_first[1:] if newest_first[0].state == "none" else newest_first

    @property
    def told(self) -> list[Day]:
        """The days for the table, the newest first; days on which nothing was planned are left out."""
        return [day for day in reversed(self.days) if day.state != "rest"]


@dataclass(frozen=True, slots=True)
class Programme:
    """Today's list and the weeks behind it."""

    today: date
    items: list[Item]
    month: Month

    @property
    def is_done(self) -> bool:
        """Whether there is something for today and all of it is done."""
        return bool(self.items) and all(item.is_done for item in self.items)

    @property
    def rounds(self) -> int:
        """How many rounds today has."""
        return sum(len(item.rounds) for item in self.items)

    @property
    def done(self) -> int:
        """How many of today's rounds are done."""
        return sum(len(item.ticked) for item in self.items)

    def with_focus(self, pk: UUID) -> Programme:
        """The same, where one exercise was ticked off just now: once it is done, its row takes the focus."""
        items = [
            replace(item, has_focus=item.is_done) if item.pk == pk else item for item in self.items
        ]
        return replace(self, items=items)


EPISODES, DAY = Listed("episodes", UUIDField()), Blank("day", DateField())
PATIENT, SINCE = Blank("patient", UUIDField()), Blank("since", DateField())


@prepared
def _rows() -> QuerySet[Any, tuple[Any, ...]]:
    rows = Prescription.objects.own(READER).filter(episode__patient=PATIENT, starts_on__lte=DAY)
    return rows.values_list(
        "pk", "exercise__words", "sets", "repetitions", "times_a_day", "starts_on", "last_on",
        "ended_at", "note", "episode__status",
    )  # fmt: skip


@prepared
def _logs() -> QuerySet[Any, tuple[Any, ...]]:
    rows = ExerciseLog.objects.own(READER).filter(prescription__episode__patient=PATIENT)
    return rows.filter(on__gte=SINCE).values_list(
        "prescription_id", "on", "round", "logged_at", "pain_before", "pain_after"
    )


def programme_of(care: Care) -> Programme | None:
    """The chosen patient's exercises; None without a patient. Two queries."""
    patient = care.patient
    if patient is None:
        return None
    today = today_at(patient.clinic, care.now)
    asked = asked_by(care.reader) | {"patient": patient.pk}
    rows = [Row._make(row) for row in _rows(**asked, day=today)]
    logs = [Log._make(row) for row in _logs(**asked, since=today - timedelta(days=DAYS - 1))]
    zone = patient.clinic.zone
    spans = [span_of(row, zone) for row in rows]
    of_today: dict[UUID, list[Log]] = defaultdict(list)
    for log in logs:
        if log.on == today:
            of_today[log.prescription_id].append(log)
    items = [
        item_of(row, of_today[row.pk], care.reader.language)
        for row, span in zip(rows, spans, strict=True)
        if row.status in Episode.OPEN and span.has(today)
    ]
    return Programme(today, items, month_of(spans, logs, today))


def item_of(row: Row, logs: Iterable[Log], language: str) -> Item:
    """One exercise with its rounds of today, which are `logs`."""
    found, words = in_language(row.words, language)
    done = {log.round: log for log in logs}
    rounds = [Round(number, done.get(number)) for number in range(1, row.times_a_day + 1)]
    return Item(
        pk=row.pk,
        name=words["name"],
        title=in_own_language(words["name"], found),
        instructions=tuple(words["instructions"]),
        language=found,
        dose=_dose(row.sets, row.repetitions, row.times_a_day, row.last_on, get_language()),
        note=row.note,
        rounds=rounds,
        url=address("patients:exercise", row.pk),
        log_url=address("patients:exercise_log", row.pk),
        next=next((one.number for one in rounds if not one.is_done), None),
    )


@lru_cache(maxsize=1024)
def _dose(
    sets: int, repetitions: int, times: int, last_on: date | None, _language: str | None
) -> str:
    """How much, how often and until when, in the language in force."""
    of_each = ngettext("%(sets)s set of %(repetitions)s", "%(sets)s sets of %(repetitions)s", sets)
    often = ngettext("once a day", "%(times)s times a day", times)
    words = joined(of_each, often)
    if last_on:
        words += f" ({_('until %(day)s')})"
    day = date_format(last_on, "j F") if last_on else ""
    return words % {"sets": sets, "repetitions": repetitions, "times": times, "day": day}


class Span(NamedTuple):
    """The days on which an exercise stands, the last one with them, and how many times a day it is done."""

    first: date
    last: date | None
    times: int

    def has(self, day: date) -> bool:
        """Whether it stands on `day`."""
        return self.first <= day and (self.last is None or day <= self.last)


def span_of(row: Row | Prescription, zone: ZoneInfo) -> Span:
    """The days of one prescription, in the clinic's zone; the day on which it was ended does not count."""
    last = row.last_on
    if row.ended_at is not None:
        before_end = row.ended_at.astimezone(zone).date() - timedelta(days=1)
        last = before_end if last is None else min(last, before_end)
    return Span(row.starts_on, last, row.times_a_day)


def month_of(spans: Iterable[Span], logs: Iterable[Log | ExerciseLog], today: date) -> Month:
    """The last four weeks up to `today`, a row for each week."""
    at_hand, done = list(spans), Counter(log.on for log in logs)
    days = []
    for number in range(DAYS):
        on = today - timedelta(days=DAYS - 1 - number)
        planned = sum(span.times for span in at_hand if span.has(on))
        days.append(Day(on, planned, done[on], number % WEEK, number // WEEK))
    return Month(days)


@prepared
def _running() -> QuerySet[Any, tuple[UUID, bool]]:
    logs = ExerciseLog.objects.filter(prescription=OuterRef("pk"), on=DAY)
    rows = Prescription.objects.running(DAY).filter(episode__in=EPISODES)
    return rows.annotate(is_done=Exists(logs)).values_list("episode_id", "is_done")


def done_on(episodes: Collection[UUID], day: date) -> set[UUID]:
    """The episodes in which each exercise of the clinic's day was done at least once. One query."""
    found: dict[UUID, bool] = {}
    for episode, is_done in _running(episodes=episodes, day=day):
        found[episode] = found.get(episode, True) and is_done
    return {episode for episode, is_done in found.items() if is_done}
