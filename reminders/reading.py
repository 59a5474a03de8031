"""What a reader's pages are made of: the episodes with their dates, and the reader's own reminders in words.

Which of them stand on which page is in `today`, `timeline` and `history`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet, UUIDField
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import AnchorDate, Appointment, Episode, ImagingRequest, StepResponse
from patients.querysets import READER, asked_by
from portal.day_words import date_format
from portal.prepared import Blank, Listed, bring, prepared
from procedures.conditions import holds
from procedures.models import Category, Step, StepText
from reminders.emails import Unwritable, Writer
from reminders.models import Reminder
from reminders.planner import PORTAL_ONLY
from reminders.querysets import ReminderQuerySet

# Left out of the mail, and still of use on a page.
SHOWN_THOUGH_SKIPPED = frozenset({"already_done", "switched_off", "paused", PORTAL_ONLY})
_NEVER_SHOWN = frozenset({Reminder.State.CANCELLED})
# The same for a query: what `is_shown` shows, but for steps that do not apply to the patient any more.
MAY_BE_SHOWN = ~Q(state__in=_NEVER_SHOWN) & (
    ~Q(state=Reminder.State.SKIPPED) | Q(reason__in=SHOWN_THOUGH_SKIPPED)
)


class Answer(NamedTuple):
    """What was answered to one occurrence of a step, and when (UTC)."""

    answer: str
    answered_at: datetime


AnswerKey = tuple[UUID, str, int]


@dataclass(frozen=True, slots=True)
class Card:
    """One reminder as templates/components/step_item.html shows it."""

    title: str
    category: str
    category_label: str
    when: str
    todo: str
    body_html: SafeString | str
    why_url: str
    answer_url: str
    answer: str
    element_id: str
    form_url: str = ""
    exercises_url: str = ""
    language: str = ""


PATIENT = Blank("patient", UUIDField())
EPISODES = Listed("episodes", UUIDField())
STEPS = Listed("steps", UUIDField())


@prepared
def _episodes() -> QuerySet[Any, Episode]:
    rows = Episode.objects.own(READER).filter(patient=PATIENT)
    return rows.select_related("procedure", "version")


@prepared
def anchor_dates() -> QuerySet[Any, AnchorDate]:
    """The dates of some episodes."""
    return AnchorDate.objects.filter(episode__in=EPISODES)


@prepared
def _appointments() -> QuerySet[Any, Appointment]:
    rows = Appointment.objects.filter(episode__in=EPISODES).select_related("location")
    return rows.only(
        "episode_id",
        "kind",
        "local_date",
        "local_time",
        "status",
        "location__name",
        "location__address",
    )


@prepared
def _imaging_requests() -> QuerySet[Any, ImagingRequest]:
    return ImagingRequest.objects.filter(episode__in=EPISODES).select_related("step")


def episodes_of(care: Care, *, with_visits: bool = True) -> list[Episode]:
    """Every episode of the chosen patient with its dates, the newest first. Four queries, three without visits."""
    if care.patient is None:
        return []
    episodes = _episodes(**asked_by(care.reader), patient=care.patient.pk)
    ids = [row.pk for row in episodes]
    if ids:
        bring(episodes, "anchor_dates", anchor_dates(episodes=ids), "episode_id")
        if with_visits:
            bring(episodes, "appointments", _appointments(episodes=ids), "episode_id")
        bring(episodes, "imaging_requests", _imaging_requests(episodes=ids), "episode_id")
    for row in episodes:
        row.bring_anchors(row.anchors)
        row.patient = care.patient
    return episodes


def own_rows() -> ReminderQuerySet:
    """For a prepared query: the reader's reminders of some episodes, ready for `attach`."""
    return Reminder.objects.own(READER).filter(episode__in=EPISODES)


def asked_for(care: Care, episodes: Iterable[Episode]) -> dict[str, Any]:
    """The values of `own_rows`."""
    return {**asked_by(care.reader), "episodes": [row.pk for row in episodes]}


@prepared
def _texts() -> QuerySet[Any, StepText]:
    return StepText.objects.filter(step__in=STEPS)


def bring_texts(steps: Iterable[Step | None]) -> None:
    """Hand the steps their words. One query; none without steps."""
    owners = [step for step in steps if step is not None]
    if owners:
        ids = {step.pk for step in owners}
        bring(owners, "texts", _texts(steps=ids), "step_id")


