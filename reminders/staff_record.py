"""One patient on one screen: what the page shows, read in a constant number of queries. Nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.adherence import Adherence, adherence_of
from patients.consents import Standing, standings_of
from patients.models import (
    Alert,
    Appointment,
    CheckIn,
    Episode,
    Hold,
    Patient,
    RelatedPerson,
    StepResponse,
)
from patients.smoke_free import SmokeFree, smoke_free_of
from patients.staff_trail import for_staff
from patients.trends import SHOWN as COURSE_SHOWN
from patients.trends import trends_of
from portal import clock
from portal.day_words import date_format
from portal.models import AuditEvent, Invitation, User
from portal.permissions import RIGHTS, may
from reminders import reasons
from reminders.models import Message, Reminder, Suppression
from reminders.staff_plan import held_words, title_of

CHECK_INS_SHOWN = 12
MESSAGES_SHOWN = 30
READS_SHOWN = 30
WEEKS_APART = timedelta(weeks=4)

_TONES = {
    Reminder.State.SENT: "good",
    Reminder.State.FAILED: "bad",
    Reminder.State.MISSED: "bad",
    Reminder.State.RETRYING: "warn",
    Reminder.State.CLAIMED: "info",
    Reminder.State.PLANNED: "info",
}


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One reminder as a line of the plan."""

    reminder: Reminder
    title: str
    why: str

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _TONES.get(Reminder.State(self.reminder.state), "")

    @property
    def is_off(self) -> bool:
        """Whether nothing will come of it any more."""
        return self.reminder.state in {Reminder.State.SKIPPED, Reminder.State.CANCELLED}


@dataclass(slots=True)
class PlanWeek:
    """The lines of one week of the calendar, or further away of one month."""

    title: str
    rows: list[PlanRow] = field(default_factory=list)


@dataclass(slots=True)
class EpisodePart:
    """One operation on the patient's page."""

    episode: Episode
    countdown: str
    ahead: list[PlanWeek]
    past: list[PlanWeek]
    has_milestones: bool
    holds: list[tuple[Hold, str]]


@dataclass(frozen=True, slots=True)
class Login:
    """One person who gets mail about the patient, and whether it can reach them."""

    user: User
    has_signed_in: bool
    suppression: UUID | None
    invitation: Invitation | None

    @property
    def is_waiting(self) -> bool:
        """Whether an invitation is open."""
        return self.invitation is not None and not self.has_signed_in


def rights_of(user: User, patient: Patient) -> dict[str, bool]:
    """Every right at the patient's clinic, under a name that templates can say: `episode_move`."""
    return {right.replace(".", "_"): may(user, right, patient.clinic_id) for right in RIGHTS}


def record_of(patient: Patient, user: User) -> dict[str, Any]:
    """What the patient's page shows to somebody with these rights."""
    rights = rights_of(user, patient)
    now = clock.now()
    today = now.astimezone(patient.clinic.zone).date()
    links = list(patient.related_people.select_related("user"))
    live = [link for link in links if link.is_live(today)]
    parts = _episodes(patient, today, with_plan=rights["reminder_view"])
    return {
        "patient": patient,
        "rights": rights,
        "age": patient.age_on(today),
        "is_child": patient.is_child_on(today),
        "carers": links,
        "live_carers": live,
        "logins": _logins(patient, live),
        "episodes": parts,
        "appointments": _appointments(patient) if rights["appointment_view"] else [],
        "messages_sent": _messages(patient) if rights["message_view"] else [],
        **(_check_ins(patient) if rights["checkin_view"] else {}),
        "exercises": _exercises(patient, today) if rights["prescription_view"] else None,
        "smoke_free": _smoke_free(patient, parts, today) if rights["slip_view"] else None,
        "consents": _consents(patient, parts, today) if rights["consentdecision_view"] else [],
        "answers": _answers(patient) if rights["stepresponse_view"] else [],
        "reads": _reads(patient) if rights["auditevent_view"] else [],
        "now": now,
        "today": today,
    }


def _logins(patient: Patient, links: Iterable[RelatedPerson]) -> list[Login]:
    users = [*([patient.user] if patient.user else []), *(link.user for link in links)]
    addresses = {user.email for user in users}
    closed = dict(
        Suppression.objects.filter(address__in=addresses, lifted_at=None).values_list(
            "address", "pk"
        )
    )
    newest: dict[Any, Invitation] = {}
    rows = Invitation.objects.filter(user__in=users, withdrawn_at=None).order_by("created_at")
    for invitation in rows:
        newest[invitation.user_id] = invitation
    return [
        Login(
            user,
            _has_come(user, newest.get(user.pk)),
            closed.get(user.email),
            newest.get(user.pk),
        )
        for user in users
    ]


def _has_come(user: User, invitation: Invitation | None) -> bool:
    """Whether somebody has signed in, or at least chosen a password."""
    return user.last_login is not None or bool(invitation and invitation.accepted_at)


def _episodes(patient: Patient, today: date, *, with_plan: bool) -> list[EpisodePart]:
    rows = Episode.objects.filter(patient=patient).select_related(
        "procedure", "version__pathway", "version__clinic", "surgeon"
    )
    rows = rows.prefetch_related(
        "anchor_dates", "version__steps", "imaging_requests__appointment",
        Prefetch("holds", Hold.objects.standing().select_related("by")),
    )  # fmt: skip
    reminders = _reminders(patient) if with_plan else {}
    return [_part(episode, patient, reminders.get(episode.pk, []), today) for episode in rows]


