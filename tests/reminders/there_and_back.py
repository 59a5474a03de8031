"""What waits before and after the day of surgery went to another day and back, planned each time, at one moment."""

from datetime import date, datetime, time
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from patients.models import Episode
from reminders.models import Reminder
from reminders.planner import LATE_REPEAT, Intent, next_in_window
from tests.reminders.on_paper import ENDED


class Key(NamedTuple):
    """What makes a reminder the one it is, within an episode."""

    step: str
    occurrence: int
    reader: str
    visit: UUID | None


class Waiting(NamedTuple):
    """One row that nobody has got, and of which no mail is under way."""

    local_date: date
    local_time: time
    zone: str
    counted_from: str
    due_at: datetime
    valid_until: datetime

    @property
    def moment(self) -> datetime:
        return Intent(self.local_date, self.local_time, self.zone).moment

    @property
    def is_as_planned(self) -> bool:
        """Neither sent early by staff, nor waiting for another try, nor planned when it was late."""
        return self.due_at == self.moment


class Plan(NamedTuple):
    """The stored plan of one episode: what waits, and why each of the others does not."""

    waiting: dict[Key, Waiting]
    others: dict[Key, set[tuple[str, str]]]

    @classmethod
    def of(cls, episode: Episode) -> "Plan":
        waiting: dict[Key, Waiting] = {}
        others: dict[Key, set[tuple[str, str]]] = {}
        rows = Reminder.objects.filter(episode=episode, kind="step").select_related("recipient")
        waits = Q(state__in=("planned", "retrying")) | Q(state="claimed", message=None)
        for row in rows.filter(waits):
            waiting[_key(row)] = Waiting(
                row.local_date, row.local_time, row.time_zone, row.counted_from, row.due_at, row.valid_until
            )  # fmt: skip
        for row in rows.exclude(waits):
            others.setdefault(_key(row), set()).add((row.state, row.reason))
        return cls(waiting, others)


def _key(row: Reminder) -> Key:
    return Key(row.step_key, row.occurrence, row.recipient.email, row.appointment_id)


def not_restored(before: Plan, after: Plan, now: datetime, window: tuple[time, time]) -> list[str]:
    """What waits otherwise than before, and should not. `before` is a plan that is up to date."""
    lost = [
        f"{key} waited as {was} and now {after.waiting.get(key)} {after.others.get(key)}"
        for key, was in before.waiting.items()
        if not _is_restored(key, was, after, now, window)
    ]
    # What was missed, refused or left out has another chance at a new moment, and keeps it when that is moved back.
    return lost + [
        f"{key} waits as {row}, and did not"
        for key, row in after.waiting.items()
        if key not in before.waiting
        and not any(state in ENDED for state, _ in before.others.get(key, ()))
    ]


def _is_restored(
    key: Key, was: Waiting, after: Plan, now: datetime, window: tuple[time, time]
) -> bool:
    row = after.waiting.get(key)
    if was.moment <= now:
        return row is not None or _is_past(key, was, after, now, window)
    if row is None or row[:4] != was[:4]:
        return False
    # A moment that staff or another try gave it was for the mail that was moved away: it gets its own again.
    return row == was or (row.is_as_planned and not was.is_as_planned)


def _is_past(key: Key, was: Waiting, after: Plan, now: datetime, window: tuple[time, time]) -> bool:
    """Whether what was late already is rightly given up: the plan that moves it back looks at it as a new one.

    It could not have gone any more, or a later one of its series has come up meanwhile.
    """
    if next_in_window(now, was.zone, window) >= was.valid_until:
        return True
    return ("skipped", LATE_REPEAT) in after.others.get(key, ())
