"""The page “Today”: what to do, what is still open, what comes next and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, DateField, DateTimeField, F, Q, QuerySet, When, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.actions.notes import today_at
from patients.care import Care
from patients.exercise_days import done_on
from patients.models import Appointment, Episode, ImagingRequest, StepResponse
from patients.models.wishes import bring_wishes
from patients.querysets import NOW
from portal.day_words import date_format
from portal.prepared import Blank, prepared
from reminders.emails import Writer
from reminders.gates import is_daily
from reminders.models import Reminder
from reminders.planner import PORTAL_ONLY
from reminders.reading import (
    EPISODES,
    MAY_BE_SHOWN,
    Card,
    answer_to,
    answers_of,
    asked_for,
    attach,
    bring_texts,
    card,
    day_in_words,
    episodes_of,
    is_shown,
    own_rows,
)

# What was planned too late to be mailed stays on the page this long.
PORTAL_ONLY_STAYS = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Countdown:
    """Days to or since the day of surgery, in the parts that components/countdown.html shows."""

    number: int | None  # None on the day itself: words alone
    label: str
    date: str


@dataclass(slots=True)
class Today:
    """What the page shows. Without an open episode, `episode` is None and most of it empty."""

    care: Care
    episode: Episode | None = None
    latest: Episode | None = None
    countdown: Countdown | None = None
    due: list[Card] = field(default_factory=list)
    still_open: list[Card] = field(default_factory=list)
    following: Card | None = None
    appointment: Appointment | None = None
    window: ImagingRequest | None = None

    @property
    def cards(self) -> list[Card]:
        """Everything on the page that comes from the catalogue."""
        return [*self.due, *self.still_open, *([self.following] if self.following else [])]

    @property
    def waits_for_discharge(self) -> bool:
        """Whether steps are still without a date because nobody has entered the day of going home."""
        if self.episode is None or self.episode.surgery_on is None:
            return False
        return (
            self.episode.surgery_on <= self.care.today and "discharge" not in self.episode.anchors
        )


def build(care: Care) -> Today:
    """Gather the page of one reader. A constant number of queries."""
    episodes = episodes_of(care, with_visits=False)
    going = [episode for episode in episodes if episode.is_open]
    page = Today(care, going[0] if going else None, episodes[0] if episodes else None)
    if not going:
        return page
    _add_steps(page, going)
    page.appointment = _next_appointment(care, going)
    if page.appointment:
        bring_wishes([page.appointment])
    if care.has_full_view:
        page.countdown = countdown(care, page.episode)
        page.window = _next_window(care, going)
    return page


def _add_steps(page: Today, episodes: list[Episode]) -> None:
    care = page.care
    rows = [row for row in _rows(care, episodes) if is_shown(row, care)]
    answers, writer = answers_of(episodes), Writer()
    exercised = _exercised(care, rows)
    for row in (row for row in rows if row.local_date <= care.today):
        answer = answer_to(row, answers)
        is_today = row.local_date == care.today
        if is_today or answer != StepResponse.Answer.DONE:
            shown = card(row, writer, answer, day_in_words(row.local_date, care.today))
            shown = _ticked(shown, row, exercised)
            (page.due if is_today else page.still_open).append(shown)
    ahead = [row for row in rows if row.local_date > care.today]
    if ahead:
        page.following = card(ahead[0], writer, "", day_in_words(ahead[0].local_date, care.today))


def _ticked(shown: Card, row: Reminder, exercised: set[UUID]) -> Card:
    """The card as done, where it was done by ticks on the list of exercises: no answer is there to take back."""
    if shown.answer or not is_daily(row) or row.episode_id not in exercised:
        return shown
    return replace(shown, answer=StepResponse.Answer.DONE, answer_url="")


def _exercised(care: Care, rows: Iterable[Reminder]) -> set[UUID]:
    """The episodes whose exercises of today are ticked off; asked where a row waits for them. One query at most."""
    asked = {row.episode_id for row in rows if is_daily(row)}
    if not asked or care.patient is None:
        return set()
    return done_on(asked, today_at(care.patient.clinic, care.now))


TODAY = Blank("today", DateField())
MADE_SINCE = Blank("made_since", DateTimeField())


# Of a step that comes again and again, the last time only: nobody does last week's exercises. What is no step
# stands by itself, and so does the one that comes next.
_FROM_LATEST = Window(
    RowNumber(),
    partition_by=[
        F("episode_id"), F("step_key"), Case(When(step_key="", then=F("id"))), F("appointment_id"),
        Case(When(local_date__gt=TODAY, then=1), default=0),
    ],
    order_by=[F("local_date").desc(), F("local_time").desc(), F("id").desc()],
)  # fmt: skip


@prepared
def _wanted() -> QuerySet[Any, Reminder]:
    """What is for today, what still holds of the days before, and the first one that comes after."""
    ahead = own_rows().open().filter(local_date__gt=TODAY).order_by("due_at", "id")
    wanted = own_rows().filter(
        MAY_BE_SHOWN,
        Q(local_date=TODAY)
        | Q(local_date__lt=TODAY, valid_until__gt=NOW)
        | Q(reason=PORTAL_ONLY, created_at__gt=MADE_SINCE)
        | Q(id=ahead.values("id")[:1]),
    )
    rows = wanted.annotate(from_latest=_FROM_LATEST).filter(from_latest=1)
    return rows.select_related("appointment__location", "step").order_by(
        "local_date", "local_time", "id"
    )


def _rows(care: Care, episodes: list[Episode]) -> list[Reminder]:
    asked = asked_for(care, episodes) | {"today": care.today, "now": care.now}
    found = _wanted(**asked, made_since=care.now - PORTAL_ONLY_STAYS)
    bring_texts(row.step for row in found)
    return attach(care, episodes, found)


def countdown(care: Care, episode: Episode | None) -> Countdown | None:
    """Days to or since surgery, counted by the reader's own calendar."""
    surgery_on = episode.surgery_on if episode else None
    if surgery_on is None:
        return None
    days = (surgery_on - care.today).days
    if days == 0:
        label = _("Your surgery is today") if care.is_own else _("Surgery is today")
    elif days > 0:
        label = ngettext("day until surgery", "days until surgery", days)
    else:
        label = ngettext("day since surgery", "days since surgery", -days)
    return Countdown(abs(days) or None, label, date_format(surgery_on, "l j F Y"))


def _next_appointment(care: Care, episodes: list[Episode]) -> Appointment | None:
    found = _next_visits(episodes=[row.pk for row in episodes], now=care.now)
    return next(iter(found), None)


@prepared
def _next_visits() -> QuerySet[Any, Appointment]:
    rows = Appointment.objects.filter(episode__in=EPISODES, starts_at__gte=NOW).booked()
    return rows.select_related("location").order_by("starts_at", "id")[:1]


def _next_window(care: Care, episodes: list[Episode]) -> ImagingRequest | None:
    """The next X-ray that nobody has booked yet."""
    due = [
        row
        for episode in episodes
        for row in episode.imaging_requests.all()
        if row.status == ImagingRequest.Status.DUE and row.window_until >= care.today
    ]
    return min(due, key=lambda row: row.window_from, default=None)
