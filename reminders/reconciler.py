"""The only writer of planned rows: compares what is stored with what the planner wants, and writes the difference.

`preview` writes nothing. `reconcile` writes in one transaction, in a constant number of queries
for an episode, and running it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from patients.models import Episode, PlanRequest
from reminders.diff import DROPPED, Change, Diff, Existing, Item, compare
from reminders.inputs import case_of, rules_of
from reminders.models import Reminder
from reminders.planner import Case, Desired, Intent, Key, Rule, plan

_MOVED_FIELDS = (
    "step", "local_date", "local_time", "time_zone", "due_at", "valid_until",
    "state", "reason", "is_essential", "settled_at", "message",
)  # fmt: skip


def preview(
    episode: Episode,
    *,
    now: datetime,
    case: Case | None = None,
    rules: list[Rule] | None = None,
    resend: frozenset[str] = frozenset(),
) -> Diff:
    """What `reconcile` would change, with another case or other rules in place of the stored ones. Writes nothing."""
    wanted = plan(rules or rules_of(episode.version), case or case_of(episode, now), now)
    return compare(_existing(episode), wanted, resend=resend)


@transaction.atomic
def reconcile(
    episode: Episode, *, now: datetime, resend: frozenset[str] = frozenset()
) -> Diff:
    """Bring the stored plan of one episode up to date and return what changed.

    Locks the episode, so that two reconcilers take turns; rows that a dispatcher holds are in
    hand and stay as they are.
    """
    Episode.objects.select_for_update().get(pk=episode.pk)
    episode = Episode.objects.for_planning().get(pk=episode.pk)
    requests = list(episode.plan_requests.values_list("id", flat=True))
    wanted = plan(rules_of(episode.version), case_of(episode, now), now)
    diff = compare(_existing(episode, lock=True), wanted, resend=resend)
    _write(diff, episode, now)
    PlanRequest.objects.filter(id__in=requests).delete()
    return diff


def _existing(episode: Episode, *, lock: bool = False) -> list[Existing]:
    rows = Reminder.objects.filter(episode=episode, kind=Reminder.Kind.STEP)
    if lock:
        rows = rows.select_for_update()
    return [
        Existing(
            id=row.id,
            step_id=row.step_id,
            key=Key(row.step_key, row.occurrence, row.recipient_id, row.appointment_id),
            correction=row.correction,
            intent=Intent(row.local_date, row.local_time, row.time_zone),
            state=row.state,
            reason=row.reason,
            valid_until=row.valid_until,
            is_essential=row.is_essential,
        )
        for row in rows.only(*_EXISTING_FIELDS)
    ]


_EXISTING_FIELDS = (
    "id", "step_id", "step_key", "occurrence", "recipient_id", "appointment_id", "correction",
    "local_date", "local_time", "time_zone", "state", "reason", "valid_until", "is_essential",
)  # fmt: skip


def _write(diff: Diff, episode: Episode, now: datetime) -> None:
    writes = [item for item in diff.items if item.writes]
    new = [item for item in writes if item.existing is None or item.correction > item.existing.correction]
    changed = [item for item in writes if item not in new]
    Reminder.objects.bulk_create([_new_row(item, episode, now) for item in new], batch_size=500)
    _drop([item for item in changed if item.change is Change.DROPPED], now)
    moved = [item for item in changed if item.change is not Change.DROPPED]
    rows = [_moved_row(item, now) for item in moved]
    Reminder.objects.bulk_update(rows, _MOVED_FIELDS, batch_size=200)


def _new_row(item: Item, episode: Episode, now: datetime) -> Reminder:
    wanted = _wanted(item)
    key = wanted.key
    return Reminder(
        episode=episode,
        appointment_id=key.appointment_id,
        step_key=key.step,
        occurrence=key.occurrence,
        correction=item.correction,
        recipient_id=key.recipient_id,
        category=wanted.rule.category,
        created_at=now,
        **_timing(wanted, now),
    )


def _moved_row(item: Item, now: datetime) -> Reminder:
    if item.existing is None:
        raise ValueError("Only a stored row can be moved.")
    return Reminder(id=item.existing.id, **_timing(_wanted(item), now))


def _timing(wanted: Desired, now: datetime) -> dict[str, Any]:
    return {
        "step_id": wanted.rule.id,
        "is_essential": wanted.rule.is_essential,
        "local_date": wanted.intent.local_date,
        "local_time": wanted.intent.local_time,
        "time_zone": wanted.intent.zone,
        "due_at": wanted.due_at,
        "valid_until": wanted.valid_until,
        "state": Reminder.State.SKIPPED if wanted.skipped else Reminder.State.PLANNED,
        "reason": wanted.skipped,
        "settled_at": now if wanted.skipped else None,
        "message": None,
    }


def _drop(items: Iterable[Item], now: datetime) -> None:
    ids = [item.existing.id for item in items if item.existing]
    if ids:
        Reminder.objects.filter(id__in=ids, state__in=("planned", "retrying")).update(
            state=Reminder.State.CANCELLED, reason=DROPPED, settled_at=now
        )


def _wanted(item: Item) -> Desired:
    if item.desired is None:
        raise ValueError("Only a desired row can be written.")
    return item.desired
