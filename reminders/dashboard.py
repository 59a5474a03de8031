"""Today: what needs a person at the clinics of whoever asks, for the first page of the staff admin.

Each worklist is read only for those who may act on it, in a constant number of queries however
long it is; it shows the first rows and links to the whole list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from patients.consents import open_questions
from patients.models import (
    Alert,
    AnchorDate,
    ConsentDecision,
    Episode,
    ImagingRequest,
    MoveRequest,
    Patient,
    RelatedPerson,
    StepResponse,
)
from portal import audit, clock, heartbeat
from portal.day_words import date_format
from portal.models import Invitation, User
from portal.permissions import may, within
from procedures.models import PathwayVersion
from reminders import pacing, reasons
from reminders.models import Reminder, Suppression
from reminders.staff_plan import title_of
from reminders.staff_record import countdown

SHOWN = 8
SURGERY_SOON = timedelta(days=14)
BOOK_AHEAD = timedelta(weeks=2)
REVIEW_SOON = timedelta(days=30)
LOOK_BACK = timedelta(days=14)
INVITED_LONG_AGO = timedelta(days=3)


class Entry(NamedTuple):
    """One line of a worklist: whom or what, where it leads, a word about it, and how pressing it is."""

    text: str
    url: str
    detail: str
    tone: str = ""


@dataclass(slots=True)
class Worklist:
    """One card of the page. `more` leads to the whole list; `quiet` is what an empty one says."""

    title: str | Promise
    quiet: str | Promise
    more: str = ""
    entries: list[Entry] = field(default_factory=list)
    is_longer: bool = False
    patients: list[Patient] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who asks, and when."""

    user: User
    now: datetime

    @property
    def today(self) -> date:
        """The day, in UTC; clinics of one person rarely lie days apart."""
        return self.now.date()


