"""What a diff writes, as rows of the table: values in one order, and no model instances.

Thousands of rows are planned at once, and an instance costs more than working its plan out. Pure.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from reminders.diff import DROPPED, STOPPED_BY_STAFF, Change, Existing, Item
from reminders.models import Reminder
from reminders.planner import Desired

# Plain text: a look-up of an enumeration for each row costs more than the rest of the row.
_STEP = str(Reminder.Kind.STEP)
_PLANNED, _SKIPPED, _CANCELLED = (
    str(state)
    for state in (Reminder.State.PLANNED, Reminder.State.SKIPPED, Reminder.State.CANCELLED)
)


class Values(NamedTuple):
    """What planning says of a row, whether it is new or not; named as the fields of `Reminder`."""

    step: UUID | None
    category: str
    is_essential: bool
    counted_from: str
    local_date: date
    local_time: time
    time_zone: str
    due_at: datetime
    valid_until: datetime
    state: str
    reason: str
    settled_at: datetime | None
    message: UUID | None
    lease_until: datetime | None
    claimed_by: str
    is_pinned: bool


class Identity(NamedTuple):
    """What makes a new row the one it is, and never changes."""

    id: UUID
    created_at: datetime
    episode: UUID
    appointment: UUID | None
    kind: str
    step_key: str
    occurrence: int
    correction: int
    recipient: UUID
    attempts: int
    context: str


CHANGED = ("id", *Values._fields)
NEW = (*Identity._fields, *Values._fields)


def new_row(item: Item, episode_id: UUID, now: datetime) -> tuple[Any, ...]:
    """A row that is not there yet, in the order of `NEW`."""
    step, occurrence, recipient_id, appointment_id = item.key
    identity = Identity(
        uuid.uuid4(), now, episode_id, appointment_id, _STEP, step, occurrence,
        item.correction, recipient_id, 0, "{}",
    )  # fmt: skip
    return identity + values_of(item, now)


def changed_row(item: Item, now: datetime) -> tuple[Any, ...]:
    """A row that is there already, as it is to be, in the order of `CHANGED`. Raises ValueError for a new one."""
    if item.existing is None:
        raise ValueError("A row that is not there cannot change.")
    return (item.existing.id, *values_of(item, now))


def values_of(item: Item, now: datetime) -> Values:
    """What an item that writes makes of its row."""
    row, wanted = item.existing, item.desired
    if row is not None and item.change is Change.DROPPED:
        return _as_stored(row)._replace(
            state=_CANCELLED, reason=STOPPED_BY_STAFF if item.stops else DROPPED, settled_at=now,
            lease_until=None,
        )  # fmt: skip
    if wanted is None:
        raise ValueError("Only a desired row can be written.")
    if row is not None and item.change is Change.KEPT:
        kept = _refreshed(row, wanted, item.valid_until or wanted.valid_until)
        return kept._replace(is_pinned=row.is_pinned or item.pins)
    planned = _planned(wanted, now)._replace(is_pinned=item.pins)
    if item.stops:
        return planned._replace(state=_CANCELLED, reason=STOPPED_BY_STAFF, settled_at=now)
    return planned


def _as_stored(row: Existing) -> Values:
    return Values(
        row.step_id, row.category, row.is_essential, row.counted_from, *row.intent, row.due_at,
        row.valid_until, row.state, row.reason, None, row.message_id, row.lease_until, row.claimed_by,
        row.is_pinned,
    )  # fmt: skip


def _refreshed(row: Existing, wanted: Desired, valid_until: datetime) -> Values:
    """A row that keeps its moment, its state and its tries."""
    rule = wanted.rule
    return _as_stored(row)._replace(
        step=rule.id, category=rule.category, is_essential=rule.is_essential,
        counted_from=wanted.counted_from, valid_until=valid_until,
    )  # fmt: skip


def _planned(wanted: Desired, now: datetime) -> Values:
    rule, skipped = wanted.rule, wanted.skipped
    state, settled_at = (_SKIPPED, now) if skipped else (_PLANNED, None)
    return Values(
        rule.id, rule.category, rule.is_essential, wanted.counted_from, *wanted.intent, wanted.due_at,
        wanted.valid_until, state, skipped, settled_at, None, None, "", False,
    )  # fmt: skip
