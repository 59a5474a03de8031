"""Makes smoke-free plans and slips for tests."""

from datetime import date, datetime, timedelta
from typing import Any

from patients.actions import log_slip, save_smoke_free_plan
from patients.models import Episode, Slip
from portal.once import new_ticket
from tests.factories import NOW
from tests.people import People


def stopped(people: People, days_ago: int = 10, **fields: Any) -> Episode:
    """The patient's episode, smoke-free since some days."""
    quit_on = people.now.date() - timedelta(days=days_ago)
    save_smoke_free_plan(
        episode=people.episode, quit_on=quit_on, by=people.patient.user, now=people.now, **fields
    )
    return Episode.objects.get(pk=people.episode.pk)


def slip(episode: Episode, on: date, *, now: datetime = NOW, **fields: Any) -> Slip:
    """A slip that the patient told."""
    values = {"what": "smoked", "ticket": new_ticket(), "by": episode.patient.user} | fields
    return log_slip(episode=episode, on=on, now=now, **values)


def slipped(people: People) -> Slip:
    """A slip of today."""
    return slip(stopped(people), people.now.date())
