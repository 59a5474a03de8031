"""A patient's visits, and the choice of whose pages a carer sees. Plans and mails are in `reminders`."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from patients.calendars import calendar_file
from patients.care import care_of, choose
from patients.models import Appointment, Patient
from patients.views.access import no_record
from portal import audit

# Visits of the past that are shown; older ones are the clinic's to look up.
PAST_SHOWN = 10


@require_safe
def appointments(request: HttpRequest) -> HttpResponse:
    """What is booked, soonest first, and what was: with place, directions and what to bring."""
    care = care_of(request, "appointments.read")
    if care.patient is None:
        return no_record(request)
    rows = Appointment.objects.own(care.reader).filter(episode__patient=care.patient)
    rows = rows.select_related("location")
    ahead = rows.filter(starts_at__gte=care.now).exclude(status=Appointment.Status.FULFILLED)
    context = {
        "care": care,
        "ahead": ahead,
        "past": rows.filter(starts_at__lt=care.now).order_by("-starts_at")[:PAST_SHOWN],
        "shows_zone": care.zone.key != care.patient.clinic.time_zone,
    }
    return render(request, "patients/appointments.html", context)


@require_safe
def appointment_calendar(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One visit as a calendar file."""
    rows = Appointment.objects.own(request.user).select_related(
        "location", "episode__patient__clinic"
    )
    appointment = get_object_or_404(rows, pk=pk)
    patient = appointment.episode.patient
    audit.note_read(
        request,
        "appointment.calendar",
        obj=appointment,
        clinic=patient.clinic,
        patient_id=patient.id,
    )
    return HttpResponse(
        calendar_file(appointment),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="appointment.ics"'},
    )


@require_http_methods(["GET", "POST"])
def switch_patient(request: HttpRequest) -> HttpResponse:
    """Show another patient's pages. A GET, after signing in again, leads home and changes nothing."""
    if request.method == "POST":
        own = Patient.objects.own(request.user)
        choose(request, get_object_or_404(own, pk=_uuid(request.POST.get("patient", ""))))
    return redirect(own_path(request, "portal:home"))


def own_path(request: HttpRequest, otherwise: str) -> str:
    """The path of ours that a form asks to go back to, or `otherwise`, a name of a URL."""
    path = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(path, {request.get_host()}, request.is_secure())
    return path if path.startswith("/") and is_ours else otherwise


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
