"""Rules and cases for tests of the planner and the diff: no database."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from procedures.offsets import Offset
from reminders.planner import Case, Person, Repetition, Rule, Visit

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SURGERY = date(2026, 4, 27)
PATIENT = UUID(int=1)
MOTHER = UUID(int=2)
FATHER = UUID(int=3)
ADULT = {
    "audience": "adult",
    "uses_nicotine": True,
    "drives": True,
    "job": "desk",
    "lives_alone": False,
    "cares_for_others": False,
    "uses_wheelchair": False,
}


def rule(key: str = "step", offset: int = 0, unit: str = "days", **fields: Any) -> Rule:
    """A step at 9 on the day of surgery, valid for two days, left out when late."""
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "category": "preparation",
        "anchor": "surgery",
        "at": time(9),
        "valid_for": timedelta(days=2),
    }
    return Rule(key=key, offset=Offset(offset, unit), **(defaults | fields))


def every(days: int, **fields: Any) -> Repetition:
    """A repetition."""
    return Repetition(every_days=days, **fields)


def patient(zone: str = "Europe/London") -> Person:
    """The patient's own login."""
    return Person(PATIENT, zone, is_patient=True)


def carer(person_id: UUID = MOTHER, zone: str = "Europe/London", **fields: Any) -> Person:
    """A carer, live since long ago."""
    return Person(person_id, zone, False, **({"starts_on": date(2020, 1, 1)} | fields))


def case(*people: Person, **fields: Any) -> Case:
    """An adult who smokes, with surgery eight weeks after NOW, at a clinic in London."""
    defaults: dict[str, Any] = {
        "anchors": {"surgery": SURGERY},
        "attributes": ADULT,
        "adult_on": date(2008, 1, 1),
        "window": (time(8), time(20)),
        "zone": "Europe/London",
    }
    return Case(people=people or (patient(),), **(defaults | fields))


def child(*people: Person, **fields: Any) -> Case:
    """A child of seven."""
    return case(
        *people,
        **({"adult_on": date(2037, 6, 1), "attributes": ADULT | {"audience": "child"}} | fields),
    )


def visit(on: date, at: time = time(14), zone: str = "Europe/London", **fields: Any) -> Visit:
    """A booked X-ray."""
    starts_at = datetime.combine(on, at, zoneinfo.ZoneInfo(zone)).astimezone(UTC)
    return Visit(fields.pop("id", UUID(int=77)), fields.pop("kind", "xray"), on, starts_at)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A UTC moment."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)