def today(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's first page what waits for somebody at the clinics of whoever asks."""
    if not isinstance(request.user, User):
        return context
    scene = Scene(request.user, clock.now())
    lists = [make(scene) for right, make in WORKLISTS if may(scene.user, right)]
    rows = {(patient.clinic, patient.pk) for worklist in lists for patient in worklist.patients}
    audit.note_list(request, "today.list", by=scene.user, rows=rows)
    return {**context, "title": _("Today"), "worklists": lists, "machine": machine(scene.now)}


def machine(now: datetime) -> dict[str, Any]:
    """How the machine is: how late the oldest due reminder is, when it last ran, and whether a server refuses us."""
    oldest = Reminder.objects.due(now).values_list("due_at", flat=True).first()
    age = heartbeat.age("dispatch")
    return {
        "overdue_since": timesince(oldest, now) if oldest else "",
        "is_late": bool(oldest and now - oldest > timedelta(minutes=15)),
        "beat": _("never") if age is None else _("%(n)d s ago") % {"n": age.total_seconds()},
        "is_still": age is None or age > timedelta(minutes=5),
        "channel": pacing.stopped(),
    }


def _fill(
    worklist: Worklist, rows: Any, entry: Callable[[Any], tuple[Entry, Patient | None]]
) -> Worklist:
    found = list(rows[: SHOWN + 1])
    worklist.is_longer = len(found) > SHOWN
    for row in found[:SHOWN]:
        line, patient = entry(row)
        worklist.entries.append(line)
        if patient is not None:
            worklist.patients.append(patient)
    return worklist


def _page(patient: Patient, part: str = "") -> str:
    return reverse("admin:patient_page", args=[patient.pk]) + (f"#{part}" if part else "")


def alerts(scene: Scene) -> Worklist:
    """Warning signs that nobody has acknowledged yet, the most pressing first."""
    rows = _scoped(Alert.objects.new(), scene, "alert.view").most_pressing_first()

    def entry(row: Alert) -> tuple[Entry, Patient]:
        url = reverse("admin:alert_page", args=[row.pk])
        words = _("%(sign)s, %(time)s ago") % {
            "sign": row.summary,
            "time": timesince(row.raised_at, scene.now),
        }
        return Entry(
            row.patient.name, url, words, "" if row.severity == "call" else "bad"
        ), row.patient

    more = reverse("admin:patients_alert_changelist") + "?state=new"
    worklist = Worklist(_("Alerts to acknowledge"), _("No alert waits for anybody."), more)
    return _fill(worklist, rows.select_related("patient__clinic"), entry)


def surgery_soon(scene: Scene) -> Worklist:
    """Operations of the next 14 days."""
    rows = AnchorDate.objects.filter(
        anchor="surgery", on__range=(scene.today, scene.today + SURGERY_SOON),
        episode__in=_scoped(Episode.objects.open(), scene, "episode.view"),
    ).select_related("episode__patient__clinic", "episode__procedure").order_by("on", "id")  # fmt: skip

    def entry(row: AnchorDate) -> tuple[Entry, Patient]:
        episode = row.episode
        what = f"{episode.procedure.name}, {episode.get_side_display()}"
        words = f"{date_format(row.on, 'D j M')} ({countdown(row.on, scene.today)})"
        return Entry(
            episode.patient.name, _page(episode.patient), f"{words}: {what}"
        ), episode.patient

    more = reverse("admin:patients_episode_changelist") + "?when=soon"
    return _fill(
        Worklist(_("Surgery in the next 14 days"), _("No surgery in the next 14 days."), more),
        rows,
        entry,
    )


def xrays_to_book(scene: Scene) -> Worklist:
    """X-rays to book, those whose window is over first."""
    rows = _scoped(ImagingRequest.objects.to_book(), scene, "imagingrequest.view")
    rows = rows.filter(
        window_from__lte=scene.today + BOOK_AHEAD, episode__patient__deceased_on=None
    )
    rows = rows.select_related("episode__patient__clinic").order_by("window_until", "id")

    def entry(row: ImagingRequest) -> tuple[Entry, Patient]:
        patient = row.episode.patient
        is_over = row.window_until < scene.today
        words = _("overdue since %(day)s") if is_over else _("due by %(day)s")
        detail = words % {"day": date_format(row.window_until, "j M Y")}
        return Entry(
            patient.name, _page(patient, "xrays"), detail, "bad" if is_over else ""
        ), patient

    return _fill(
        Worklist(_("X-rays to book"), _("No X-ray waits for a booking."), reverse("admin:xrays")),
        rows,
        entry,
    )


def not_sent(scene: Scene) -> Worklist:
    """Reminders that failed or were missed in the last 14 days."""
    rows = _scoped(Reminder.objects.all(), scene, "reminder.view")
    rows = rows.filter(state__in=("failed", "missed"), settled_at__gte=scene.now - LOOK_BACK)
    rows = rows.select_related("episode__patient__clinic", "step").prefetch_related("step__texts")

    def entry(row: Reminder) -> tuple[Entry, Patient]:
        patient = row.episode.patient
        title = (
            title_of(row.step, patient.clinic.language) if row.step else str(row.get_kind_display())
        )
        url = reverse("admin:reminders_reminder_change", args=[row.pk])
        words = f"{title} ({date_format(row.local_date, 'j M')}): {reasons.reason(row.reason)}"
        return Entry(patient.name, url, words, "bad" if row.is_essential else ""), patient

    more = reverse("admin:reminders_reminder_changelist") + "?when=failed"
    worklist = Worklist(
        _("Reminders that did not go"), _("Everything went out in the last 14 days."), more
    )
    return _fill(worklist, rows.order_by("-is_essential", "-settled_at"), entry)


def unreachable(scene: Scene) -> Worklist:
    """Patients with an open episode whom no mail reaches, or who never accepted their invitation."""
    live = RelatedPerson.objects.filter(patient=OuterRef("pk")).live(scene.today)
    closed = Suppression.objects.filter(lifted_at=None).values("address")
    accepted = Invitation.objects.filter(user=OuterRef("user"), accepted_at__isnull=False)
    rows = _scoped(Patient.objects.contactable(), scene, "patient.view").annotate(
        has_carer=Exists(live),
        is_closed=Exists(
            Suppression.objects.filter(lifted_at=None, address=OuterRef("user__email"))
        ),
        carer_closed=Exists(live.filter(user__email__in=closed)),
        has_accepted=Exists(accepted),
    )
    is_silent = Q(
        has_accepted=False, user__last_login=None, user__created_at__lt=scene.now - INVITED_LONG_AGO
    )
    rows = rows.filter(Exists(Episode.objects.open().filter(patient=OuterRef("pk")))).filter(
        Q(user=None, has_carer=False)
        | Q(is_closed=True)
        | Q(carer_closed=True)
        | (Q(user__isnull=False) & is_silent)
    )

    def entry(row: Any) -> tuple[Entry, Patient]:
        if row.user_id is None and not row.has_carer:
            return Entry(
                row.name, _page(row, "people"), _("no email address and no carer"), "bad"
            ), row
        if row.is_closed or row.carer_closed:
            return Entry(
                row.name, _page(row, "people"), _("mail to the address does not arrive"), "bad"
            ), row
        return Entry(row.name, _page(row, "people"), _("has not accepted the invitation")), row

    worklist = Worklist(
        _("Patients nobody can reach"), _("Everybody with an open episode can be reached.")
    )
    worklist.more = reverse("admin:patients_patient_changelist") + "?login=unused"
    return _fill(
        worklist, rows.select_related("clinic", "user").order_by("user", "family_name", "id"), entry
    )


def questions(scene: Scene) -> Worklist:
    """Steps about which somebody has a question, newest first."""
    rows = StepResponse.objects.filter(
        answer=StepResponse.Answer.QUESTION, answered_at__gte=scene.now - LOOK_BACK,
        episode__in=_scoped(Episode.objects.all(), scene, "stepresponse.view"),
    ).select_related("episode__patient__clinic", "step", "by").prefetch_related("step__texts")  # fmt: skip

    def entry(row: StepResponse) -> tuple[Entry, Patient]:
        patient = row.episode.patient
        words = (
            f"{title_of(row.step, patient.clinic.language)}, {date_format(row.answered_at, 'j M')}"
        )
        return Entry(patient.name, _page(patient, "answers"), f"{words} {row.note}"), patient

    worklist = Worklist(_("Questions from patients"), _("No question in the last 14 days."))
    return _fill(worklist, rows.order_by("-answered_at"), entry)


def consent_questions(scene: Scene) -> Worklist:
    """Questions about a consent after which nothing was decided, the oldest first."""
    rows = open_questions(_scoped(ConsentDecision.objects.all(), scene, "consentdecision.view"))
    rows = rows.select_related("episode__patient__clinic").order_by("decided_at", "id")

    def entry(row: ConsentDecision) -> tuple[Entry, Patient]:
        patient = row.episode.patient
        return Entry(patient.name, _page(patient, "consents"), f"{row.title}: {row.note}"), patient

    return _fill(
        Worklist(_("Questions about a consent"), _("Nobody has a question about a consent.")),
        rows,
        entry,
    )


def wishes(scene: Scene) -> Worklist:
    """Visits for which somebody asks for another time, the oldest wish first."""
    rows = _scoped(MoveRequest.objects.open(), scene, "moverequest.answer")
    rows = rows.select_related("appointment__episode__patient__clinic").order_by("asked_at", "id")

    def entry(row: MoveRequest) -> tuple[Entry, Patient]:
        patient = row.appointment.episode.patient
        url = reverse("admin:wish_answer", args=[row.pk])
        is_near = row.appointment.local_date <= scene.today + timedelta(days=3)
        return Entry(
            patient.name, url, f"{row.appointment}: {row.reason}", "bad" if is_near else ""
        ), patient

    return _fill(Worklist(_("Visits to move"), _("Nobody asks for another time.")), rows, entry)


def drafts(scene: Scene) -> Worklist:
    """Pathway versions that nobody has approved yet."""
    rows = _scoped(PathwayVersion.objects.drafts(), scene, "pathwayversion.approve")

    def entry(row: PathwayVersion) -> tuple[Entry, None]:
        url = reverse("admin:procedures_pathwayversion_change", args=[row.pk])
        return Entry(row.pathway.name, url, _("version %(n)d") % {"n": row.number}), None

    more = reverse("admin:procedures_pathwayversion_changelist")
    rows = rows.select_related("pathway").order_by("pathway__name", "number")
    return _fill(
        Worklist(_("Drafts to approve"), _("No draft waits for approval."), more), rows, entry
    )


def to_read_again(scene: Scene) -> Worklist:
    """Approved pathway versions whose day of review is past or near, the longest overdue first."""
    rows = _scoped(PathwayVersion.objects.approved(), scene, "pathwayversion.approve")
    rows = rows.filter(review_on__lte=scene.today + REVIEW_SOON).select_related("pathway")

    def entry(row: PathwayVersion) -> tuple[Entry, None]:
        url = reverse("admin:procedures_pathwayversion_change", args=[row.pk])
        is_over = row.review_on is not None and row.review_on < scene.today
        words = _("overdue since %(day)s") if is_over else _("due by %(day)s")
        detail = words % {"day": date_format(row.review_on or scene.today, "j M Y")}
        return Entry(str(row), url, detail, "bad" if is_over else ""), None

    more = reverse("admin:procedures_pathwayversion_changelist") + "?status__exact=active"
    worklist = Worklist(_("Pathways to read again"), _("No pathway is due for review."), more)
    return _fill(worklist, rows.order_by("review_on", "pathway__name"), entry)


def _scoped(rows: Any, scene: Scene, right: str) -> Any:
    return within(rows.visible_to(scene.user), scene.user, right)


# The right that each worklist asks for; in the order of the page.
WORKLISTS: tuple[tuple[str, Callable[[Scene], Worklist]], ...] = (
    ("alert.view", alerts),
    ("stepresponse.view", questions),
    ("consentdecision.view", consent_questions),
    ("moverequest.answer", wishes),
    ("reminder.view", not_sent),
    ("imagingrequest.view", xrays_to_book),
    ("patient.invite", unreachable),
    ("appointment.view", surgery_soon),
    ("pathwayversion.approve", drafts),
    ("pathwayversion.approve", to_read_again),
)
