"""The planner: steps, dates, attributes, time zones and now in; desired reminders out.

Pure and total: no database, no clock. A row holds what was intended as local date, local time and
zone; the UTC moment is derived from them. The rules are those of the design's section "The planner".
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from procedures.conditions import holds
from procedures.models import LatePolicy, Recipients, RepeatPolicy
from procedures.offsets import Offset

# A repetition ends here even when its own end lies further away (ten years of daily steps).
MOST_OCCURRENCES = 3660
# A step that would be sent when the window closes is sent this long before it does.
BEFORE_WINDOW_CLOSES = timedelta(minutes=15)
# What follows an event is not sent later than this: old advice does more harm than none.
LATE_AT_MOST = timedelta(days=14)

TOO_LATE = "too_late"
PORTAL_ONLY = "portal_only"
LATE_REPEAT = "late_repeat"
# What a hold on the whole plan stops.
EVERYTHING = "*"


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
    needs_full_view: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may get mail about the patient; a carer from `starts_on` until before `ends_on`.

    `mail_at` is the time of day at which they want mail that can come at any time. Who does not have the
    full view gets no step that needs it: its page would not be theirs.
    """

    id: UUID
    zone: str
    is_patient: bool
    starts_on: date = date.min
    ends_on: date | None = None
    mail_at: time | None = None
    has_full_view: bool = True

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
    """The patient's side of a plan. `ended_steps` are the steps whose reason to be sent has gone.

    `zone` is the clinic's, in which its days begin and end. `holds` is what staff stopped:
    "step:KEY", "category:NAME", or "*" for everything.
    """

    anchors: Mapping[str, date]
    attributes: Mapping[str, Any]
    people: Sequence[Person]
    adult_on: date
    window: tuple[time, time]
    visits: Sequence[Visit] = ()
    ended_steps: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    zone: str = "UTC"

    def today(self, now: datetime) -> date:
        """The clinic's local day at `now`."""
        return now.astimezone(_zone(self.zone)).date()

    def is_held(self, key: str, category: str) -> bool:
        """Whether staff stopped a step, by itself, with its category, or with everything."""
        targets = (EVERYTHING, f"category:{category}", f"step:{key}")
        return bool(self.holds) and not self.holds.isdisjoint(targets)


@dataclass(frozen=True, slots=True)
class Desired:
    """One reminder as it should be. `skipped` is empty, or the reason why it is not to be sent.

    `counted_from` is the date, or the moment of the visit, that the reader is told of: where it
    changes, what was sent before is wrong.
    """

    key: Key
    rule: Rule
    intent: Intent
    due_at: datetime
    valid_until: datetime
    skipped: str = ""
    counted_from: str = ""

    @property
    def is_late(self) -> bool:
        """Whether the moment it was meant for had passed when it was planned."""
        return self.due_at != self.intent.moment or bool(self.skipped)


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """One time that a step comes up: `event_on` is the local day it counts from, `next_day` when it comes again."""

    number: int
    day: date
    event_on: date
    visit: Visit | None = None
    next_day: date | None = None

    @property
    def counted_from(self) -> str:
        return self.visit.starts_at.isoformat() if self.visit else self.event_on.isoformat()


def plan(rules: Iterable[Rule], case: Case, now: datetime) -> list[Desired]:
    """The reminders that should exist, in order of their moments.

    `now` (UTC) decides only what is too late. An anchor without a date plans nothing, and so does a
    step whose condition does not hold or whose reason has gone.
    """
    rows = [row for rule in rules if _applies(rule, case) for row in _rows(rule, case, now)]
    return sorted(rows, key=lambda row: (row.due_at, row.key.step, row.key.occurrence))


def _applies(rule: Rule, case: Case) -> bool:
    if rule.key in case.ended_steps or case.is_held(rule.key, rule.category):
        return False
    return holds(rule.condition, case.attributes)


def _rows(rule: Rule, case: Case, now: datetime) -> Iterator[Desired]:
    today = case.today(now)
    if rule.needs_full_view:
        case = replace(case, people=[person for person in case.people if person.has_full_view])
    for occurrence in _occurrences(rule, case):
        for person in recipients(rule.recipients, case, _day_of_access(rule, occurrence, today)):
            yield _row(rule, case, occurrence, person, now)


def _day_of_access(rule: Rule, occurrence: _Occurrence, today: date) -> date:
    """The day on which a carer must have access to get this.

    What is sent late is sent today, also to a parent who was linked after the step's own day.
    """
    sent_late = rule.late_policy in {LatePolicy.SEND_NOW, LatePolicy.CATCH_UP}
    return max(occurrence.day, today) if sent_late else occurrence.day


