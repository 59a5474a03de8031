"""The planner: steps, dates, attributes, time zones and now in; desired reminders out.

Pure and total: no database, no clock. A row holds what was intended as local date, local time and
zone; the UTC moment is derived from them. The rules are those of the design's section "The planner".
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from procedures.conditions import holds
from procedures.models import LatePolicy, Recipients, RepeatPolicy
from procedures.offsets import Offset

# A repetition ends here even when its own end lies further away (ten years of daily steps).
MOST_OCCURRENCES = 3660
# A step that would be sent when the window closes is sent this long before it does.
BEFORE_WINDOW_CLOSES = timedelta(minutes=15)

TOO_LATE = "too_late"
PORTAL_ONLY = "portal_only"
LATE_REPEAT = "late_repeat"


class Key(NamedTuple):
    """What makes a reminder the one it is, within an episode. `step` is the step's key, which outlives a version."""

    step: str
    occurrence: int
    recipient_id: UUID
    appointment_id: UUID | None = None


class Intent(NamedTuple):
    """The local moment a reminder is meant for."""

    local_date: date
    local_time: time
    zone: str

    @property
    def moment(self) -> datetime:
        """The UTC moment. A time that a clock change skips moves forward; of one that comes twice, the first."""
        local = datetime.combine(self.local_date, self.local_time, _zone(self.zone))
        return local.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Repetition:
    """A step that comes again every `every_days` days, up to a count or the day `until`, whichever is first."""

    every_days: int
    count: int | None = None
    until_anchor: str = ""
    until: Offset | None = None
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What the planner needs of a step."""

    id: UUID
    key: str
    category: str
    anchor: str
    offset: Offset
    at: time
    valid_for: timedelta
    appointment_kind: str = ""
    repetition: Repetition | None = None
    condition: Mapping[str, Any] = field(default_factory=dict)
    recipients: str = Recipients.DEFAULT
    late_policy: str = LatePolicy.SKIP
    repeat_policy: str = RepeatPolicy.NEVER
    is_essential: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may get mail about the patient; a carer from `starts_on` until before `ends_on`."""

    id: UUID
    zone: str
    is_patient: bool
    starts_on: date = date.min
    ends_on: date | None = None

    def is_live(self, on: date) -> bool:
        """Whether this person has access on the local day `on`."""
        return self.starts_on <= on and (self.ends_on is None or on < self.ends_on)


@dataclass(frozen=True, slots=True)
class Visit:
    """What the planner needs of a booked appointment. `starts_at` is UTC, `on` the local day."""

    id: UUID
    kind: str
    on: date
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """The patient's side of a plan. `ended_steps` are the steps whose reason to be sent has gone."""

    anchors: Mapping[str, date]
    attributes: Mapping[str, Any]
    people: Sequence[Person]
    adult_on: date
    window: tuple[time, time]
    visits: Sequence[Visit] = ()
    ended_steps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Desired:
    """One reminder as it should be. `skipped` is empty, or the reason why it is not to be sent."""

    key: Key
    rule: Rule
    intent: Intent
    due_at: datetime
    valid_until: datetime
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class _Occurrence:
    number: int
    day: date
    ends_at: datetime | None
    visit_id: UUID | None


def plan(rules: Iterable[Rule], case: Case, now: datetime) -> list[Desired]:
    """The reminders that should exist, in order of their moments.

    `now` (UTC) decides only what is too late. An anchor without a date plans nothing, and so does a
    step whose condition does not hold or whose reason has gone.
    """
    rows = [row for rule in rules if _applies(rule, case) for row in _rows(rule, case, now)]
    return sorted(rows, key=lambda row: (row.due_at, row.key.step, row.key.occurrence))


def _applies(rule: Rule, case: Case) -> bool:
    return rule.key not in case.ended_steps and holds(rule.condition, case.attributes)


def _rows(rule: Rule, case: Case, now: datetime) -> Iterator[Desired]:
    for series in _series(rule, case):
        following: list[_Occurrence | None] = [*series[1:], None]
        for occurrence, next_one in zip(series, following, strict=True):
            for person in recipients(rule.recipients, case, occurrence.day):
                yield _row(rule, case, occurrence, next_one, person, now)


def _series(rule: Rule, case: Case) -> Iterator[list[_Occurrence]]:
    """The occurrences for each thing the step counts from: its anchor, or every visit of its kind."""
    if rule.anchor == "appointment":
        for visit in case.visits:
            if visit.kind == rule.appointment_kind:
                ends_at = visit.starts_at if rule.offset.value <= 0 else None
                yield [_Occurrence(0, rule.offset.added_to(visit.on), ends_at, visit.id)]
    elif rule.anchor in case.anchors:
        anchor = case.anchors[rule.anchor]
        yield [
            _Occurrence(number, day, None, None)
            for number, day in enumerate(_days(rule, anchor, case.anchors))
        ]


