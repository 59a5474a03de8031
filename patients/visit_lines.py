"""Visits as one line each, for the page “Visits”: those after the next few, and those of the past. No markup.

Of a line's visit only what it shows is read; the visit's own page has the rest, and all that can be done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, UUIDField
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from patients.models import Appointment, AppointmentKind, MoveRequest
from patients.querysets import NOW, READER
from portal.day_words import date_format, day_and_time
from portal.prepared import Blank, prepared
from portal.row_addresses import address

# Visits ahead that a page shows whole, with what can be done about them; the others are a line each.
IN_FULL = 3
# Visits of the past that are shown; older ones are the clinic's to look up.
PAST_SHOWN = 10

PATIENT = Blank("patient", UUIDField())


class Row(NamedTuple):
    """What is read of a visit; `wish` is the state of the last wish for another time, if there was one."""

    pk: UUID
    kind: str
    local_date: date
    local_time: time
    status: str
    confirmed_at: datetime | None
    place: str | None
    wish: str | None


class Line(NamedTuple):
    """A visit as its line says it; `state` is said in words, with a symbol of the sprite, or both are empty."""

    url: str
    title: str
    when: str
    place: str
    icon: str
    state: str


@dataclass(frozen=True, slots=True)
class Month:
    """The visits of one month."""

    title: str
    lines: list[Line]


def visits() -> QuerySet[Any, Appointment]:
    """For a prepared query: the visits of `PATIENT` that `READER` may see."""
    return Appointment.objects.own(READER).filter(episode__patient=PATIENT)


def ahead() -> QuerySet[Any, Appointment]:
    """Those that are not over, and did not take place already."""
    return visits().filter(starts_at__gte=NOW).exclude(status=Appointment.Status.FULFILLED)


def _as_rows(rows: QuerySet[Any, Appointment]) -> QuerySet[Any, tuple[Any, ...]]:
    wishes = MoveRequest.objects.filter(appointment=OuterRef("pk")).values("status")
    return rows.annotate(wish=Subquery(wishes[:1])).values_list(
        "pk", "kind", "local_date", "local_time", "status", "confirmed_at", "location__name", "wish"
    )


@prepared
def _later() -> QuerySet[Any, tuple[Any, ...]]:
    return _as_rows(ahead())[IN_FULL:]


@prepared
def _past() -> QuerySet[Any, tuple[Any, ...]]:
    return _as_rows(visits().filter(starts_at__lt=NOW).order_by("-starts_at"))[:PAST_SHOWN]


def later(asked: dict[str, Any]) -> list[Month]:
    """The visits ahead after the first `IN_FULL`, month by month. One query; `asked` are the values of `ahead`."""
    rows = map(Row._make, _later(**asked))
    months = groupby(rows, key=lambda row: row.local_date.replace(day=1))
    return [
        Month(date_format(month, "F Y"), _lines(of_month, "l j F")) for month, of_month in months
    ]


def past(asked: dict[str, Any]) -> list[Line]:
    """The visits of the past, the last one first. One query."""
    return _lines(map(Row._make, _past(**asked)), "l j F Y")


def _lines(rows: Iterable[Row], pattern: str) -> list[Line]:
    return [_line(row, pattern) for row in rows]


def _line(row: Row, pattern: str) -> Line:
    icon, state = _state(row)
    return Line(
        url=address("patients:appointment", row.pk),
        title=kind_in_words(row.kind),
        when=day_and_time(row.local_date, row.local_time, pattern),
        place=row.place or "",
        icon=icon,
        state=state,
    )


def _state(row: Row) -> tuple[str, str]:
    """What is most worth knowing about a visit before it is opened: a symbol and words."""
    if row.status == Appointment.Status.CANCELLED:
        return "close", _("Cancelled")
    if row.status != Appointment.Status.BOOKED:
        return "", ""
    if row.wish == MoveRequest.Status.OPEN:
        return "clock", _("You asked for another time")
    if row.confirmed_at:
        return "check", _("Confirmed")
    is_answered = row.wish in {MoveRequest.Status.MOVED, MoveRequest.Status.KEPT}
    return ("message", _("The clinic has answered you")) if is_answered else ("", "")


def kind_in_words(kind: str) -> str:
    """What a visit is for, in the language in force."""
    return _kind_in(kind, get_language())


@lru_cache(maxsize=64)
def _kind_in(kind: str, _language: str | None) -> str:
    return str(AppointmentKind(kind).label)
