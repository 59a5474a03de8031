"""The only writer of planned rows: compares what is stored with what the planner wants, and writes the difference.

`preview` writes nothing. `reconcile` writes in one transaction, in a constant number of queries
for an episode, and running it twice changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from patients.models import Episode, PlanRequest
from reminders.bulk import insert_all
from reminders.diff import DROPPED, Change, Diff, Existing, Item, compare
from reminders.inputs import case_of, rules_of
from reminders.models import Message, Reminder
from reminders.planner import Case, Desired, Intent, Key, Rule, plan

_REFRESHED_FIELDS = ("step", "category", "is_essential", "counted_from", "valid_until")
_MOVED_FIELDS = (
    *_REFRESHED_FIELDS, "local_date", "local_time", "time_zone", "due_at",
    "state", "reason", "settled_at", "message", "lease_until", "claimed_by",
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
    rules = rules_of(episode.version) if rules is None else rules
    wanted = plan(rules, case or case_of(episode, now), now)
    return compare(_existing(episode), wanted, resend=resend)


def preview_all(
    episodes: Sequence[Episode],
    *,
    now: datetime,
    rules: list[Rule],
    resend: frozenset[str] = frozenset(),
) -> dict[UUID, Diff]:
    """`preview` of many episodes under the same rules, by the episode's key. One query; writes nothing."""
    stored: dict[UUID, list[Existing]] = defaultdict(list)
    rows = Reminder.objects.filter(episode__in=episodes, kind=Reminder.Kind.STEP)
    for row in rows.only("episode_id", *_EXISTING_FIELDS):
        stored[row.episode_id].append(_as_existing(row))
    return {
        episode.pk: compare(
            stored[episode.pk], plan(rules, case_of(episode, now), now), resend=resend
        )
        for episode in episodes
    }


@transaction.atomic
def reconcile(episode: Episode, *, now: datetime, resend: frozenset[str] = frozenset()) -> Diff:
    """Bring the stored plan of one episode up to date and return what changed.

    Locks the episode, so that two reconcilers take turns. Rows of which a dispatcher has made a mail
    are in hand and stay as they are; where the plan wants them otherwise, it is worked out again.
    """
    Episode.objects.select_for_update().get(pk=episode.pk)
    episode = Episode.objects.for_planning().get(pk=episode.pk)
    requests = list(episode.plan_requests.values_list("id", flat=True))
    wanted = plan(rules_of(episode.version), case_of(episode, now), now)
    diff = compare(_existing(episode, lock=True), wanted, resend=resend)
    _write(diff, episode, now)
    if requests:
        PlanRequest.objects.filter(id__in=requests).delete()
    if diff.is_in_flight:
        PlanRequest.objects.create(episode=episode, reason="in_flight", requested_at=now)
    return diff


def _existing(episode: Episode, *, lock: bool = False) -> list[Existing]:
    rows = Reminder.objects.filter(episode=episode, kind=Reminder.Kind.STEP)
    if lock:
        # In order, as the dispatcher locks them; and without barring notes of decisions about them.
        rows = rows.order_by("id").select_for_update(no_key=True)
    return [_as_existing(row) for row in rows.only(*_EXISTING_FIELDS)]


def _as_existing(row: Reminder) -> Existing:
    return Existing(
        id=row.id,
        step_id=row.step_id,
        key=Key(row.step_key, row.occurrence, row.recipient_id, row.appointment_id),
        correction=row.correction,
        intent=Intent(row.local_date, row.local_time, row.time_zone),
        state=row.state,
        reason=row.reason,
        valid_until=row.valid_until,
        is_essential=row.is_essential,
        category=row.category,
        counted_from=row.counted_from,
        message_id=row.message_id,
    )


_EXISTING_FIELDS = (
    "id", "step_id", "step_key", "occurrence", "recipient_id", "appointment_id", "correction",
    "local_date", "local_time", "time_zone", "state", "reason", "valid_until", "is_essential",
    "category", "counted_from", "message_id",
)  # fmt: skip


def _write(diff: Diff, episode: Episode, now: datetime) -> None:
    writes = [item for item in diff.items if item.writes]
    new = [item for item in writes if item.existing is None]
    insert_all(Reminder, [_new_row(item, episode, now) for item in new])
    _drop([item for item in writes if item.change is Change.DROPPED], now)
    _refresh([item for item in writes if item.change is Change.KEPT])
    _move([item for item in writes if item.existing and item.change in _MOVES], now)
    _withdraw_messages(writes)


_MOVES = frozenset({Change.MOVED, Change.NEW, Change.TOO_LATE})


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
        created_at=now,
        **_timing(wanted, now),
    )


def _move(items: Iterable[Item], now: datetime) -> None:
    rows = [
        Reminder(id=item.existing.id, **_timing(_wanted(item), now))
        for item in items
        if item.existing
    ]
    if rows:
        Reminder.objects.bulk_update(rows, _MOVED_FIELDS, batch_size=200)


def _refresh(items: Iterable[Item]) -> None:
    """Write what changed about rows that keep their moment, their state and their tries."""
    rows = [
        Reminder(id=item.existing.id, **_details(_wanted(item)) | {"valid_until": item.valid_until})
        for item in items
        if item.existing
    ]
    if rows:
        Reminder.objects.bulk_update(rows, _REFRESHED_FIELDS, batch_size=200)


def _withdraw_messages(items: Iterable[Item]) -> None:
    """A mail that waits to be tried again is withdrawn once the last of its reminders has left it."""
    stored = [item.existing.message_id for item in items if item.existing]
    ids = [message_id for message_id in stored if message_id is not None]
    if ids:
        Message.objects.filter(id__in=ids).abandoned().update(state=Message.State.WITHDRAWN)


def _timing(wanted: Desired, now: datetime) -> dict[str, Any]:
    return {
        **_details(wanted),
        "local_date": wanted.intent.local_date,
        "local_time": wanted.intent.local_time,
        "time_zone": wanted.intent.zone,
        "due_at": wanted.due_at,
        "state": Reminder.State.SKIPPED if wanted.skipped else Reminder.State.PLANNED,
        "reason": wanted.skipped,
        "settled_at": now if wanted.skipped else None,
        "message": None,
        "lease_until": None,
        "claimed_by": "",
    }


def _details(wanted: Desired) -> dict[str, Any]:
    return {
        "step_id": wanted.rule.id,
        "category": wanted.rule.category,
        "is_essential": wanted.rule.is_essential,
        "counted_from": wanted.counted_from,
        "valid_until": wanted.valid_until,
    }


def _drop(items: Iterable[Item], now: datetime) -> None:
    ids = [item.existing.id for item in items if item.existing]
    if ids:
        Reminder.objects.filter(id__in=ids).open().update(
            state=Reminder.State.CANCELLED, reason=DROPPED, settled_at=now, lease_until=None
        )


def _wanted(item: Item) -> Desired:
    if item.desired is None:
        raise ValueError("Only a desired row can be written.")
    return item.desired
