"""What staff choose otherwise in a diff, step by step, before the one confirm. Pure: no database, no clock.

A choice lasts: a row that is kept or sent anyway is pinned, and planning leaves it there for as long as it has a
place in the plan; one that is dropped is stopped by staff, and planning does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from reminders.diff import Change, Diff, Item


class Choice(StrEnum):
    """What staff want instead of what the plan proposes."""

    KEEP = "keep"
    SEND = "send"
    DROP = "drop"


# Choices by what would happen to a step, and the step's key.
Choices = Mapping[tuple[Change, str], Choice]
NONE: Choices = {}


def offered(item: Item, diff: Diff) -> tuple[Choice, ...]:
    """What can be chosen instead for one item; nothing for what is past changing."""
    match item.change:
        case Change.MOVED:
            return (Choice.KEEP, Choice.DROP)
        case Change.NEW:
            return (Choice.DROP,)
        case Change.TOO_LATE:
            return (Choice.SEND,)
        case Change.ALREADY_SENT:
            return (Choice.SEND,) if _can_follow(item, diff) else ()
        case Change.KEPT if item.existing and item.existing.waits:
            return (Choice.DROP,)
    return ()


def _can_follow(item: Item, diff: Diff) -> bool:
    """Whether what was sent told of another date than the new one, and nothing follows it yet."""
    row, wanted = item.existing, item.desired
    if row is None or wanted is None or not row.told_otherwise(wanted):
        return False
    return all(other.key != item.key or _number(other) <= row.correction for other in diff.items)


def _number(item: Item) -> int:
    return item.existing.correction if item.existing else item.correction


def overridden(diff: Diff, choices: Choices, now: datetime) -> Diff:
    """The diff as staff chose it. `now` is UTC; a choice that is not offered changes nothing."""
    items = [chosen for item in diff.items for chosen in _chosen(item, diff, choices, now)]
    return Diff(items) if choices else diff


def _chosen(item: Item, diff: Diff, choices: Choices, now: datetime) -> Iterator[Item]:
    choice = choices.get((item.change, item.key.step))
    if choice is None or choice not in offered(item, diff):
        yield item
    elif choice is Choice.KEEP:
        yield Item(Change.KEPT, existing=item.existing, desired=item.desired, pins=True)
    elif choice is Choice.SEND:
        yield from _sent_anyway(item, now)
    elif item.change is Change.NEW:
        yield replace(item, stops=True)
    else:
        yield Item(Change.DROPPED, existing=item.existing, stops=True)


def _sent_anyway(item: Item, now: datetime) -> Iterator[Item]:
    wanted, row = item.desired, item.existing
    if wanted is None:
        raise ValueError("Only what the plan names can be sent anyway.")
    if wanted.skipped:
        wanted = replace(wanted, skipped="", due_at=now, valid_until=now + wanted.rule.valid_for)
    if item.change is Change.ALREADY_SENT and row is not None:
        yield replace(item, asks=False)
        yield Item(Change.NEW, desired=wanted, correction=row.correction + 1, pins=True)
    else:
        yield Item(Change.NEW, existing=row, desired=wanted, correction=item.correction, pins=True)