def _occurrences(rule: Rule, case: Case) -> Iterator[_Occurrence]:
    """Each time the step comes up: for every visit of its kind, or as often as it repeats from its anchor."""
    if rule.anchor == "appointment":
        for visit in case.visits:
            if visit.kind == rule.appointment_kind:
                yield _Occurrence(0, rule.offset.added_to(visit.on), visit.on, visit)
    elif rule.anchor in case.anchors:
        anchor = case.anchors[rule.anchor]
        days = _days(rule, anchor, case.anchors)
        following: list[date | None] = [*days[1:], None]
        for number, (day, next_day) in enumerate(zip(days, following, strict=False)):
            yield _Occurrence(number, day, anchor, next_day=next_day)


def _days(rule: Rule, anchor: date, anchors: Mapping[str, date]) -> list[date]:
    first = rule.offset.added_to(anchor)
    if rule.repetition is None:
        return [first]
    repetition = rule.repetition
    last = _last_day(repetition, anchors)
    count = MOST_OCCURRENCES if repetition.count is None else repetition.count
    limit = min(count, MOST_OCCURRENCES)
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
        return None if repetition.count is not None else date.min
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


def _row(rule: Rule, case: Case, occurrence: _Occurrence, person: Person, now: datetime) -> Desired:
    at = _time_of_day(rule, occurrence, person)
    intent = Intent(occurrence.day, inside_window(at, case.window), person.zone)
    visit_id = occurrence.visit.id if occurrence.visit else None
    key = Key(rule.key, occurrence.number, person.id, visit_id)
    due_at = intent.moment
    over_at = _over_at(rule, case, occurrence, person)
    skipped = ""
    if due_at < now:
        over_at = over_at or _too_late_at(rule, case, due_at, person)
        skipped = _late_verdict(rule, occurrence, intent, now)
        due_at = due_at if skipped else next_in_window(now, person.zone, case.window)
    if over_at is not None and over_at <= due_at:
        skipped = skipped or TOO_LATE
    if skipped:
        moment = intent.moment
        return Desired(key, rule, intent, moment, moment, skipped, occurrence.counted_from)
    valid_until = _earliest(due_at + rule.valid_for, over_at)
    return Desired(key, rule, intent, due_at, valid_until, "", occurrence.counted_from)


def _time_of_day(rule: Rule, occurrence: _Occurrence, person: Person) -> time:
    """The person's own time, but for what is essential and for what belongs to the hours of its very day."""
    if person.mail_at is None or rule.is_essential or occurrence.day == occurrence.event_on:
        return rule.at
    return person.mail_at


def _late_verdict(rule: Rule, occurrence: _Occurrence, intent: Intent, now: datetime) -> str:
    """Why a step whose moment is past is not sent, or nothing when it is sent now.

    Of a repeated step only the last occurrence that is past is worth sending late.
    """
    if rule.late_policy == LatePolicy.PORTAL_ONLY:
        return PORTAL_ONLY
    if rule.late_policy == LatePolicy.SKIP:
        return TOO_LATE
    next_day = occurrence.next_day
    overtaken = next_day is not None and intent._replace(local_date=next_day).moment <= now
    return LATE_REPEAT if overtaken else ""


def _over_at(rule: Rule, case: Case, occurrence: _Occurrence, person: Person) -> datetime | None:
    """When a step that prepares for something is of no use any more: once the visit begins, or the day is over."""
    if occurrence.visit is not None:
        return occurrence.visit.starts_at if rule.offset.value <= 0 else None
    if occurrence.day < occurrence.event_on:
        return _end_of(occurrence.event_on, person)
    return None


def _too_late_at(rule: Rule, case: Case, due_at: datetime, person: Person) -> datetime | None:
    """From when on a step that follows something is not sent late: what follows the decision prepares for surgery."""
    if rule.anchor != "decision":
        return due_at + LATE_AT_MOST
    return _end_of(case.anchors["surgery"], person) if "surgery" in case.anchors else None


def _end_of(day: date, person: Person) -> datetime:
    return Intent(day + timedelta(days=1), time(0), person.zone).moment


def _earliest(first: datetime, second: datetime | None) -> datetime:
    return first if second is None else min(first, second)


@lru_cache(maxsize=1_000)
def inside_window(at: time, window: tuple[time, time]) -> time:
    """`at`, moved to the nearest time of the same day at which mail may be sent."""
    opens, closes = window
    # Any day will do; the first of the calendar would have none before it.
    day = date(2000, 1, 1)
    closing = datetime.combine(day, closes) - BEFORE_WINDOW_CLOSES
    last = max(datetime.combine(day, opens), closing).time()
    return max(opens, min(at, last))


def next_in_window(now: datetime, zone: str, window: tuple[time, time]) -> datetime:
    """The first UTC moment from `now` on that lies inside the sending window of a person in `zone`."""
    opens, closes = window
    local = now.astimezone(_zone(zone))
    if opens <= local.time() < closes:
        return now
    day = local.date() if local.time() < opens else local.date() + timedelta(days=1)
    # Where the hour of opening comes twice, it has opened the first time.
    return max(now, Intent(day, opens, zone).moment)


@cache
def _zone(key: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(key)
