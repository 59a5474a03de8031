"""What changed lately, on the page “My plan”: the plan's own changes in words, day by day, the latest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import DateTimeField, QuerySet, UUIDField
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import Appointment, Episode
from portal.day_words import date_format
from portal.prepared import Blank, prepared
from reminders.changes import News
from reminders.emails import Writer
from reminders.models import PlanChange, Reminder
from reminders.reading import title
from reminders.reasons import event

SHOWN_FOR = timedelta(days=60)
MOST = 20
# Steps named in one line; the others are counted.
NAMED = 5


class Named(NamedTuple):
    """A step by its title, with its new day in words where it moved."""

    title: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that changed: a sentence, or what happened to the steps below it. `more` counts those not named."""

    text: str
    steps: Sequence[Named] = ()
    more: int = 0


@dataclass(slots=True)
class Changes:
    """What changed on one local day."""

    on: date
    lines: list[Line] = field(default_factory=list)


EPISODE, SINCE = Blank("episode", UUIDField()), Blank("since", DateTimeField())


@prepared
def _news() -> QuerySet[Any, tuple[datetime, dict[str, News]]]:
    rows = PlanChange.objects.filter(episode=EPISODE, created_at__gte=SINCE)
    return rows.values_list("created_at", "news")[:MOST]


def changes_of(care: Care, episode: Episode, rows: Iterable[Reminder]) -> list[Changes]:
    """The changes of the last weeks that the reader is told of. `rows` are the reader's own. One query.

    The rows are looked at only where something changed.
    """
    kept = _news(episode=episode.pk, since=care.now - SHOWN_FOR)
    if not kept:
        return []
    by_key, days = {row.step_key: row for row in rows}, dict[date, Changes]()
    names = _Names(by_key, Writer(), {str(row.pk): row for row in episode.appointments.all()})
    for created_at, news in kept:
        lines = list(_lines(news.get(str(care.reader.pk), {}), names, care))
        if lines:
            on = created_at.astimezone(care.zone).date()
            days.setdefault(on, Changes(on)).lines += lines
    return list(days.values())


@dataclass(frozen=True, slots=True)
class _Names:
    """What steps and visits are called, by their keys."""

    rows: Mapping[str, Reminder]
    writer: Writer
    visits: Mapping[str, Appointment]

    def of_steps(self, keys: Iterable[str]) -> list[Named]:
        """The titles of steps, each once and without those that were never the reader's."""
        titles = (title(self.rows[key], self.writer) for key in keys if key in self.rows)
        return [Named(one) for one in dict.fromkeys(titles)]

    def of_moved(self, moves: Iterable[tuple[str, str, str]]) -> list[Named]:
        """The same of steps that moved, with their new first day."""
        return [
            one._replace(when=_day(date.fromisoformat(new)))
            for key, _old, new in moves
            for one in self.of_steps([key])
        ]

    def of_dropped(self, keys: Iterable[str]) -> list[Named]:
        """The same of steps that were taken out, but for those that went because they are done."""
        return self.of_steps(key for key in keys if not self._ends_by_itself(key))

    def _ends_by_itself(self, key: str) -> bool:
        row = self.rows.get(key)
        return row is None or row.step is None or bool(row.step.ends_when)


def _lines(news: News, names: _Names, care: Care) -> Iterator[Line]:
    if news.get("is_other_version"):
        yield Line(_("The clinic has a newer version of this plan, and yours follows it now."))
    for key, (old, new) in news.get("dates", {}).items():
        yield Line(_moved_event(key, old, new, names, care))
    for key in news.get("visits_off", ()):
        if key in names.visits:
            visit = names.visits[key]
            values = {"visit": visit.get_kind_display(), "day": _day(visit.local_date)}
            yield Line(_("%(visit)s on %(day)s: called off.") % values)
    yield from _steps(news, names)


def _moved_event(key: str, old: str, new: str, names: _Names, care: Care) -> str:
    visit = names.visits.get(key)
    what = visit.get_kind_display() if visit else _sentence(event(key))
    values = {"what": what, "old": _moment(old, care), "new": _moment(new, care)}
    return _("%(what)s: moved from %(old)s to %(new)s.") % values


def _steps(news: News, names: _Names) -> Iterator[Line]:
    moved = _("These moved with it:") if news.get("dates") else _("These moved:")
    new = _("New:") if news.get("is_other_version") else _("These have a date now:")
    words: Mapping[str, list[Named]] = {
        moved: names.of_moved(news.get("moved", ())),
        new: names.of_steps(news.get("new", ())),
        _("No longer in your plan:"): names.of_dropped(news.get("dropped", ())),
    }
    for text, steps in words.items():
        if steps:
            yield Line(text, steps[:NAMED], max(0, len(steps) - NAMED))


def _moment(text: str, care: Care) -> str:
    """A day, or the local time of a visit."""
    if "T" not in text:
        return _day(date.fromisoformat(text))
    return date_format(datetime.fromisoformat(text).astimezone(care.zone), "D j M Y, H:i")


def _day(day: date) -> str:
    return date_format(day, "D j M Y")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
