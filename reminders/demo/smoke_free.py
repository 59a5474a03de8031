"""The smokers of the demo: most stop in time, some slip, and one of them tells why."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from patients.actions import log_slip, save_smoke_free_plan
from patients.models import Episode
from portal.models import User
from portal.once import new_ticket

# Days before surgery on which they stop, and on which every other one slips.
STOPS, SLIPS = 42, (37,)


def stop(episode: Episode, on: date, *, by: User, now: datetime) -> None:
    """Choose the quit day and write down what helps."""
    save_smoke_free_plan(
        episode=episode, quit_on=on, by=by, now=now, why="I want my hip to heal well.",
        triggers="With the first coffee, and when I wait for the bus.",
        instead="Drink a glass of water, and walk once round the block.",
        supporter="My neighbour Ines", spent_a_day=Decimal("9.50"), currency="GBP",
    )  # fmt: skip


def slip(episode: Episode, *, by: User, now: datetime) -> None:
    """Tell of one cigarette."""
    episode = Episode.objects.get(pk=episode.pk)
    today = now.astimezone(episode.patient.clinic.zone).date()
    quit_on = episode.anchors.get("quit")
    if episode.is_open and quit_on and quit_on < today - timedelta(days=1):
        log_slip(
            episode=episode, on=today, what="smoked", note="One, at a birthday party.", by=by, now=now,
            ticket=new_ticket(),
        )  # fmt: skip
