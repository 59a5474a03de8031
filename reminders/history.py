"""The pages about mail: what was sent to a reader, what comes next, what was not sent, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import CharField, Count, DateField, F, IntegerField, Q, QuerySet, UUIDField
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import Episode, StepResponse
from patients.querysets import NOW, READER, Reader, asked_by
from portal import clock
from portal.addresses import address
from portal.models import User
from portal.prepared import Blank, Listed, bring, prepared
from procedures.models import Step
from reminders.emails import Writer, label_of
from reminders.models import Decision, Message, Reminder
from reminders.reading import (
    anchor_dates,
    asked_for,
    attach,
    bring_texts,
    day_in_words,
    own_rows,
    title,
)
from reminders.reasons import SILENT, audience, decision, event, reason, repetition, rule, state

TODAY = Blank("today", DateField())
PATIENT = Blank("patient", UUIDField())
REMINDERS = Listed("reminders", UUIDField())
PK = Blank("pk", UUIDField())
# Of a mail: what no list and no explanation shows.
_BULKY = ("own", "whole_text", "whole_html", "headers", "calendar")
MAILS_A_PAGE = 15
NEXT_SHOWN = 6
NOT_SENT_SHOWN = 10
_NOT_SENT = (
    Reminder.State.SKIPPED, Reminder.State.MISSED, Reminder.State.FAILED, Reminder.State.CANCELLED,
)  # fmt: skip
_UNREAD = tuple(
    f"step__{field.name}"
    for field in Step._meta.concrete_fields
    if field.name not in {"id", "key", "category"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One reminder in a list: its title, its day in words, and why it was not sent, if it was not."""

    title: str
    category: str
    category_label: str
    when: str
    url: str
    why: str = ""
    language: str = ""


class Mail(NamedTuple):
    """A mail in the list of those that were sent; `sent_at` is UTC."""

    id: UUID
    subject: str
    sent_at: datetime
    category_label: str


def mails_of(care: Care, start: int, stop: int) -> list[Mail]:
    """The mails sent to the reader about the chosen patient, the newest first, from a place up to another."""
    if care.patient is None:
        return []
    if start == 0 and stop == MAILS_A_PAGE + 1:
        rows = _newest(**asked_by(care.reader), patient=care.patient.pk)
    else:
        rows = list(_sent(care.reader, care.patient.pk)[start:stop])
    return [Mail(pk, subject, at, label_of(category)) for pk, subject, at, category in rows]


def _sent(reader: User | Reader, patient: UUID | Blank) -> QuerySet[Any, tuple[Any, ...]]:
    carried = Reminder.objects.filter(episode__patient=patient, message__isnull=False)
    rows = Message.objects.own(reader).filter(id__in=carried.order_by().values("message_id"))
    rows = rows.filter(state=Message.State.SENT).order_by("-sent_at", "id")
    return rows.values_list("id", "subject", "sent_at", "category")


@prepared
def _newest() -> QuerySet[Any, tuple[Any, ...]]:
    return _sent(READER, PATIENT)[: MAILS_A_PAGE + 1]


def lines(care: Care, episodes: Collection[Episode]) -> tuple[list[Line], list[Line]]:
    """What will be sent next, each step once; and what did not go out, with its reason, the latest first.

    Which these are is asked first, for a step that comes daily has many rows: four queries.
    """
    asked = asked_for(care, episodes)
    first_of_each: dict[str, UUID] = {}
    for pk, step in _coming(**asked):
        first_of_each.setdefault(step or str(pk), pk)
    coming = list(first_of_each.values())[:NEXT_SHOWN]
    not_sent = _not_sent(**asked, today=care.today)
    rows = attach(care, episodes, _rows(**asked, reminders=[*coming, *not_sent]))
    bring_texts(row.step for row in rows)
    by_id, writer = {row.pk: row for row in rows}, Writer()
    return (
        [_line(by_id[pk], care.today, writer) for pk in coming],
        [_line(by_id[pk], care.today, writer, reason(by_id[pk].reason)) for pk in not_sent],
    )


@prepared
def _coming() -> QuerySet[Any, tuple[UUID, str]]:
    own = own_rows().open().filter(valid_until__gt=NOW)
    # Some more than are shown, for a step that comes daily counts once.
    return own.order_by("due_at", "id").values_list("id", "step_key")[: NEXT_SHOWN * 5]


@prepared
def _not_sent() -> QuerySet[Any, UUID]:
    own = own_rows().filter(state__in=_NOT_SENT).exclude(reason__in=SILENT)
    rows = own.filter(Q(local_date__lte=TODAY) | Q(reason="stopped_by_staff"))
    return rows.order_by("-due_at", "id").values_list("id", flat=True)[:NOT_SENT_SHOWN]


@prepared
def _rows() -> QuerySet[Any, Reminder]:
    """Rows of a list. Of their steps a list shows nothing but the title, which is among the texts."""
    rows = own_rows().filter(id__in=REMINDERS).order_by()
    return rows.select_related("appointment__location", "step").defer(*_UNREAD)


def held_back(reader: User) -> int:
    """How many mails a pause held back in the last eight weeks. One query."""
    lately = clock.today() - timedelta(weeks=8)
    return sum(_held_back(**asked_by(reader), today=lately))


@prepared
def _held_back() -> QuerySet[Any, int]:
    rows = Reminder.objects.own(READER).filter(reason="paused", state=Reminder.State.SKIPPED)
    by_category = rows.filter(local_date__gte=TODAY).order_by().values("category")
    return by_category.values_list(Count("pk"), flat=True)


