"""The plan of the state machine's family as somebody would write it into a calendar: from dates and facts alone.

It knows nothing of the planner. Only days are compared, and only those to come: what is late is another matter.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from patients.models import Episode, RelatedPerson
from portal.models import User
from reminders.models import Reminder

# What ended so stays so when its day comes: it was tried, or let pass, on that day.
ENDED = {"failed", "missed", "skipped"}


class Entry(NamedTuple):
    """One line of the calendar, but for its day."""

    step: str
    occurrence: int
    reader: str
    visit: UUID | None = None


def on_paper(episode: Episode) -> dict[Entry, date]:
    """Every mail that the episode's facts call for, with its day."""
    patient = episode.patient
    if not episode.is_open or patient.deceased_on or patient.is_restricted:
        return {}
    return {
        Entry(step, occurrence, user.email, visit): day
        for step, occurrence, readers, day, visit in _lines(episode)
        for user in readers
    }


def _lines(episode: Episode) -> Iterator[tuple[str, int, list[User], date, UUID | None]]:
    patient = episode.patient
    links = RelatedPerson.objects.filter(patient=patient, ended_at=None).select_related("user")
    child = [patient.user] if patient.user else []
    parents = [link.user for link in links] or child
    everybody = list({*parents, *child})
    dates = dict(episode.anchor_dates.values_list("anchor", "on"))
    if decision := dates.get("decision"):
        yield "insurer", 0, parents, after(decision, 1), None
    if surgery := dates.get("surgery"):
        pack_bag = episode.version.steps.get(key="pack-bag").offset_value
        yield "pack-bag", 0, everybody, after(surgery, pack_bag), None
        yield "day-before", 0, parents, after(surgery, -1), None
        for week in range(4 if patient.uses_nicotine else 0):
            yield "smoke-free", week, parents, after(surgery, 7 * week - 28), None
    if discharge := dates.get("discharge"):
        yield "wound", 0, parents, after(discharge, 3), None
        for day in range(5):
            yield "exercises", day, everybody, after(discharge, 1 + day), None
    for visit in episode.appointments.booked().filter(kind="xray"):
        yield "xray-visit", 0, everybody, after(visit.local_date, -1), visit.pk


def after(day: date, days: int) -> date:
    """The day so many days later, or earlier."""
    return day + timedelta(days=days)


def differences(episode: Episode, today: date) -> list[str]:
    """Where the stored plan of the days after `today` is not the one on paper. Plan first."""
    paper = {entry: day for entry, day in on_paper(episode).items() if day > today}
    histories: dict[Entry, list[Reminder]] = {}
    rows = Reminder.objects.filter(episode=episode, kind="step").select_related("recipient")
    for row in rows.order_by("correction"):
        entry = Entry(row.step_key, row.occurrence, row.recipient.email, row.appointment_id)
        histories.setdefault(entry, []).append(row)
    missing = [
        f"{entry} is not planned for {day}"
        for entry, day in paper.items()
        if not _accounts_for(histories.get(entry, []), day)
    ]
    planned = {entry: history[-1] for entry, history in histories.items()}
    return missing + [
        f"{entry} is planned for {row.local_date}, nobody knows why"
        for entry, row in planned.items()
        if row.state in {"planned", "retrying"} and not row.is_pinned and row.local_date > today
        and paper.get(entry) != row.local_date
    ]  # fmt: skip


def _accounts_for(history: list[Reminder], day: date) -> bool:
    """Whether these rows are what a mail of that day should have come to."""
    if any(row.state in {"sent", "claimed"} or row.is_pinned for row in history):
        return True
    last = history[-1] if history else None
    if last is None:
        return False
    if last.reason == "stopped_by_staff":
        return True
    return last.local_date == day and last.state in {"planned", "retrying", *ENDED}