def _days(rule: Rule, anchor: date, anchors: Mapping[str, date]) -> list[date]:
    first = rule.offset.added_to(anchor)
    if rule.repetition is None:
        return [first]
    repetition = rule.repetition
    last = _last_day(repetition, anchors)
    limit = min(repetition.count or MOST_OCCURRENCES, MOST_OCCURRENCES)
    days: list[date] = []
    day = first
    for _ in range(MOST_OCCURRENCES):
        if len(days) == limit or (last is not None and day > last):
            break
        if not repetition.weekdays or day.weekday() in repetition.weekdays:
            days.append(day)
        day += timedelta(days=repetition.every_days)
    return days


def _last_day(repetition: Repetition, anchors: Mapping[str, date]) -> date | None:
    """The last day of a repetition, or None where only its count ends it.

    An end that hangs on an event without a date is not known yet: nothing is planned.
    """
    if repetition.until is None:
        return None
    if repetition.until_anchor not in anchors:
        return None if repetition.count else date.min
    return repetition.until.added_to(anchors[repetition.until_anchor])


def recipients(audience: str, case: Case, on: date) -> list[Person]:
    """Who gets a step meant for `audience` (of `Recipients`) on the local day `on`.

    While the patient is a child, `default` is every live carer, or the young person where nobody
    cares for them; for an adult it is the patient alone.
    """
    patient = [person for person in case.people if person.is_patient]
    carers = [person for person in case.people if not person.is_patient and person.is_live(on)]
    match audience:
        case Recipients.PATIENT:
            return patient
        case Recipients.CARERS:
            return carers
        case Recipients.BOTH:
            return _each_once(patient + carers)
    return (carers or patient) if on < case.adult_on else patient


def _each_once(people: list[Person]) -> list[Person]:
    return list({person.id: person for person in people}.values())


def _row(
    rule: Rule,
    case: Case,
    occurrence: _Occurrence,
    next_one: _Occurrence | None,
    person: Person,
    now: datetime,
) -> Desired:
    intent = Intent(occurrence.day, inside_window(rule.at, case.window), person.zone)
    key = Key(rule.key, occurrence.number, person.id, occurrence.visit_id)
    ends_at = occurrence.ends_at or _end_of_anchor_day(rule, case, person)
    due_at = intent.moment
    if due_at >= now:
        return Desired(key, rule, intent, due_at, _earliest(due_at + rule.valid_for, ends_at))
    late_until = _earliest(now + rule.valid_for, ends_at)
    overtaken = next_one is not None and intent._replace(local_date=next_one.day).moment < now
    skipped = _late_verdict(rule, overtaken=overtaken, is_over=late_until <= now)
    if skipped:
        return Desired(key, rule, intent, due_at, due_at, skipped)
    return Desired(key, rule, intent, next_in_window(now, person.zone, case.window), late_until)


def _late_verdict(rule: Rule, *, overtaken: bool, is_over: bool) -> str:
    """Why a step whose moment is past is not sent, or nothing when it is sent now.

    Of a repeated step only the last occurrence that is past is worth sending late.
    """
    if rule.late_policy == LatePolicy.PORTAL_ONLY:
        return PORTAL_ONLY
    if rule.late_policy == LatePolicy.SKIP or is_over:
        return TOO_LATE
    return LATE_REPEAT if overtaken else ""


def _end_of_anchor_day(rule: Rule, case: Case, person: Person) -> datetime | None:
    """A step that prepares for an event is of no use once the event's day is over."""
    if rule.offset.value >= 0 or rule.repetition is not None or rule.anchor not in case.anchors:
        return None
    return Intent(case.anchors[rule.anchor] + timedelta(days=1), time(0), person.zone).moment


def _earliest(first: datetime, second: datetime | None) -> datetime:
    return first if second is None else min(first, second)


def inside_window(at: time, window: tuple[time, time]) -> time:
    """`at`, moved to the nearest time of the same day at which mail may be sent."""
    opens, closes = window
    last = (datetime.combine(date.min, closes) - BEFORE_WINDOW_CLOSES).time()
    return max(opens, min(at, max(opens, last)))


def next_in_window(now: datetime, zone: str, window: tuple[time, time]) -> datetime:
    """The first UTC moment from `now` on that lies inside the sending window of a person in `zone`."""
    opens, closes = window
    local = now.astimezone(_zone(zone))
    if opens <= local.time() < closes:
        return now
    day = local.date() if local.time() < opens else local.date() + timedelta(days=1)
    return Intent(day, opens, zone).moment


@cache
def _zone(key: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(key)
