"""Numbers that only grow, for `/metrics`: kept in the database, so that no process's end loses any.

Decisions are added up a stretch of ids at a time. A stretch is counted once it is so old that no
transaction can still be adding to it.
"""

from __future__ import annotations

import time
from collections import Counter as Tally

from django.db import transaction
from django.db.models import Count, F, Max

from reminders.models import Counter, Decision

LEASE_RECOVERIES = "lease_recoveries"
# How far decisions are counted; up to where the next stretch goes; since when (seconds) it stood there.
_COUNTED_TO, _NEXT_TO, _NEXT_SINCE = (
    "decisions:counted_to",
    "decisions:next_to",
    "decisions:next_since",
)
# Seconds. Every transaction that writes decisions is over long before.
SETTLES_IN = 30
MOST_AT_ONCE = 200_000


def add(name: str, number: int) -> None:
    """Let a number grow."""
    if number and not Counter.objects.filter(name=name).update(value=F("value") + number):
        Counter.objects.get_or_create(name=name)
        Counter.objects.filter(name=name).update(value=F("value") + number)


def totals(prefix: str) -> dict[str, int]:
    """The numbers whose names begin with `prefix`, by the rest of the name."""
    rows = Counter.objects.filter(name__startswith=prefix).values_list("name", "value")
    return {name.removeprefix(prefix): value for name, value in rows}


@transaction.atomic
def count_decisions() -> int:
    """Add up the decisions since the last time. Returns how many there were. Safe to run at once with others."""
    for name in (_COUNTED_TO, _NEXT_TO, _NEXT_SINCE):
        Counter.objects.get_or_create(name=name)
    locked = Counter.objects.select_for_update().order_by("name")
    at = {row.name: row.value for row in locked.filter(name__startswith="decisions:")}
    if time.time() - at[_NEXT_SINCE] < SETTLES_IN:
        return 0
    counted = _count_between(at[_COUNTED_TO], at[_NEXT_TO])
    newest = Decision.objects.aggregate(newest=Max("id"))["newest"] or 0
    _set(_COUNTED_TO, at[_NEXT_TO])
    _set(_NEXT_TO, min(newest, at[_NEXT_TO] + MOST_AT_ONCE))
    _set(_NEXT_SINCE, int(time.time()))
    return counted


def _set(name: str, value: int) -> None:
    Counter.objects.filter(name=name).update(value=value)


def _count_between(after: int, up_to: int) -> int:
    rows = (
        Decision.objects.filter(id__gt=after, id__lte=up_to)
        .values_list("outcome", "gate", "reminder__category")
        .annotate(number=Count("id"))
    )
    grown: Tally[str] = Tally()
    for outcome, gate, category, number in rows:
        grown[f"decision:{outcome}:{gate}"] += number
        if outcome == Decision.Outcome.SEND:
            grown[f"sent:{category}"] += number
    for name, number in sorted(grown.items()):
        add(name, number)
    return sum(number for name, number in grown.items() if name.startswith("decision:"))
