"""Plays time: lets each event happen, and each reminder go out, at its own moment and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from portal import clock
from reminders import pipeline
from reminders.models import Message, Reminder
from reminders.planning import plan_requested


@dataclass(order=True)
class Event:
    """Something that happens at `at` (UTC)."""

    at: datetime
    do: Callable[[datetime], object] = field(compare=False)


def play(events: Iterable[Event], *, since: datetime, until: datetime) -> Iterator[datetime]:
    """Go from moment to moment, after `since` and up to `until` (UTC), yielding each once it is done.

    Time only goes forward: what stays due because sending is stopped is left behind, not tried for ever.
    """
    waiting = sorted(events, reverse=True)
    moment = since
    while (upcoming := _next(waiting, moment, until)) is not None:
        moment = upcoming
        with clock.standing_at(moment):
            while waiting and waiting[-1].at <= moment:
                waiting.pop().do(moment)
            tick(moment)
        yield moment


def tick(moment: datetime) -> None:
    """What the three beat tasks do, at `moment` (UTC)."""
    plan_requested(now=moment)
    pipeline.dispatch(now=moment)
    pipeline.recover(now=moment)


def _next(waiting: list[Event], after: datetime, until: datetime) -> datetime | None:
    candidates = [_next_due(after, until)]
    if waiting and waiting[-1].at <= until:
        candidates.append(max(waiting[-1].at, after))
    moments = [moment for moment in candidates if moment is not None]
    return min(moments) if moments else None


def _next_due(after: datetime, until: datetime) -> datetime | None:
    """The moment of the next reminder that waits."""
    waiting = Reminder.objects.filter(
        state__in=("planned", "retrying"), due_at__gt=after, due_at__lte=until
    )
    return waiting.order_by("due_at").values_list("due_at", flat=True).first()


def sent_since(moment: datetime) -> Iterable[Message]:
    """The messages sent after `moment` (UTC), in the order they went."""
    return (
        Message.objects.filter(sent_at__gte=moment)
        .select_related("recipient", "clinic")
        .order_by("sent_at", "created_at", "id")
    )