def _line(row: Reminder, today: date, writer: Writer, why: str = "") -> Line:
    return Line(
        title=title(row, writer),
        category=row.category,
        category_label=label_of(row.category),
        when=day_in_words(row.local_date, today),
        url=address("reminders:why", row.pk),
        why=why,
        language=writer.language(row),
    )


def one_of(reader: User, pk: UUID) -> Reminder | None:
    """One reminder of the reader's own, with its step, visit and mail, and the `patient_id` it is about. One query."""
    return next(iter(_one(**asked_by(reader), pk=pk)), None)


@prepared
def _one() -> QuerySet[Any, Reminder]:
    rows = Reminder.objects.own(READER).filter(pk=PK)
    rows = rows.select_related("step", "appointment__location", "message")
    return rows.annotate(patient_id=F("episode__patient_id")).defer(
        "step__loaded", *(f"message__{part}" for part in _BULKY)
    )


def bring_decisions(row: Reminder) -> None:
    """Hand a reminder the log of what was decided about it. One query."""
    bring([row], "decisions", _decisions(pk=row.pk), "reminder_id")


@prepared
def _decisions() -> QuerySet[Any, Decision]:
    return Decision.objects.filter(reminder=PK)


def question_about(row: Reminder, reader: User) -> StepResponse | None:
    """The question about this very step, with what the clinic answered, if there is one. One query."""
    asked = {"episode": row.episode_id, "step": row.step_key, "occurrence": row.occurrence}
    return next(iter(_questions(**asked_by(reader), **asked)), None)


@prepared
def _questions() -> QuerySet[Any, StepResponse]:
    asked = StepResponse.objects.own(READER).filter(
        episode=Blank("episode", UUIDField()),
        step__key=Blank("step", CharField()),
        occurrence=Blank("occurrence", IntegerField()),
    )
    return asked.filter(answer=StepResponse.Answer.QUESTION).order_by("pk")[:1]


def mail_of(reader: User, pk: UUID) -> Message | None:
    """One mail to the reader, with its clinic. One query."""
    return next(iter(_mail(**asked_by(reader), pk=pk)), None)


@prepared
def _mail() -> QuerySet[Any, Message]:
    rows = Message.objects.own(READER).filter(pk=PK).select_related("clinic", "sheet")
    return rows.defer("headers", "calendar")


def patients_of(mail: Message) -> list[UUID]:
    """The keys of the patients that a mail is about. One query."""
    return _about(pk=mail.pk)


@prepared
def _about() -> QuerySet[Any, UUID]:
    rows = Reminder.objects.filter(message=PK).order_by()
    return rows.values_list("episode__patient_id", flat=True).distinct()


def rows_of(mail: Message, reader: User) -> list[Reminder]:
    """What a mail carried of the reader's own, with what its words need. Three queries."""
    rows = _carried(**asked_by(reader), pk=mail.pk)
    episodes = {row.episode_id: row.episode for row in rows}
    if rows:
        dates = anchor_dates(episodes=list(episodes))
        bring(episodes.values(), "anchor_dates", dates, "episode_id")
        bring_texts(row.step for row in rows)
    for row in rows:
        row.episode, row.recipient = episodes[row.episode_id], reader
    return rows


@prepared
def _carried() -> QuerySet[Any, Reminder]:
    rows = Reminder.objects.own(READER).filter(message=PK).order_by("due_at", "id")
    rows = rows.select_related(
        "step", "appointment__location", "episode__procedure", "episode__patient__clinic"
    )
    return rows.defer("step__loaded", "episode__procedure__loaded")


def carried_by(rows: Collection[Reminder], care: Care) -> list[Line]:
    """What one mail carried, with why it came, in a sentence or two. Reads each row's episode, procedure and words."""
    writer = Writer()
    return [_line(row, care.today, writer, " ".join(_because(row))) for row in rows]


def _because(row: Reminder) -> list[str]:
    """The rule that put it there; of a notice, that something changed."""
    if row.step is None:
        return _origin(row)
    return [_("It comes: %(rule)s.") % {"rule": _lower_first(rule(row.step))}]


@dataclass(frozen=True, slots=True)
class Why:
    """The answer to “why did I get this?”, in sentences, and the log of what was decided and when (UTC)."""

    sentences: list[str]
    log: list[tuple[datetime, str]]


def why(row: Reminder, care: Care) -> Why:
    """Explain one reminder to its recipient."""
    log = [(entry.decided_at, decision(entry)) for entry in row.decisions.all()]
    return Why([*_origin(row), *_addressee(row, care), state(row)], log)


def _origin(row: Reminder) -> list[str]:
    if row.step is None:
        return [_("The clinic changed something in your plan, and tells you so.")]
    sentences = [
        _("It is a step of the plan for %(procedure)s.") % {"procedure": row.episode.procedure}
    ]
    sentences.append(_("It comes: %(rule)s.") % {"rule": _lower_first(rule(row.step))})
    again = repetition(row.step)
    for_whom = audience(row.step)
    if again:
        sentences.append(again)
    if for_whom:
        sentences.append(_("It is %(for_whom)s.") % {"for_whom": ", ".join(for_whom)})
    return sentences


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _addressee(row: Reminder, care: Care) -> list[str]:
    if care.is_own:
        return [_("It comes to you because you are the patient.")]
    name = row.episode.patient.name
    return [_("It comes to you because you look after %(name)s.") % {"name": name}]


def counted_from(row: Reminder) -> tuple[str, date] | None:
    """The event that the step counts from, and its day, where there is one."""
    if row.step is None:
        return None
    if row.appointment is not None:
        return event("appointment"), row.appointment.local_date
    on = row.episode.anchors.get(row.step.anchor)
    return (event(row.step.anchor), on) if on else None
