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
from typing import NamedTuple
from uuid import UUID

from procedures.models import RepeatPolicy
from reminders.planner import LATE_REPEAT, PORTAL_ONLY, TOO_LATE, Desired, Intent, Key

DROPPED = "dropped_from_plan"
STOPPED_BY_STAFF = "stopped_by_staff"

# Why planning itself laid a row aside; planning may take it up again.
_LAID_ASIDE = frozenset({DROPPED, TOO_LATE, PORTAL_ONLY, LATE_REPEAT})


class Change(StrEnum):
    """What happens to one reminder of the plan."""

    KEPT = "kept"
    MOVED = "moved"
    NEW = "new"
    DROPPED = "dropped"
    ALREADY_SENT = "already_sent"
    TOO_LATE = "too_late"


class Existing(NamedTuple):
    """What the comparison needs of a stored row."""

    id: UUID
    step_id: UUID | None
    key: Key
    correction: int
    intent: Intent
    state: str
    reason: str
    valid_until: datetime
    is_essential: bool
    category: str
    counted_from: str
    due_at: datetime
    message_id: UUID | None = None
    lease_until: datetime | None = None
    claimed_by: str = ""
    is_pinned: bool = False

    @property
    def in_hand(self) -> bool:
        """Whether it was sent, or is so far on its way that it may have been: planning leaves it alone."""
        return self.state == "sent" or (self.state == "claimed" and self.message_id is not None)

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent; also when a dispatcher has claimed it but made no mail of it yet."""
        return self.state in {"planned", "retrying", "claimed"} and not self.in_hand

    def told_otherwise(self, wanted: Desired) -> bool:
        """Whether its words spoke of another date or visit than the plan does now."""
        return bool(self.counted_from) and self.counted_from != wanted.counted_from


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a diff. `existing` is None for a new row, `desired` for a dropped one.

    `correction` is the number a new row gets: 0 for a first sending. Where staff chose otherwise, `pins` says
    that the row stays where it is put, and `stops` that it is stopped for good.
    """

    change: Change
    existing: Existing | None = None
    desired: Desired | None = None
    correction: int = 0
    asks: bool = False
    pins: bool = False
    stops: bool = False

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
        if self.change is Change.KEPT:
            return self.pins or self.refreshes
        return self.change in {Change.MOVED, Change.NEW, Change.DROPPED} or (
            self.change is Change.TOO_LATE and self._is_news
        )

    @property
    def refreshes(self) -> bool:
        """Whether a row keeps its moment but belongs to another step now, or is valid for another time."""
        row, wanted = self.existing, self.desired
        if self.change is not Change.KEPT or row is None or wanted is None or not row.waits:
            return False
        stored = (row.step_id, row.category, row.is_essential, row.counted_from, row.valid_until)
        rule = wanted.rule
        return stored != (
            rule.id, rule.category, rule.is_essential, wanted.counted_from, self.valid_until,
        )  # fmt: skip

    @property
    def valid_until(self) -> datetime | None:
        """Until when the row may be sent. What is late already may end earlier than stored, but never later."""
        row, wanted = self.existing, self.desired
        if row is None or wanted is None:
            return wanted.valid_until if wanted else None
        if (row.is_pinned or self.pins) and self.change is Change.KEPT:
            return row.valid_until
        if self.change is not Change.KEPT or not wanted.is_late:
            return wanted.valid_until
        return row.valid_until if wanted.skipped else min(row.valid_until, wanted.valid_until)

    @property
    def is_in_flight(self) -> bool:
        """Whether a mail that the plan no longer wants like this is with the mail server at this moment."""
        row, wanted = self.existing, self.desired
        if row is None or row.state != "claimed" or not row.in_hand:
            return False
        return wanted is None or row.intent != wanted.intent or row.told_otherwise(wanted)

    @property
    def _is_news(self) -> bool:
        return (
            self.existing is None
            or self.desired is None
            or self.existing.waits
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
    def is_in_flight(self) -> bool:
        """Whether it has to be compared again once the mails under way have arrived, or not."""
        return any(item.is_in_flight for item in self.items)

    @property
    def is_empty(self) -> bool:
        """Whether applying it would write nothing."""
        return not any(item.writes for item in self.items)


def compare(
    existing: Iterable[Existing],
    desired: Iterable[Desired],
    *,
    resend: frozenset[str] = frozenset(),
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
    intent = (
        item.desired.intent if item.desired else item.existing.intent if item.existing else None
    )
    if intent is None:
        raise ValueError("An item is about an existing row, a desired one, or both.")
    return (intent.moment, item.key.step, item.key.occurrence)


def _without_desired(row: Existing) -> Item:
    return _as_it_was(row, None)


def _as_it_was(row: Existing, wanted: Desired | None) -> Item:
    """A row that has no moment in the plan of its own: what was sent stays, what waits is dropped."""
    if row.in_hand:
        return Item(Change.ALREADY_SENT, existing=row, desired=wanted)
    if row.waits:
        return Item(Change.DROPPED, existing=row)
    return Item(Change.KEPT, existing=row, desired=wanted)


def _of_one_key(history: list[Existing], wanted: Desired, resend: frozenset[str]) -> list[Item]:
    if not history:
        change = Change.TOO_LATE if wanted.skipped else Change.NEW
        return [Item(change, desired=wanted)]
    *earlier, last = history
    # An earlier row can wait again when its mail was refused while the correction was planned.
    items = [_as_it_was(row, wanted) for row in earlier]
    if last.in_hand:
        return [*items, *_after_sending(last, wanted, resend)]
    told = [row for row in earlier if row.in_hand]
    if told and not told[-1].told_otherwise(wanted):
        # The date is back at what the reader was told: an open correction would only confuse.
        return [*items, _as_it_was(last, wanted)]
    return [*items, _not_sent_yet(last, wanted)]


def _after_sending(last: Existing, wanted: Desired, resend: frozenset[str]) -> list[Item]:
    sent = Item(Change.ALREADY_SENT, existing=last, desired=wanted)
    if wanted.skipped or not last.told_otherwise(wanted):
        return [sent]
    policy = wanted.rule.repeat_policy
    if policy == RepeatPolicy.CORRECT or (policy == RepeatPolicy.ASK and wanted.rule.key in resend):
        return [sent, Item(Change.NEW, desired=wanted, correction=last.correction + 1)]
    asks = policy == RepeatPolicy.ASK
    return [Item(Change.ALREADY_SENT, existing=last, desired=wanted, asks=asks)]


def _not_sent_yet(last: Existing, wanted: Desired) -> Item:
    """A row that waits, or one that was laid aside and may come back when its moment changed."""
    same_moment = last.intent == wanted.intent or last.is_pinned
    if last.waits:
        change = Change.TOO_LATE if wanted.skipped else Change.MOVED
        return Item(Change.KEPT if same_moment else change, existing=last, desired=wanted)
    if _stays(last, wanted, same_moment=same_moment):
        return Item(Change.KEPT, existing=last, desired=wanted)
    change = Change.TOO_LATE if wanted.skipped else Change.NEW
    return Item(change, existing=last, desired=wanted)


def _stays(last: Existing, wanted: Desired, *, same_moment: bool) -> bool:
    """Whether a row that came to its end stays as it ended.

    Staff's word is final. What planning laid aside comes back as soon as it can be sent; what was
    missed, refused or left out at the moment of sending only with a new moment to come.
    """
    if last.reason == STOPPED_BY_STAFF:
        return True
    if wanted.skipped:
        return last.reason not in _LAID_ASIDE
    return same_moment and last.state != "cancelled" and last.reason not in _LAID_ASIDE
