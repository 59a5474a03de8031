"""Does every reminder that fell due have an end that can be shown, or is it on its way with good reason?

due = sent + skipped + cancelled + missed + failed + in flight, for each clinic and day. Each side is
counted by its evidence and not by the state alone: what is "sent" has a message with the moment it
went, what was settled otherwise has a reason and a moment, what is in flight is still valid and not
held by a worker that died. What has none of these is a gap, and so is a sent reminder that vanished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Min, Q, Sum
from django.utils import timezone

from portal import clock
from reminders.models import DailyBalance, Reminder

logger = logging.getLogger(__name__)

DAYS = 7
# Of the days on which all has ended so many are counted again each time, those counted longest ago first.
ENDED_AT_ONCE = 1
# A job may be late by this much before what it should have settled counts as forgotten.
GRACE = timedelta(minutes=15)
SIDES = ("sent", "skipped", "cancelled", "missed", "failed", "in_flight")


def check(*, now: datetime, days: int = DAYS) -> list[DailyBalance]:
    """Count those of the last `days` local days that may have changed, keep the result, and return the days with a gap.

    `now` is UTC. A day before yesterday on which all has ended changes only if something goes wrong: such days
    take turns, one each time.
    """
    first, last = (now - timedelta(days=days)).date(), (now + timedelta(days=1)).date()
    these = _changing(first, last)
    found = [_balance(counted, now) for counted in _counted(these, now)]
    with transaction.atomic():
        _keep(found, these)
    gaps = [row for row in found if row.gap]
    for row in gaps:
        logger.error(
            "reminders are unaccounted for",
            extra={"clinic": str(row.clinic_id), "day": str(row.day), "gap": row.gap},
        )
    return gaps


def _changing(first: date, last: date) -> set[date]:
    """The days from `first` to `last` (tomorrow) that are counted this time."""
    kept = DailyBalance.objects.filter(day__gte=first, day__lt=last - timedelta(days=2))
    by_day = kept.values_list("day").annotate(
        left=Sum(F("in_flight") + F("gap")), at=Min("checked_at")
    )
    ended = [day for day, left, _ in by_day.order_by("at", "day") if not left]
    days = {first + timedelta(days=n) for n in range((last - first).days + 1)}
    return days - set(ended[ENDED_AT_ONCE:])


def gaps(*, now: datetime, days: int = DAYS) -> Iterable[DailyBalance]:
    """The days with a gap, as they were last counted; for the dashboard and for health."""
    first = (now - timedelta(days=days)).date()
    return DailyBalance.objects.filter(gap__gt=0, day__gte=first).select_related("clinic")


def _evidence(now: datetime) -> dict[str, Q]:
    """What a reminder must show to be counted on each side."""
    settled = Q(settled_at__isnull=False) & ~Q(reason="")
    late = now - GRACE
    return {
        "sent": Q(state="sent", message__sent_at__isnull=False),
        "skipped": Q(state="skipped") & settled,
        "cancelled": Q(state="cancelled") & settled,
        "missed": Q(state="missed") & settled,
        "failed": Q(state="failed") & settled,
        "in_flight": Q(state__in=("planned", "retrying"), valid_until__gt=late)
        | Q(state__in=("planned", "retrying"), due_at__gt=late)
        # Leases are on the machine's own clock.
        | Q(state="claimed", lease_until__gt=timezone.now() - GRACE),
    }


def _counted(days: Collection[date], now: datetime) -> Iterable[Any]:
    sides = {f"in_{side}": Count("id", filter=q) for side, q in _evidence(now).items()}
    return (
        Reminder.objects.filter(local_date__in=days)
        .values("episode__patient__clinic_id", "local_date")
        .annotate(all=Count("id"), **sides)
        .order_by("local_date")
    )


def _balance(counted: dict[str, Any], now: datetime) -> DailyBalance:
    sides = {side: counted[f"in_{side}"] for side in SIDES}
    return DailyBalance(
        clinic_id=counted["episode__patient__clinic_id"],
        day=counted["local_date"],
        due=counted["all"],
        gap=counted["all"] - sum(sides.values()),
        checked_at=now,
        **sides,
    )


def _keep(found: list[DailyBalance], days: Collection[date]) -> None:
    """Store the counts. What was once counted as sent and is not there any more is part of the gap."""
    today = {(row.clinic_id, row.day): row for row in found}
    for old in DailyBalance.objects.select_for_update().filter(day__in=days):
        row = today.get((old.clinic_id, old.day))
        if row is None:
            row = DailyBalance(clinic_id=old.clinic_id, day=old.day, checked_at=clock.now())
            found.append(row)
        vanished = max(0, old.sent - row.sent)
        row.due += vanished
        row.sent += vanished
        row.gap += vanished
    DailyBalance.objects.bulk_create(
        found,
        update_conflicts=True,
        unique_fields=["clinic", "day"],
        update_fields=["due", *SIDES, "gap", "checked_at"],
    )