def _part(
    episode: Episode, patient: Patient, reminders: list[Reminder], today: date
) -> EpisodePart:
    rows = [_plan_row(row, patient.clinic.language) for row in reminders]
    monday = today - timedelta(days=today.weekday())
    ahead = [row for row in rows if row.reminder.local_date >= monday]
    titles = {row.reminder.step_key: row.title for row in rows}
    past = [row for row in reversed(rows) if row.reminder.local_date < monday]
    return EpisodePart(
        episode=episode,
        countdown=countdown(episode.surgery_on, today),
        ahead=_weeks(ahead, monday),
        past=_weeks(past, monday),
        has_milestones=any(":" in step.anchor for step in episode.version.steps.all()),
        holds=[(row, held_words(row, titles)) for row in episode.holds.all()],
    )


def _reminders(patient: Patient) -> dict[Any, list[Reminder]]:
    rows = Reminder.objects.filter(episode__patient=patient).select_related("step", "recipient")
    found: dict[Any, list[Reminder]] = defaultdict(list)
    for row in rows.prefetch_related("step__texts").order_by("local_date", "local_time", "id"):
        found[row.episode_id].append(row)
    return found


def _plan_row(row: Reminder, language: str) -> PlanRow:
    title = title_of(row.step, language) if row.step else str(row.get_kind_display()).capitalize()
    return PlanRow(row, title, reasons.reason(row.reason) if row.reason else "")


def _weeks(rows: Iterable[PlanRow], this_monday: date) -> list[PlanWeek]:
    weeks: dict[str, PlanWeek] = {}
    for row in rows:
        title = _stretch(row.reminder.local_date, this_monday)
        weeks.setdefault(title, PlanWeek(title)).rows.append(row)
    return list(weeks.values())


def _stretch(day: date, this_monday: date) -> str:
    """The name of the week that a day lies in; from four weeks ahead on, of the month."""
    monday = day - timedelta(days=day.weekday())
    if monday == this_monday:
        return _("This week")
    if monday > this_monday + WEEKS_APART:
        return date_format(day, "F Y")
    return f"{date_format(monday, 'j M')} – {date_format(monday + timedelta(days=6), 'j M Y')}"


def countdown(day: date | None, today: date) -> str:
    """How far away surgery is, or how long ago it was."""
    if day is None:
        return _("no date yet")
    distance = (day - today).days
    if distance == 0:
        return _("today")
    if distance > 0:
        return ngettext("in %(n)d day", "in %(n)d days", distance) % {"n": distance}
    return ngettext("%(n)d day ago", "%(n)d days ago", -distance) % {"n": -distance}


def _appointments(patient: Patient) -> list[Appointment]:
    rows = Appointment.objects.filter(episode__patient=patient).select_related("location")
    rows = rows.prefetch_related("move_requests")
    return list(rows.order_by("-starts_at"))


def _messages(patient: Patient) -> list[Message]:
    rows = Message.objects.filter(reminders__episode__patient=patient).distinct()
    return list(
        rows.select_related("recipient").defer("own", "whole_html", "whole_text", "calendar")[
            :MESSAGES_SHOWN
        ]
    )


def _check_ins(patient: Patient) -> dict[str, Any]:
    """The newest check-ins, the courses they show, and the alerts that are open. Two queries."""
    rows = CheckIn.objects.filter(episode__patient=patient).select_related("by")
    newest = list(rows[:COURSE_SHOWN])
    alerts = Alert.objects.open().filter(patient=patient).select_related("acknowledged_by")
    return {
        "check_ins": newest[:CHECK_INS_SHOWN],
        "trends": trends_of(newest),
        "alerts": list(alerts.most_pressing_first()),
    }


def _exercises(patient: Patient, today: date) -> Adherence:
    return adherence_of(patient, today, patient.clinic.language)


def _smoke_free(patient: Patient, parts: Iterable[EpisodePart], today: date) -> SmokeFree | None:
    """The way of the episode under way, or the last, for who smokes or has stopped. Two queries at most."""
    found = [part.episode for part in parts]
    episode = next((row for row in found if row.is_open), next(iter(found), None))
    if episode is None or not (patient.uses_nicotine or "quit" in episode.anchors):
        return None
    return smoke_free_of(episode, today)


def _consents(patient: Patient, parts: Iterable[EpisodePart], today: date) -> list[Standing]:
    """Each consent of each operation and what was decided. Two queries, and none without an operation."""
    episodes = [part.episode for part in parts]
    for episode in episodes:
        episode.patient = patient
    return standings_of(episodes, patient.clinic.language, today)


def _answers(patient: Patient) -> list[Any]:
    rows = StepResponse.objects.filter(episode__patient=patient).select_related(
        "step", "by", "replied_by"
    )
    found: list[Any] = list(rows.prefetch_related("step__texts").order_by("-answered_at"))
    for row in found:
        row.title = title_of(row.step, patient.clinic.language)
    return found


def _reads(patient: Patient) -> list[tuple[AuditEvent, str]]:
    """The newest events about the patient, each with its words."""
    rows = AuditEvent.objects.of_patient(patient.every_id).order_by("-id")[:READS_SHOWN]
    return [(row, for_staff(row)) for row in rows]