def attach(care: Care, episodes: Iterable[Episode], rows: Iterable[Reminder]) -> list[Reminder]:
    """Give the rows the episodes and the reader that are at hand, so that neither is fetched again."""
    by_id = {episode.pk: episode for episode in episodes}
    attached = list(rows)
    reader = care.reader
    for row in attached:
        row.episode = by_id[row.episode_id]
        row.recipient = reader
        if row.appointment is not None:
            row.appointment.episode = row.episode
    return attached


def is_shown(row: Reminder, care: Care) -> bool:
    """Whether a page tells the reader to do this: not what was taken out, nor what does not apply any more."""
    if row.state in _NEVER_SHOWN:
        return False
    if row.state == Reminder.State.SKIPPED and row.reason not in SHOWN_THOUGH_SKIPPED:
        return False
    return row.step is None or holds(
        row.step.condition, row.episode.patient.attributes(_on(row, care))
    )


def _on(row: Reminder, care: Care) -> date:
    """The day at which the patient's age counts; the same as in the planner."""
    return row.episode.surgery_on or care.now.astimezone(row.episode.patient.clinic.zone).date()


@prepared
def _answers() -> QuerySet[Any, tuple[UUID, str, int, str, datetime]]:
    rows = StepResponse.objects.filter(episode__in=EPISODES)
    return rows.values_list("episode_id", "step__key", "occurrence", "answer", "answered_at")


def answers_of(episodes: Collection[Episode]) -> dict[AnswerKey, Answer]:
    """The answers to the steps of these episodes; done counts before a question. One query."""
    found: dict[AnswerKey, Answer] = {}
    rows = _answers(episodes=[row.pk for row in episodes]) if episodes else ()
    for episode_id, key, occurrence, answer, at in rows:
        known = found.get((episode_id, key, occurrence))
        if known is None or answer == StepResponse.Answer.DONE:
            found[episode_id, key, occurrence] = Answer(answer, at)
    return found


def answer_to(row: Reminder, answers: dict[AnswerKey, Answer]) -> str:
    """What was answered to this row, if anything."""
    found = answers.get((row.episode_id, row.step_key, row.occurrence))
    return found.answer if found else ""


def can_be_answered(row: Reminder) -> bool:
    """Whether there is something to do, and so to be done.

    A visit is no such thing: it is kept by coming, and all reminders of all visits of a kind share
    one answer.
    """
    return row.step is not None and row.appointment_id is None


def card(row: Reminder, writer: Writer, answer: str = "", when: str = "") -> Card:
    """One reminder in its reader's words; where they cannot be made, whom to ask."""
    try:
        item = writer.item(row)
        title, todo, body, language = item.title, item.todo, item.body_html, item.language
    except Unwritable:
        title, todo, body = str(Category(row.category).label), _call_us(), SafeString("")
        language = row.recipient.language
    return Card(
        title=title,
        category=row.category,
        category_label=str(Category(row.category).label),
        when=when,
        todo=todo,
        body_html=body,
        why_url=reverse("reminders:why", args=[row.pk]),
        answer_url=reverse("reminders:answer", args=[row.pk]) if can_be_answered(row) else "",
        answer=answer,
        element_id=f"step-{row.pk}",
        form_url=_form_url(row) if row.category == Category.CHECK_IN else "",
        exercises_url=reverse("patients:exercises") if _is_exercise(row) else "",
        language=language,
    )


def _form_url(row: Reminder) -> str:
    """The check-in about this very operation: there may be another one under way."""
    return f"{reverse('patients:check_in')}?episode={row.episode_id}"


def _is_exercise(row: Reminder) -> bool:
    """Whether this is about exercises at home, and not about a visit."""
    return row.category == Category.PHYSIOTHERAPY and can_be_answered(row)


def title(row: Reminder, writer: Writer) -> str:
    """The title of a reminder; where it has none, its category."""
    try:
        return writer.title(row)
    except Unwritable:
        return str(Category(row.category).label)


def _call_us() -> str:
    return _("Please call the clinic about this step.")


def day_in_words(day: date, today: date) -> str:
    """A day as people say it: today, tomorrow, or Monday 4 May."""
    distance = (day - today).days
    if distance == 0:
        return _("Today")
    if distance == 1:
        return _("Tomorrow")
    if distance == -1:
        return _("Yesterday")
    return date_format(day, "D j M" if day.year == today.year else "D j M Y")
