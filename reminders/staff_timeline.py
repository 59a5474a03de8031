"""Everything about one patient in the order of time, for staff: each source a function beside its right. Reads only.

To add a source: a function that yields entries, newest first, and its line in SOURCES.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

from django.db.models import Count
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.models import (
    Alert,
    Appointment,
    CheckIn,
    ConsentDecision,
    ExerciseLog,
    Hold,
    ImagingRequest,
    Note,
    Patient,
    Slip,
    StepResponse,
)
from patients.staff_trail import for_staff
from portal.models import AuditEvent, User
from portal.permissions import may
from reminders import reasons
from reminders.models import Message, Reminder
from reminders.staff_plan import title_of

# Of each source the newest so many: enough for years, and never a page without end.
MOST = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, or will. `at` is UTC."""

    at: datetime
    source: str
    label: str
    title: str
    detail: str = ""
    url: str = ""
    tone: str = ""


class Source(NamedTuple):
    """Where entries come from, and the right that sees them."""

    key: str
    label: str | Promise
    right: str
    entries: Callable[[Patient], Iterator[tuple[datetime, str, str, str, str]]]


def timeline_of(patient: Patient, user: User, shown: Collection[str] = ()) -> list[Entry]:
    """The entries of the sources that `user` may see, or of those in `shown`, newest first.

    One or two queries for each source.
    """
    sources = [row for row in sources_for(patient, user) if not shown or row.key in shown]
    found = [
        Entry(entry[0], source.key, str(source.label), *entry[1:])
        for source in sources
        for entry in source.entries(patient)
    ]
    return sorted(found, key=lambda entry: (entry.at, entry.source, entry.title), reverse=True)


def sources_for(patient: Patient, user: User) -> list[Source]:
    """The sources that `user` may see of this patient."""
    return [source for source in SOURCES if may(user, source.right, patient.clinic_id)]


Found = Iterator[tuple[datetime, str, str, str, str]]


def _plan(patient: Patient) -> Found:
    """What is planned or was left out; what was sent stands among the messages."""
    rows = Reminder.objects.filter(episode__patient=patient).exclude(state="sent")
    rows = rows.select_related("step", "recipient").prefetch_related("step__texts")
    for row in rows.order_by("-due_at")[:MOST]:
        language = patient.clinic.language
        title = title_of(row.step, language) if row.step else str(row.get_kind_display())
        why = reasons.for_staff(row.reason) if row.reason else ""
        detail = f"{row.get_state_display()}, {row.recipient}. {why}".strip()
        url = reverse("admin:reminders_reminder_change", args=[row.pk])
        yield row.due_at, title, detail, url, "bad" if row.state in {"failed", "missed"} else ""


def _messages(patient: Patient) -> Found:
    rows = Message.objects.filter(reminders__episode__patient=patient).distinct()
    rows = rows.select_related("recipient").defer(
        "own", "whole_html", "whole_text", "calendar", "headers"
    )
    for row in rows[:MOST]:
        at, url = row.sent_at or row.created_at, reverse("admin:message_page", args=[row.pk])
        detail = f"{row.get_state_display()}, {row.recipient}. {row.last_response}".strip()
        tone = "bad" if row.state == "failed" or row.bounced_at else "good"
        yield at, row.subject, detail, url, tone


def _visits(patient: Patient) -> Found:
    rows = Appointment.objects.filter(episode__patient=patient).select_related("location")
    for row in rows.order_by("-starts_at")[:MOST]:
        detail = f"{row.get_status_display()}. {row.location or ''}".strip()
        tone = "bad" if row.status == Appointment.Status.NO_SHOW else ""
        yield row.starts_at, str(row.get_kind_display()), detail, "", tone


def _check_ins(patient: Patient) -> Found:
    for row in CheckIn.objects.filter(episode__patient=patient).select_related("by")[:MOST]:
        yield (
            row.sent_at,
            _("Check-in by %(name)s") % {"name": row.by},
            row.signs,
            "",
            "bad" if row.flags else "",
        )


def _alerts(patient: Patient) -> Found:
    rows = Alert.objects.filter(patient=patient).select_related("acknowledged_by", "resolved_by")
    for row in rows[:MOST]:
        who = row.resolved_by or row.acknowledged_by or _("nobody yet")
        detail = _("seen to by %(name)s. %(note)s") % {"name": who, "note": row.note}
        url = reverse("admin:alert_page", args=[row.pk])
        yield row.raised_at, row.summary, detail, url, "bad" if row.is_open else ""


