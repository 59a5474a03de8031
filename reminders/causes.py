"""What in plans and mails wants a person: who cannot be reached, what did not go, who is silent. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.causes import day, patient_page
from patients.models import CheckIn, Episode, Patient, RelatedPerson, Task
from patients.worklist import Cause, Kind, Scope, register
from portal.models import Invitation
from procedures.models import Category
from reminders import reasons
from reminders.models import Reminder, Suppression
from reminders.readiness import LABELS, lacking, operations
from reminders.staff_plan import title_of

LOOK_BACK = timedelta(days=14)
INVITED_LONG_AGO = timedelta(days=3)
ANSWER_WITHIN = timedelta(days=3)
CALL_WITHIN = timedelta(days=2)


def not_sent(scope: Scope) -> Iterator[Cause]:
    """Reminders that failed or were missed in the last 14 days, or whose mail came back."""
    since = scope.now - LOOK_BACK
    rows = scope.of(Reminder.objects.all(), "episode__patient").filter(
        episode__patient__deceased_on=None
    )
    rows = rows.select_related("episode__patient__clinic", "step").prefetch_related("step__texts")
    for row in rows.filter(state__in=("failed", "missed"), settled_at__gte=since).order_by("pk"):
        yield _of_row(row, row.reason, row.settled_at)
    came_back = rows.filter(state="sent", message__bounced_at__gte=since)
    for row in came_back.annotate(at=F("message__bounced_at")).order_by("pk"):
        yield _of_row(row, "bounced", row.at)


def _of_row(row: Reminder, reason: str, at: datetime) -> Cause:
    patient = row.episode.patient
    facts = {"what": _title(row), "on": str(row.local_date), "reason": reason}
    return Cause(
        row.pk, patient.clinic_id, patient.pk, at.date() + CALL_WITHIN, facts, row.is_essential, at.isoformat()
    )  # fmt: skip


def _title(row: Reminder) -> str:
    language = row.episode.patient.clinic.language
    return title_of(row.step, language) if row.step else str(row.get_kind_display())


def unreachable(scope: Scope) -> Iterator[Cause]:
    """Patients with an episode under way whom no mail reaches, or who never got or accepted their invitation."""
    rows = Patient.objects.contactable()
    if scope.patient is not None:
        rows = rows.filter(pk=scope.patient.pk)
    is_open = Episode.objects.open().filter(patient=OuterRef("pk"))
    for row in _with_contact(rows, scope).filter(Exists(is_open)).filter(_is_silent(scope)):
        yield Cause(
            row.pk, row.clinic_id, row.pk, scope.today, {"why": _why(row)}, _why(row) != "unaccepted"
        )  # fmt: skip


def _with_contact(rows: Any, scope: Scope) -> Any:
    live = RelatedPerson.objects.filter(patient=OuterRef("pk")).live(scope.today)
    closed = Suppression.objects.filter(lifted_at=None)
    accepted = Invitation.objects.filter(user=OuterRef("user"), accepted_at__isnull=False)
    refused = Invitation.objects.filter(
        refused_at__isnull=False, accepted_at=None, withdrawn_at=None
    )
    return rows.select_related("user").annotate(
        has_carer=Exists(live),
        is_closed=Exists(closed.filter(address=OuterRef("user__email"))),
        carer_closed=Exists(live.filter(user__email__in=closed.values("address"))),
        has_accepted=Exists(accepted),
        is_refused=Exists(refused.filter(user=OuterRef("user"))),
        carer_refused=Exists(live.filter(user__in=refused.values("user"))),
    )


def _is_silent(scope: Scope) -> Q:
    never_came = Q(
        user__isnull=False, has_accepted=False, user__last_login=None,
        user__created_at__lt=scope.now - INVITED_LONG_AGO,
    )  # fmt: skip
    nobody = Q(user=None, has_carer=False)
    closed = Q(is_closed=True) | Q(carer_closed=True)
    return nobody | closed | Q(is_refused=True) | Q(carer_refused=True) | never_came


def _why(row: Any) -> str:
    if row.user_id is None and not row.has_carer:
        return "no_address"
    if row.is_closed or row.carer_closed:
        return "closed"
    return "refused" if row.is_refused or row.carer_refused else "unaccepted"


_UNREACHED = {
    "no_address": gettext_lazy("no email address and no carer"),
    "closed": gettext_lazy("mail to the address does not arrive"),
    "refused": gettext_lazy("the mail server did not take the mail with the invitation"),
    "unaccepted": gettext_lazy("has not accepted the invitation"),
}


def silent_check_ins(scope: Scope) -> Iterator[Cause]:
    """Check-ins that were asked for three days ago or more, and that nobody has answered since."""
    answered = CheckIn.objects.filter(
        episode=OuterRef("episode"), sent_at__gte=OuterRef("message__sent_at")
    )
    rows = Reminder.objects.filter(
        ~Exists(answered), category=Category.CHECK_IN, state="sent", kind=Reminder.Kind.STEP,
        episode__in=Episode.objects.open(), episode__patient__deceased_on=None,
        message__sent_at__range=(scope.now - LOOK_BACK, scope.now - ANSWER_WITHIN),
    )  # fmt: skip
    rows = scope.of(rows, "episode__patient").annotate(asked_at=F("message__sent_at"))
    rows = rows.select_related("episode__patient")
    for row in {row.episode_id: row for row in rows.order_by("asked_at")}.values():
        patient, asked = row.episode.patient, row.asked_at.date()
        facts = {"asked": str(asked)}
        due_on = asked + ANSWER_WITHIN + CALL_WITHIN
        yield Cause(row.episode_id, patient.clinic_id, patient.pk, due_on, facts, stamp=str(asked))


def not_ready(scope: Scope) -> Iterator[Cause]:
    """Operations of the next 14 days for which something is still lacking."""
    rows = operations(Episode.objects.open(), scope.today)
    for row in scope.of(rows, "episode__patient"):
        missing = lacking(row)
        if missing:
            patient = row.episode.patient
            facts = {"on": str(row.on), "lacking": missing}
            is_near = row.on - scope.today <= CALL_WITHIN
            yield Cause(row.episode_id, patient.clinic_id, patient.pk, row.on, facts, is_near)


def _not_sent_words(task: Task) -> str:
    values = {"what": task.facts["what"], "day": day(task, "on", "j M"),
              "why": reasons.for_staff(task.facts["reason"])}  # fmt: skip
    return _("%(what)s (%(day)s): %(why)s") % values


def _not_ready_words(task: Task) -> str:
    parts = ", ".join(str(LABELS[key]) for key in task.facts["lacking"] if key in LABELS)
    return _("surgery on %(day)s, lacking: %(what)s") % {"day": day(task, "on"), "what": parts}


def _reminder_url(task: Task) -> str:
    return reverse("admin:reminders_reminder_change", args=[task.subject])


KINDS = (
    Kind(
        "not_sent", gettext_lazy("Reminders that did not go"),
        gettext_lazy("Everything went out in the last 14 days."),
        "reminder.view", not_sent, _not_sent_words, _reminder_url,
    ),
    Kind(
        "unreachable", gettext_lazy("Patients nobody can reach"),
        gettext_lazy("Everybody with an open episode can be reached."),
        "patient.invite", unreachable, lambda task: str(_UNREACHED[task.facts["why"]]),
        patient_page("people"), keeps_due=True,
    ),
    Kind(
        "check_in_silent", gettext_lazy("Check-ins nobody answered"),
        gettext_lazy("Every check-in was answered."),
        "checkin.view", silent_check_ins,
        lambda task: _("asked on %(day)s") % {"day": day(task, "asked")}, patient_page("check-ins"),
    ),
    Kind(
        "not_ready", gettext_lazy("Not ready for surgery"),
        gettext_lazy("Everybody with surgery in the next 14 days is ready."),
        "appointment.view", not_ready, _not_ready_words, patient_page(),
    ),
)  # fmt: skip

register(KINDS)
