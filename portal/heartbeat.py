"""Signs of life of the recurring jobs, for health checks and the dashboard. On the machine's own clock (UTC)."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from portal.models import Heartbeat


def beat(name: str) -> None:
    """Note that a job ran to its end just now."""
    now = timezone.now()
    # One statement but for the first time of all: every tick does this.
    if not Heartbeat.objects.filter(name=name).update(beat_at=now):
        Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": now})


def age(name: str) -> timedelta | None:
    """How long ago a job last ran to its end; None if it never did."""
    row = Heartbeat.objects.filter(name=name).first()
    return timezone.now() - row.beat_at if row else None