def _exercises(patient: Patient) -> Found:
    rows = ExerciseLog.objects.filter(prescription__episode__patient=patient)
    days = rows.values("on").annotate(n=Count("pk")).order_by("-on")[:MOST]
    for row in days:
        words = _("%(n)d rounds done") % {"n": row["n"]}
        yield _noon(row["on"]), words, "", "", "good"


def _smoking(patient: Patient) -> Found:
    rows = Slip.objects.filter(episode__patient=patient, withdrawn_at=None).order_by("-on")
    for row in rows[:MOST]:
        yield _noon(row.on), _("Smoked again"), "", "", "warn"


def _xrays(patient: Patient) -> Found:
    rows = ImagingRequest.objects.filter(episode__patient=patient, resulted_at__isnull=False)
    for row in rows.select_related("resulted_by").order_by("-resulted_at")[:MOST]:
        released = _("the patient can read it") if row.released_at else _("not released")
        detail = f"{row.result_note} ({row.resulted_by}; {released})"
        at = row.resulted_at or row.created_at
        yield at, _("X-ray result"), detail, reverse("admin:xray_result", args=[row.pk]), ""


def _consents(patient: Patient) -> Found:
    rows = ConsentDecision.objects.filter(episode__patient=patient).select_related("by")
    for row in rows[:MOST]:
        detail = f"{row.get_decision_display()}, {row.by}. {row.note}".strip()
        yield row.decided_at, row.title, detail, "", ""


def _answers(patient: Patient) -> Found:
    rows = StepResponse.objects.filter(episode__patient=patient)
    rows = rows.select_related("step", "by", "replied_by").prefetch_related("step__texts")
    for row in rows.order_by("-answered_at")[:MOST]:
        is_question = row.answer == StepResponse.Answer.QUESTION
        url = reverse("admin:question_answer", args=[row.pk]) if is_question else ""
        detail = f"{row.get_answer_display()}, {row.by}. {row.note} {row.reply}".strip()
        yield row.answered_at, title_of(row.step, patient.clinic.language), detail, url, ""


def _notes(patient: Patient) -> Found:
    for row in Note.objects.filter(patient=patient).select_related("by")[:MOST]:
        yield row.written_at, row.text, str(row.by), "", ""


def _holds(patient: Patient) -> Found:
    for row in Hold.objects.filter(episode__patient=patient).select_related("by", "lifted_by")[
        :MOST
    ]:
        yield (
            row.placed_at,
            _("Plan stopped in part: %(why)s") % {"why": row.reason},
            str(row.by),
            "",
            "warn",
        )
        if row.lifted_at:
            yield row.lifted_at, _("Plan goes on"), str(row.lifted_by), "", ""


def _looks(patient: Patient) -> Found:
    for row in AuditEvent.objects.of_patient(patient.every_id).order_by("-id")[:MOST]:
        yield row.recorded_at, row.actor_label, for_staff(row), "", ""


def _noon(day: Any) -> datetime:
    """A moment for what has a day alone."""
    return datetime.combine(day, time(12), UTC)


SOURCES = (
    Source("plan", gettext_lazy("Plan"), "reminder.view", _plan),
    Source("messages", gettext_lazy("Messages"), "message.view", _messages),
    Source("visits", gettext_lazy("Visits"), "appointment.view", _visits),
    Source("check_ins", gettext_lazy("Check-ins"), "checkin.view", _check_ins),
    Source("alerts", gettext_lazy("Alerts"), "alert.view", _alerts),
    Source("exercises", gettext_lazy("Exercises"), "exerciselog.view", _exercises),
    Source("smoking", gettext_lazy("Smoking"), "checkin.view", _smoking),
    Source("xrays", gettext_lazy("X-ray results"), "imagingrequest.view", _xrays),
    Source("consents", gettext_lazy("Consents"), "consentdecision.view", _consents),
    Source("answers", gettext_lazy("Answers and questions"), "stepresponse.view", _answers),
    Source("notes", gettext_lazy("Notes"), "note.view", _notes),
    Source("holds", gettext_lazy("Stopped by staff"), "hold.view", _holds),
    Source("looks", gettext_lazy("Who looked"), "auditevent.view", _looks),
)
