"""What a new plan changes: existing rows compared with desired ones. Pure: no database, no clock.

The same `Diff` serves the preview, the write, the move to another pathway version and the message
to the patient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from procedures.models import RepeatPolicy
from reminders.planner import Desired, Intent, Key

DROPPED = "dropped_from_plan"
STOPPED_BY_STAFF = "stopped_by_staff"

# Sent, or so far on its way that it may have been: never touched by planning.
_IN_HAND = frozenset({"claimed", "sent", "failed"})
_WAITING = frozenset({"planned", "retrying"})


class Change(StrEnum):
    """What happens to one reminder of the plan."""

    KEPT = "kept"
    MOVED = "moved"
    NEW = "new"
    DROPPED = "dropped"
    ALREADY_SENT = "already_sent"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True)
class Existing:
    """What the comparison needs of a stored row."""

    id: UUID
    step_id: UUID
    key: Key
    correction: int
    intent: Intent
    state: str
    reason: str
    valid_until: datetime
    is_essential: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a diff. `existing` is None for a new row, `desired` for a dropped one.

    `correction` is the number a new row gets: 0 for a first sending.
    """

    change: Change
    existing: Existing | None = None
    desired: Desired | None = None
    correction: int = 0
    asks: bool = False

    @property
    def key(self) -> Key:
        """Which reminder this is about. Raises ValueError for an item about nothing."""
        row = self.desired or self.existing
        if row is None:
            raise ValueError("An item is about an existing row, a desired one, or both.")
        return row.key

    @property
    def writes(self) -> bool:
        """Whether applying the diff changes a row for this item."""
        return self.change in {Change.MOVED, Change.NEW, Change.DROPPED} or (
            self.change is Change.TOO_LATE and self._is_news
        )

    @property
    def _is_news(self) -> bool:
        return (
            self.existing is None
            or self.desired is None
            or self.existing.state in _WAITING
            or self.existing.intent != self.desired.intent
        )


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything a new plan changes, in order of the moments."""

    items: list[Item] = field(default_factory=list)

    def of(self, change: Change) -> list[Item]:
        """The items of one kind."""
        return [item for item in self.items if item.change is change]

    @property
    def counts(self) -> dict[str, int]:
        """How many items there are of each kind, for every kind."""
        return {change.value: len(self.of(change)) for change in Change}

    @property
    def is_empty(self) -> bool:
        """Whether applying it would write nothing."""
        return not any(item.writes for item in self.items)


def compare(
    existing: Iterable[Existing], desired: Iterable[Desired], *, resend: frozenset[str] = frozenset()
) -> Diff:
    """What has to change so that the stored rows become the desired ones.

    What was sent, or is on its way, is never touched: where its date changed, the step's repeat
    policy decides whether a correction follows; `resend` holds the steps for which staff said yes.
    """
    stored: dict[Key, list[Existing]] = defaultdict(list)
    for row in existing:
        stored[row.key].append(row)
    items: list[Item] = []
    for wanted in desired:
        history = sorted(stored.pop(wanted.key, []), key=lambda row: row.correction)
        items += _of_one_key(history, wanted, resend)
    for rows in stored.values():
        items += [_without_desired(row) for row in rows]
    return Diff(sorted(items, key=_moment))


def _moment(item: Item) -> tuple[datetime, str, int]:
    intent = item.desired.intent if item.desired else item.existing.intent if item.existing else None
    if intent is None:
        raise ValueError("An item is about an existing row, a desired one, or both.")
    return (intent.moment, item.key.step, item.key.occurrence)


def _without_desired(row: Existing) -> Item:
    if row.state in _IN_HAND:
        return Item(Change.ALREADY_SENT, existing=row)
    if row.state in _WAITING:
        return Item(Change.DROPPED, existing=row)
    return Item(Change.KEPT, existing=row)


def _of_one_key(history: list[Existing], wanted: Desired, resend: frozenset[str]) -> list[Item]:
    if not history:
        change = Change.TOO_LATE if wanted.skipped else Change.NEW
        return [Item(change, desired=wanted)]
    *earlier, last = history
    items = [Item(Change.ALREADY_SENT, existing=row, desired=wanted) for row in earlier]
    if last.state in _IN_HAND:
        return [*items, *_after_sending(last, wanted, resend)]
    if earlier and earlier[-1].intent == wanted.intent:
        return [*items, _correction_not_needed(last, wanted)]
    return [*items, _not_sent_yet(last, wanted)]


def _correction_not_needed(last: Existing, wanted: Desired) -> Item:
    """The date moved back to what the recipient was told: an open correction would only confuse."""
    if last.state in _WAITING:
        return Item(Change.DROPPED, existing=last)
    return Item(Change.KEPT, existing=last, desired=wanted)


def _after_sending(last: Existing, wanted: Desired, resend: frozenset[str]) -> list[Item]:
    sent = Item(Change.ALREADY_SENT, existing=last, desired=wanted)
    if last.intent == wanted.intent or wanted.skipped:
        return [sent]
    policy = wanted.rule.repeat_policy
    if policy == RepeatPolicy.CORRECT or (policy == RepeatPolicy.ASK and wanted.rule.key in resend):
        return [sent, Item(Change.NEW, desired=wanted, correction=last.correction + 1)]
    asks = policy == RepeatPolicy.ASK
    return [Item(Change.ALREADY_SENT, existing=last, desired=wanted, asks=asks)]


def _not_sent_yet(last: Existing, wanted: Desired) -> Item:
    """A row that waits, or one that was laid aside and may come back when its moment changed."""
    same_moment = last.intent == wanted.intent
    if last.state in _WAITING:
        if same_moment:
            return Item(Change.KEPT, existing=last, desired=wanted)
        return Item(_moved_or_late(wanted), existing=last, desired=wanted)
    if last.reason == STOPPED_BY_STAFF:
        return Item(Change.KEPT, existing=last, desired=wanted)
    if last.state == "cancelled":
        return Item(_new_or_late(wanted), existing=last, desired=wanted)
    if same_moment:
        return Item(Change.KEPT, existing=last, desired=wanted)
    return Item(_new_or_late(wanted), existing=last, desired=wanted)


def _moved_or_late(wanted: Desired) -> Change:
    return Change.TOO_LATE if wanted.skipped else Change.MOVED


def _new_or_late(wanted: Desired) -> Change:
    return Change.TOO_LATE if wanted.skipped else Change.NEW
