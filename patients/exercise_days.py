"""What the exercises page shows: today's list round by round, and the last four weeks as days. No markup."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DateField, Exists, OuterRef, QuerySet, UUIDField

from patients.actions.notes import today_at
from patients.care import Care
from patients.models import Episode, ExerciseLog, Prescription
from portal.prepared import Blank, Listed, prepared
from procedures.question_wording import in_language

DAYS = 28
WEEK = 7
# The side of a day in the picture; templates/patients/_exercise_month.html draws the frame round it.
CELL = 40


@dataclass(frozen=True, slots=True)
class Round:
    """One time of the day, done or still open."""

    number: int
    log: ExerciseLog | None

    @property
    def is_done(self) -> bool:
        """Whether it is ticked off."""
        return self.log is not None


@dataclass(frozen=True, slots=True)
class Item:
    """One exercise of today in the reader's words."""

    prescription: Prescription
    name: str
    instructions: list[str]
    language: str
    rounds: list[Round]

    @property
    def is_done(self) -> bool:
        """Whether every round is ticked off."""
        return all(one.is_done for one in self.rounds)

    @property
    def done(self) -> int:
        """How many rounds are ticked off."""
        return sum(1 for one in self.rounds if one.is_done)

    @property
    def following(self) -> Round | None:
        """The first round that is still open."""
        return next((one for one in self.rounds if not one.is_done), None)


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
    def weekdays(self) -> list[Day]:
        """A day of each column, for its name."""
        return self.days[:WEEK]

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
        return sum(item.done for item in self.items)


def programme_of(care: Care) -> Programme | None:
    """The chosen patient's exercises; None without a patient. Two queries."""
    patient = care.patient
    if patient is None:
        return None
    today = today_at(patient.clinic, care.now)
    since = today - timedelta(days=DAYS - 1)
    rows = list(
        Prescription.objects.own(care.reader)
        .filter(episode__patient=patient, starts_on__lte=today)
        .select_related("exercise", "episode")
    )
    for row in rows:
        row.episode.patient = patient
    logs = list(ExerciseLog.objects.own(care.reader).filter(prescription__in=rows, on__gte=since))
    doable = [row for row in rows if _is_doable(row, today)]
    items = [item_of(row, logs, today, care.reader.language) for row in doable]
    return Programme(today, items, month_of(rows, logs, today))


def _is_doable(row: Prescription, today: date) -> bool:
    episode: Episode = row.episode
    return episode.is_open and episode.patient.deceased_on is None and row.is_for(today)


def item_of(row: Prescription, logs: Iterable[ExerciseLog], today: date, language: str) -> Item:
    """One exercise with its rounds of today."""
    found, words = in_language(row.exercise.words, language)
    done = {log.round: log for log in logs if log.prescription_id == row.pk and log.on == today}
    rounds = [Round(number, done.get(number)) for number in range(1, row.times_a_day + 1)]
    return Item(row, words["name"], list(words["instructions"]), found, rounds)


def month_of(rows: Iterable[Prescription], logs: Iterable[ExerciseLog], today: date) -> Month:
    """The last four weeks up to `today`, a row for each week."""
    prescriptions, done = list(rows), [log.on for log in logs]
    days = []
    for number in range(DAYS):
        on = today - timedelta(days=DAYS - 1 - number)
        planned = sum(row.times_a_day for row in prescriptions if row.is_for(on))
        days.append(Day(on, planned, done.count(on), number % WEEK, number // WEEK))
    return Month(days)


EPISODES, DAY = Listed("episodes", UUIDField()), Blank("day", DateField())


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
