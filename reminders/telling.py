"""Plans notices: the one mail that says what the clinic changed, to each person who gets the patient's mail.

A notice is a reminder without a step. Its words are in `notices`; the states it goes through are the pipeline's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from patients.models import Appointment, Episode, StepResponse
from procedures.models import Category, Recipients
from reminders.inputs import read_episodes, sample_case
from reminders.models import Reminder
from reminders.planner import Case, Person, next_in_window, recipients
from reminders.querysets import ReminderQuerySet

GOOD_FOR = timedelta(days=7)
Kind = Reminder.Kind
# Notices of which only the last one counts, because all of them speak of the day of surgery.
_OF_THE_DATE = (Kind.SURGERY_MOVED, Kind.SURGERY_POSTPONED)
# What nobody has got: it waits, or a worker, which may be dead by now, has claimed it and not handed it over.
_UNREAD = Q(state__in=("planned", "retrying")) | Q(state="claimed", message=None)


def of_the_date(episode: Episode, before: date | None, on: date | None, now: datetime) -> None:
    """Tell that the day of surgery is another, or that it has none for now.

    A notice that nobody has got yet is replaced; where the date is back at what people know, nobody is
    told anything. A first date is no news, but the date after one that was taken away is. Nor is anybody told of
    a day that is past: that is entered once the operation is done.
    """
    notices = Reminder.objects.filter(episode=episode, kind__in=_OF_THE_DATE)
    unread = notices.filter(_UNREAD)
    first = unread.order_by("occurrence").values_list("context__old", flat=True).first()
    old = first or (str(before) if before else _taken_away(notices))
    _overtake(unread, now)
    is_known = str(on) == (first or str(before))
    if old is None or is_known or before == on or _is_over(episode, on, now):
        return
    kind, context = Kind.SURGERY_POSTPONED, {"old": old}
    if on is not None:
        kind, context = Kind.SURGERY_MOVED, {"old": old, "new": str(on)}
    _plan(episode, kind, context, notices.values("occurrence").distinct().count(), now)


def _is_over(episode: Episode, on: date | None, now: datetime) -> bool:
    """Whether the day is past or has come at the clinic: who is operated on need not be told when, by mail."""
    return on is not None and on <= now.astimezone(episode.patient.clinic.zone).date()


def _taken_away(notices: Any) -> str | None:
    """The day that people were last told is off, while they have heard of no other."""
    last = notices.exclude(state=Reminder.State.CANCELLED).order_by("-occurrence").first()
    return last.context["old"] if last and last.kind == Kind.SURGERY_POSTPONED else None


def _overtake(notices: ReminderQuerySet, now: datetime) -> None:
    notices.update(
        state=Reminder.State.CANCELLED, reason="overtaken", settled_at=now, lease_until=None
    )


def of_a_cancellation(episode: Episode, surgery_on: date, now: datetime) -> None:
    """Tell that an operation will not take place; what people have not been told of its date is left out."""
    notices = Reminder.objects.filter(episode=episode, kind__in=_OF_THE_DATE)
    _overtake(notices.filter(_UNREAD), now)
    _plan(episode, Kind.SURGERY_CANCELLED, {"old": str(surgery_on)}, 0, now)


def of_news(episode: Episode, kind: str, now: datetime) -> None:
    """Tell that there is something to read in the login. A notice of the kind that waits already speaks for both."""
    notices = Reminder.objects.filter(episode=episode, kind=kind)
    waiting = notices.filter(state__in=("planned", "retrying"))
    spared = frozenset(waiting.values_list("recipient_id", flat=True))
    number = notices.values("occurrence").distinct().count()
    _plan(episode, kind, {}, number, now, spared=spared, is_essential=False)


def of_a_reply(question: StepResponse, now: datetime) -> None:
    """Tell whoever asked a question that it has an answer, if they may still read about the patient."""
    (read,) = read_episodes([question.episode_id])
    case = sample_case(read.patient, read.anchors, now)
    notices = Reminder.objects.filter(episode=read, kind=Kind.QUESTION_ANSWERED)
    Reminder.objects.bulk_create(
        _notice(
            read, person, case, now, kind=Kind.QUESTION_ANSWERED, is_essential=False,
            occurrence=notices.count(), context={"question": str(question.pk)},
        )
        for person in case.people
        if person.id == question.by_id and read.patient.is_contactable
    )  # fmt: skip


def _plan(
    episode: Episode,
    kind: str,
    context: dict[str, str],
    number: int,
    now: datetime,
    *,
    spared: frozenset[UUID] = frozenset(),
    is_essential: bool = True,
) -> None:
    (read,) = read_episodes([episode.pk])
    case = sample_case(read.patient, read.anchors, now)
    Reminder.objects.bulk_create(
        _notice(
            read, person, case, now, kind=kind, occurrence=number, context=context, is_essential=is_essential,
        )
        for person in _audience(read, case, now)
        if person.id not in spared
    )  # fmt: skip


def of_visits_called_off(episodes: Iterable[Episode], now: datetime) -> None:
    """Tell once of each visit to come that was called off. Fetch the episodes with `read_episodes`.

    The mail carries the calendar's CANCEL with the raised SEQUENCE (RFC 5546), so that the entry goes away.
    One query, and one more where there is something to tell; none where no visit was called off.
    """
    off = [(row, visit) for row in episodes for visit in _called_off(row, now)]
    if not off:
        return
    rows = Reminder.objects.filter(
        kind=Kind.VISIT_CANCELLED, episode__in={row.pk for row, _ in off}
    )
    told = set(rows.values_list("episode_id", "appointment_id"))
    numbers: Counter[UUID] = Counter(episode_id for episode_id, _ in told)
    notices: list[Reminder] = []
    for row, visit in off:
        if (row.pk, visit.pk) not in told:
            notices += _of_visit(row, visit, numbers[row.pk], now)
            numbers[row.pk] += 1
    Reminder.objects.bulk_create(notices)


def _called_off(episode: Episode, now: datetime) -> Iterable[Appointment]:
    for visit in episode.appointments.all():
        if visit.status == Appointment.Status.CANCELLED and visit.starts_at > now:
            yield visit


def _of_visit(
    episode: Episode, visit: Appointment, number: int, now: datetime
) -> Iterable[Reminder]:
    case = sample_case(episode.patient, episode.anchors, now)
    for person in _audience(episode, case, now):
        yield _notice(
            episode, person, case, now, kind=Kind.VISIT_CANCELLED, occurrence=number,
            appointment_id=visit.pk, valid_until=min(visit.starts_at, now + GOOD_FOR),
        )  # fmt: skip


def _audience(episode: Episode, case: Case, now: datetime) -> list[Person]:
    """The people a step without wishes of its own would go to today; nobody where nobody may be written to."""
    if not episode.patient.is_contactable:
        return []
    return recipients(Recipients.DEFAULT, case, case.today(now))


def _notice(episode: Episode, person: Person, case: Case, now: datetime, **fields: Any) -> Reminder:
    due_at = next_in_window(now, person.zone, case.window)
    local = due_at.astimezone(ZoneInfo(person.zone))
    defaults: dict[str, Any] = {"valid_until": now + GOOD_FOR, "is_essential": True}
    return Reminder(
        episode=episode, recipient_id=person.id, category=Category.APPOINTMENT,
        local_date=local.date(), local_time=local.time().replace(microsecond=0), time_zone=person.zone,
        due_at=due_at, created_at=now, **(defaults | fields),
    )  # fmt: skip
