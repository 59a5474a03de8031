"""What reminders add to the health of the whole: do they flow, are all accounted for, does mail get away."""

from __future__ import annotations

from datetime import timedelta

from django.db import DatabaseError

from portal import clock, heartbeat
from portal.health import Finding
from portal.models import SendingSwitch
from reminders import balance, pacing
from reminders.models import Reminder

# Beyond this, what is due does not go out. Waiting for a window or a cap moves `due_at` itself.
OLDEST_OVERDUE = timedelta(minutes=15)
# Several counts missed: that there was no gap so long ago says nothing of now.
OLDEST_COUNT = timedelta(hours=1)


def oldest_overdue() -> Finding:
    """Seconds that the oldest reminder that is due has waited; well too while staff stopped sending."""
    try:
        now = clock.now()
        due_at = Reminder.objects.due(now).values_list("due_at", flat=True).first()
        is_stopped = not SendingSwitch.current().is_on
    except DatabaseError:
        return Finding("oldest_overdue", False, "unknown")
    waited = now - due_at if due_at else timedelta()
    return Finding(
        "oldest_overdue", is_stopped or waited <= OLDEST_OVERDUE, int(waited.total_seconds())
    )


def unaccounted() -> Finding:
    """How many reminders of the last days nobody can account for, as last counted; not well where that is long ago."""
    try:
        gap = sum(row.gap for row in balance.gaps(now=clock.now()))
        counted = heartbeat.age("check_balance")
    except DatabaseError:
        return Finding("unaccounted", False, "unknown")
    if counted is not None and counted > OLDEST_COUNT:
        return Finding("unaccounted", False, "not counted lately")
    return Finding("unaccounted", gap == 0, gap)


def channel() -> Finding:
    """Whether the mail server lets us in."""
    try:
        row = pacing.stopped()
    except DatabaseError:
        return Finding("channel", False, "unknown")
    return Finding("channel", row is None, row.reason if row else "open")


CHECKS = (oldest_overdue, unaccounted, channel)
