"""How staff pages fetch a record: through the person's scope and rights, locked where it will change, read noted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from patients.models import (
    Appointment,
    Episode,
    ImagingRequest,
    MoveRequest,
    Patient,
    RelatedPerson,
)
from portal import audit, clock
from portal.permissions import within
from portal.staff_forms import StaffForm
from reminders.models import Message, Reminder


def patient_or_404(request: HttpRequest, pk: UUID, right: str) -> Patient:
    """A patient of a clinic where the person holds `right`; the read is noted."""
    rows = within(Patient.objects.visible_to(request.user), request.user, right)
    patient: Patient = get_object_or_404(rows.select_related("clinic", "user"), pk=pk)
    return _noted(request, patient, patient, right)


def episode_or_404(request: HttpRequest, pk: UUID, right: str) -> Episode:
    """An episode, with all that its plan depends on."""
    rows = within(Episode.objects.visible_to(request.user), request.user, right)
    rows = rows.for_planning().select_related("procedure", "version__clinic")
    episode: Episode = get_object_or_404(rows, pk=pk)
    return _noted(request, episode, episode.patient, right)


def appointment_or_404(request: HttpRequest, pk: UUID, right: str) -> Appointment:
    """A visit, with its patient and clinic."""
    rows = within(Appointment.objects.visible_to(request.user), request.user, right)
    rows = rows.select_related("episode__patient__clinic", "location")
    appointment: Appointment = get_object_or_404(rows, pk=pk)
    return _noted(request, appointment, appointment.episode.patient, right)


def wish_or_404(request: HttpRequest, pk: UUID, right: str) -> MoveRequest:
    """A wish for another time, with its visit, patient and clinic."""
    rows = within(MoveRequest.objects.visible_to(request.user), request.user, right)
    rows = rows.select_related(
        "appointment__episode__patient__clinic", "appointment__episode__procedure",
        "appointment__location", "by",
    )  # fmt: skip
    found: MoveRequest = get_object_or_404(rows, pk=pk)
    return _noted(request, found, found.appointment.episode.patient, right)


def xray_or_404(request: HttpRequest, pk: UUID, right: str) -> ImagingRequest:
    """An X-ray request, with its patient and clinic."""
    rows = within(ImagingRequest.objects.visible_to(request.user), request.user, right)
    rows = rows.select_related("episode__patient__clinic", "step", "appointment")
    found: ImagingRequest = get_object_or_404(rows, pk=pk)
    return _noted(request, found, found.episode.patient, right)


def carer_or_404(request: HttpRequest, pk: UUID, right: str) -> RelatedPerson:
    """A carer's link, with patient and carer."""
    rows = within(RelatedPerson.objects.visible_to(request.user), request.user, right)
    link: RelatedPerson = get_object_or_404(rows.select_related("patient__clinic", "user"), pk=pk)
    return _noted(request, link, link.patient, right)


def reminder_or_404(request: HttpRequest, pk: UUID, right: str) -> Reminder:
    """A reminder, with its episode, step, recipient and message."""
    rows = within(Reminder.objects.visible_to(request.user), request.user, right)
    rows = rows.select_related(
        "episode__patient__clinic",
        "episode__procedure",
        "step",
        "recipient",
        "message",
        "appointment",
    ).prefetch_related("step__texts")
    reminder: Reminder = get_object_or_404(rows, pk=pk)
    return _noted(request, reminder, reminder.episode.patient, right)


def message_or_404(request: HttpRequest, pk: UUID, right: str) -> Message:
    """A message with its recipient; the read is noted for every patient it speaks of."""
    rows = within(Message.objects.visible_to(request.user), request.user, right)
    message: Message = get_object_or_404(rows.select_related("recipient", "clinic", "sheet"), pk=pk)
    patients = Patient.objects.visible_to(request.user).filter(episodes__reminders__message=message)
    for patient in patients.select_related("clinic").distinct():
        _noted(request, message, patient, right)
    return message


def _noted(request: HttpRequest, row: Any, patient: Patient, right: str) -> Any:
    """Note that the answer shows the row, whatever the person means to do with it."""
    verb = f"{right.partition('.')[0]}.view"
    audit.note_read(request, verb, obj=row, clinic=patient.clinic, patient_id=patient.pk)
    return row


def today_at(patient: Patient, now: datetime | None = None) -> date:
    """The local day at the patient's clinic."""
    return (now or clock.now()).astimezone(patient.clinic.zone).date()


def patient_url(patient: Patient, part: str = "") -> str:
    """The patient's page, or a part of it."""
    return reverse("admin:patient_page", args=[patient.pk]) + (f"#{part}" if part else "")


def is_sent(request: HttpRequest, form: StaffForm) -> bool:
    """Whether a form came that can be acted on; not when the person goes back to change it."""
    return request.method == "POST" and form.is_valid() and "change" not in request.POST


def attempted(form: StaffForm, act: Callable[[], HttpResponse]) -> HttpResponse | None:
    """What `act` answers, in one transaction; None where an action objected, which the form then says."""
    try:
        with transaction.atomic():
            return act()
    except ValidationError as error:
        form.refuse(error)
        return None


def done(
    request: HttpRequest, patient: Patient, words: str, *, is_first: bool = True, part: str = ""
) -> HttpResponse:
    """Back to the patient's page with a word about what was done; a second press says so."""
    if is_first:
        messages.success(request, words)
    else:
        messages.info(request, _("This was done already; nothing was done twice."))
    return redirect(patient_url(patient, part))
