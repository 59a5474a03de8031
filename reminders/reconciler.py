"""The only writer of planned rows: compares what is stored with what the planner wants, and writes the difference.

`preview` writes nothing. `reconcile` writes in one transaction, in the same few queries for one
episode and for many, and running it twice changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, UUIDField

from patients.models import Episode, PlanRequest
from portal.prepared import Listed, deleting, planned_once, prepared
from reminders import telling
from reminders.bulk import insert_all, insert_rows, update_rows
from reminders.changes import news_of
from reminders.diff import Diff, Existing, Item, compare
from reminders.inputs import case_of, read_episodes, rules_of
from reminders.models import Message, PlanChange, Reminder
from reminders.overrides import NONE, Choices, overridden
from reminders.planner import Case, Intent, Key, Rule, plan
from reminders.written import CHANGED, NEW, changed_row, new_row

_EPISODES = Listed("episodes", UUIDField())
# The episode, and then the fields of `Existing` in their order.
_READ = (
    "episode_id", "id", "step_id", "step_key", "occurrence", "recipient_id", "appointment_id", "correction",
    "local_date", "local_time", "time_zone", "state", "reason", "valid_until", "is_essential", "category",
    "counted_from", "due_at", "message_id", "lease_until", "claimed_by", "is_pinned",
)  # fmt: skip


def preview(
    episode: Episode,
    *,
    now: datetime,
    case: Case | None = None,
    rules: Sequence[Rule] | None = None,
    resend: frozenset[str] = frozenset(),
    choices: Choices = NONE,
) -> Diff:
    """What `reconcile` would change, with another case or other rules in place of the stored ones. Writes nothing."""
    rules = rules_of(episode.version) if rules is None else rules
    case = case or case_of(episode, now)
    stored = _existing([episode.pk])
    return overridden(
        compare(stored[episode.pk], plan(rules, case, now), resend=resend), choices, now
    )


def preview_all(
    episodes: Sequence[Episode],
    *,
    now: datetime,
    rules: Sequence[Rule],
    resend: frozenset[str] = frozenset(),
) -> dict[UUID, Diff]:
    """`preview` of many episodes under the same rules, by the episode's key. One query; writes nothing."""
    stored = _existing([episode.pk for episode in episodes])
    cases = {episode.pk: case_of(episode, now) for episode in episodes}
    return {
        key: compare(stored[key], plan(rules, case, now), resend=resend)
        for key, case in cases.items()
    }


def reconcile(
    episode: Episode,
    *,
    now: datetime,
    resend: frozenset[str] = frozenset(),
    choices: Choices = NONE,
) -> Diff:
    """Bring the stored plan of one episode up to date, as staff chose, and return what changed."""
    return reconcile_all([episode.pk], now=now, resend=resend, choices=choices)[episode.pk]


@transaction.atomic
def reconcile_all(
    ids: Iterable[UUID],
    *,
    now: datetime,
    resend: frozenset[str] = frozenset(),
    choices: Choices = NONE,
) -> dict[UUID, Diff]:
    """Bring the stored plans of these episodes up to date, all or none, and return what changed for each.

    Locks the episodes, so that two reconcilers take turns. Rows of which a dispatcher has made a mail
    are in hand and stay as they are; where the plan wants them otherwise, it is worked out again.
    """
    locked = _lock(episodes=ids)
    # Taken away before anything is read: a change that comes later leaves its own request standing.
    _take_requests(episodes=locked)
    stored = _existing(locked, lock=True)
    episodes = read_episodes(locked)
    diffs = {}
    for episode in episodes:
        wanted = plan(rules_of(episode.version), case_of(episode, now), now)
        diff = compare(stored[episode.pk], wanted, resend=resend)
        diffs[episode.pk] = overridden(diff, choices, now)
    _write(diffs, now)
    telling.of_visits_called_off(episodes, now)
    return diffs


@planned_once
def _lock() -> QuerySet[Episode, UUID]:
    """Lock these episodes, in order."""
    rows = Episode.objects.filter(id__in=_EPISODES).order_by("id").select_for_update()
    return rows.values_list("id", flat=True)


@deleting
def _take_requests() -> QuerySet[PlanRequest, PlanRequest]:
    """Take away what asked for these plans."""
    return PlanRequest.objects.filter(episode__in=_EPISODES)


def _existing(ids: Sequence[UUID], *, lock: bool = False) -> Mapping[UUID, list[Existing]]:
    """The stored rows of these episodes, by episode."""
    rows = _locked_rows(episodes=ids) if lock else _rows(episodes=ids)
    found: dict[UUID, list[Existing]] = defaultdict(list)
    for episode_id, *values in rows:
        found[episode_id].append(_as_existing(values))
    return found


def _of_steps() -> QuerySet[Reminder, tuple[Any, ...]]:
    rows = Reminder.objects.filter(episode__in=_EPISODES, kind=Reminder.Kind.STEP)
    return rows.order_by().values_list(*_READ)


@prepared
def _rows() -> QuerySet[Reminder, tuple[Any, ...]]:
    """As they stand now."""
    return _of_steps()


@planned_once
def _locked_rows() -> QuerySet[Reminder, tuple[Any, ...]]:
    """In order, as the dispatcher locks them; and without barring notes of decisions about them."""
    return _of_steps().order_by("id").select_for_update(no_key=True)


def _as_existing(values: Sequence[Any]) -> Existing:
    """A row as the comparison wants it, from its values in the order of `_READ`."""
    pk, step_id, *key, correction, local_date, local_time, zone = values[:10]
    return Existing(
        pk, step_id, Key(*key), correction, Intent(local_date, local_time, zone), *values[10:]
    )


def _writes(diffs: Mapping[UUID, Diff]) -> Iterator[tuple[UUID, Item]]:
    for episode_id, diff in diffs.items():
        yield from ((episode_id, item) for item in diff.items if item.writes)


def _write(diffs: Mapping[UUID, Diff], now: datetime) -> None:
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    withdrawn: list[UUID | None] = []
    for episode_id, item in _writes(diffs):
        if item.existing is None:
            new.append(new_row(item, episode_id, now))
        else:
            changed.append(changed_row(item, now))
            withdrawn.append(item.existing.message_id)
    insert_rows(Reminder, NEW, new)
    update_rows(Reminder, CHANGED, changed)
    _withdraw(withdrawn)
    _keep(diffs, now)
    _look_again((key for key, diff in diffs.items() if diff.is_in_flight), now)


def _withdraw(messages: Iterable[UUID | None]) -> None:
    """A mail that waits to be tried again is withdrawn once the last of its reminders has left it."""
    ids = {message_id for message_id in messages if message_id is not None}
    if ids:
        Message.objects.filter(id__in=ids).abandoned().update(state=Message.State.WITHDRAWN)


def _keep(diffs: Mapping[UUID, Diff], now: datetime) -> None:
    """Keep what readers are shown of a change. One query, and none where no reader has to know."""
    found = ((episode_id, news_of(diff)) for episode_id, diff in diffs.items())
    kept = [
        PlanChange(episode_id=episode_id, news=news, created_at=now)
        for episode_id, news in found
        if news
    ]
    insert_all(PlanChange, kept)


def _look_again(ids: Iterable[UUID], now: datetime) -> None:
    """Ask for another plan once the mails that are with the mail server have arrived, or not."""
    PlanRequest.objects.bulk_create(
        PlanRequest(episode_id=each, reason="in_flight", requested_at=now) for each in ids
    )
