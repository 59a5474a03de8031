"""Taking what is due under a lease: whole readers at a time, and one worker after the other."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from reminders.letters import LEASE
from reminders.models import Reminder
from reminders.querysets import ReminderQuerySet

# Reminders looked for at once; with what else is due for the same people, at most so many times as many.
BATCH = 250
TIMES = 4
# The lock of PostgreSQL by which workers claim in turn: "Stepwise" in ASCII.
_TURN = int.from_bytes(b"Stepwise")
# How long a turn is waited for, in seconds, and how often it is asked for: somebody who stands still in the
# middle of a claim must not stop the others.
_ASKED_EVERY = 0.002
_PATIENCE = 1.0


def claim(*, token: str, now: datetime, batch: int = BATCH) -> list[uuid.UUID]:
    """Take the oldest due reminders, and all others that are due for the same people, under a lease.

    What is due for one person goes in one mail, so it is claimed together. Returns their keys.
    """
    with transaction.atomic():
        _take_turn()
        first = _locked(Reminder.objects.due(now)).values_list("recipient_id", flat=True)[:batch]
        ids = _all_of(list(dict.fromkeys(first)), now, TIMES * batch)
        Reminder.objects.filter(id__among=ids, state__in=("planned", "retrying")).update(
            state=Reminder.State.CLAIMED,
            claimed_by=token,
            lease_until=timezone.now() + LEASE,
            attempts=F("attempts") + 1,
        )
        return ids


def _all_of(people: Sequence[uuid.UUID], now: datetime, most: int) -> list[uuid.UUID]:
    """All that is due for these people, or, where that is too much at once, for the first of them."""
    while people:
        found = _locked(Reminder.objects.due(now).filter(recipient__among=people))
        rows = found.values_list("id", flat=True)
        if len(people) == 1:
            return list(rows)
        ids = list(rows[: most + 1])
        if len(ids) <= most:
            return ids
        people = people[: len(people) // 2]
    return []


def _locked(rows: ReminderQuerySet) -> ReminderQuerySet:
    """Those that nobody is changing, held until the claim stands. SQLite has one writer at a time."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True)
    return rows


def _take_turn() -> None:
    """Wait while another worker claims: of two at once, each would find a part of what one person gets in one mail."""
    if connection.vendor != "postgresql":
        return
    for _ in range(round(_PATIENCE / _ASKED_EVERY)):
        with connection.cursor() as cursor:
            # Given back with the end of the transaction, when what was claimed can be seen.
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_TURN])
            (is_ours,) = cursor.fetchone()
        if is_ours:
            return
        time.sleep(_ASKED_EVERY)
