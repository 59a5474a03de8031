"""What would go, and what not, if sending were on: to be looked at before it is switched on again. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reminders import gates
from reminders.models import Decision, Reminder

# More than this need no list, but a decision about the whole.
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Expected:
    """One reminder that is or will be due, and what the gates say of it. `at` is UTC."""

    reminder: Reminder
    at: datetime
    verdict: gates.Verdict

    @property
    def goes(self) -> bool:
        """Whether it would go."""
        return self.verdict.outcome == Decision.Outcome.SEND


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected up to a moment. `waiting` is how many are due in all, listed or not."""

    waiting: int
    overdue: int
    expected: list[Expected] = field(default_factory=list)

    @property
    def going(self) -> list[Expected]:
        """What would go."""
        return [each for each in self.expected if each.goes]

    @property
    def mails(self) -> int:
        """How many mails that makes: what is overdue goes in one mail to each person, the rest by its moment."""
        return len(
            {
                (each.reminder.recipient_id, each.reminder.episode.patient.clinic_id, each.at)
                for each in self.going
            }
        )

    @property
    def by_category(self) -> Counter[str]:
        """How many reminders would go, by category."""
        return Counter(each.reminder.category for each in self.going)

    @property
    def held_back(self) -> Counter[str]:
        """How many would not go just then, by the gate that objects."""
        return Counter(each.verdict.gate for each in self.expected if not each.goes)


def outlook(*, now: datetime, within: timedelta = timedelta(hours=1)) -> Outlook:
    """What would go from `now` (UTC) on. A constant number of queries; at most MOST reminders are listed."""
    due = Reminder.objects.due(now + within)
    rows = list(
        due.select_related(
            "step", "recipient", "appointment", "episode__patient__clinic", "episode__patient__user"
        ).prefetch_related("episode__anchor_dates")[:MOST]
    )
    overdue = Reminder.objects.due(now - timedelta(minutes=1)).count()
    return Outlook(due.count(), overdue, list(_expected(rows, now)))


def of_one(row: Reminder, now: datetime) -> Expected:
    """What becomes of one reminder that is asked about at `now` (UTC), whenever it is due."""
    return Expected(row, now, gates.decide(row, gates.Surroundings.of([row], now)))


def _expected(rows: list[Reminder], now: datetime) -> Iterator[Expected]:
    around = gates.Surroundings.of(rows, now)
    for row in rows:
        at = max(now, row.due_at)
        yield Expected(row, at, gates.decide(row, replace(around, now=at)))
