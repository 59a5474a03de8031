"""What an act of staff would change in a plan, before it is done: a visit booked, moved or ended, an episode closed.

The same planner and diff as in earnest, over the case as it would be. Nothing is written. `now` is UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from patients.models import Appointment, Episode, ImagingRequest
from reminders.diff import Diff
from reminders.inputs import XRAY_BOOKED, case_of
from reminders.planner import Visit
from reminders.reconciler import preview

# A visit that is not stored yet has the same key each time it is imagined, so that two looks can be compared.
NOT_STORED = UUID(int=0)
_TO_BOOK_AGAIN = frozenset({Appointment.Status.CANCELLED, Appointment.Status.NO_SHOW})


def with_visit(
    *, episode: Episode, visit: Appointment, now: datetime, wanted: ImagingRequest | None = None
) -> Diff:
    """The plan with the visit as it would be, in place of the stored one; `wanted` is the X-ray that it is for."""
    case = case_of(episode, now)
    visits = [row for row in case.visits if row.id != visit.pk]
    if visit.status == Appointment.Status.BOOKED:
        visits.append(Visit(visit.pk, visit.kind, visit.local_date, visit.starts_at))
    asking = [wanted] if wanted else ImagingRequest.objects.filter(appointment=visit)
    ended = set(_steps_that_ask(asking))
    steps = case.ended_steps - ended if visit.status in _TO_BOOK_AGAIN else case.ended_steps | ended
    return preview(
        episode, now=now, case=replace(case, visits=tuple(visits), ended_steps=frozenset(steps))
    )


def _steps_that_ask(requests: Iterable[ImagingRequest]) -> Iterable[str]:
    """The steps that ask for these X-rays to be booked."""
    for request in requests:
        if request.step.ends_when == XRAY_BOOKED:
            yield request.step.key


def closed(*, episode: Episode, now: datetime) -> Diff:
    """The plan of an episode that has ended: nothing more goes to anybody."""
    return preview(episode, now=now, case=replace(case_of(episode, now), people=()))


def booked(episode: Episode, now: datetime) -> list[Appointment]:
    """The visits that are called off with an episode, the earliest first."""
    rows = episode.appointments.booked().filter(starts_at__gt=now)
    return list(rows.select_related("location").order_by("starts_at", "pk"))
