"""What a diff means to the people who get the mail: which dates moved, and which steps moved, came or went. Pure.

A row for each occurrence is the planner's business; to a reader a step that comes daily is one thing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict
from uuid import UUID

from reminders.diff import Change, Diff, Item


class News(TypedDict, total=False):
    """What one recipient is told of a change, as JSON holds it. Days are ISO 8601; moments too, in UTC.

    `dates` are the events that steps count from (an anchor, or a visit's key), as people were told of them and as they
    are now; `visits_off` the keys of visits without a place in the plan any more; the others are keys of steps.
    """

    dates: dict[str, tuple[str, str]]
    visits_off: list[str]
    moved: list[tuple[str, str, str]]
    new: list[str]
    dropped: list[str]
    is_other_version: bool


def news_of(diff: Diff) -> dict[str, News]:
    """For each recipient's key what changed. Empty for a first plan, and where only times of day change."""
    if diff.is_empty or not any(item.existing for item in diff.items):
        return {}
    items: dict[UUID, list[Item]] = defaultdict(list)
    for item in diff.items:
        items[item.key.recipient_id].append(item)
    # Who is new to the plan is shown it whole, and not as news.
    found = {
        str(key): _news(rows) for key, rows in items.items() if any(row.existing for row in rows)
    }
    return {key: news for key, news in found.items() if news}


def _news(items: Sequence[Item]) -> News:
    news = News()
    if dates := _dates(items):
        news["dates"] = dates
    steps: dict[tuple[UUID | None, str], list[Item]] = defaultdict(list)
    for item in items:
        steps[item.key.appointment_id, item.key.step].append(item)
    for (visit, step), rows in steps.items():
        if visit is None:
            _add_step(news, step, rows)
        elif _is_dropped(rows) and str(visit) not in news.get("visits_off", ()):
            news.setdefault("visits_off", []).append(str(visit))
    if news and any(map(_is_other_version, items)):
        news["is_other_version"] = True
    return news


def _dates(items: Sequence[Item]) -> dict[str, tuple[str, str]]:
    """The events that steps count from, where their date became another.

    Of what was sent only what is corrected now counts: the rest speaks of dates that changed long ago.
    """
    corrected = {item.key: item.correction for item in items if item.correction}
    found = {}
    for item in items:
        row, wanted = item.existing, item.desired
        if row is None or wanted is None or not row.told_otherwise(wanted):
            continue
        if row.waits or row.correction + 1 == corrected.get(item.key):
            visit = item.key.appointment_id
            event = str(visit) if visit else wanted.rule.anchor
            found[event] = row.counted_from, wanted.counted_from
    return found


def _add_step(news: News, step: str, items: Sequence[Item]) -> None:
    if move := next(filter(None, map(_move, items)), None):
        news.setdefault("moved", []).append((step, *move))
    elif all(item.change is Change.NEW for item in items):
        news.setdefault("new", []).append(step)
    elif _is_dropped(items):
        news.setdefault("dropped", []).append(step)


def _move(item: Item) -> tuple[str, str] | None:
    """The day before and after; None where the day stays."""
    row, wanted = item.existing, item.desired
    if item.change is not Change.MOVED or row is None or wanted is None:
        return None
    if row.intent.local_date == wanted.intent.local_date:
        return None
    return str(row.intent.local_date), str(wanted.intent.local_date)


def _is_dropped(items: Sequence[Item]) -> bool:
    has_gone = any(item.change is Change.DROPPED for item in items)
    return has_gone and not any(item.desired for item in items)


def _is_other_version(item: Item) -> bool:
    """Whether a row that waits comes from a step of another version than before; a step belongs to one."""
    row, wanted = item.existing, item.desired
    if row is None or wanted is None:
        return False
    return row.waits and row.step_id != wanted.rule.id
