"""A patient's visits, and the choice of whose pages a carer sees. Plans and mails are in `reminders`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients import visit_lines
from patients.actions import ask_to_move, confirm_appointment, withdraw_move_request
from patients.calendars import calendar_file
from patients.care import Care, care_of, choose
from patients.models import Appointment, MoveRequest, Patient
from patients.models.wishes import bring_wishes
from patients.querysets import asked_by
from patients.views.access import no_record
from patients.visit_forms import AskMoveForm
from portal import audit
from portal.prepared import prepared


@prepared
def _next() -> QuerySet[Any, Appointment]:
    return visit_lines.ahead().select_related("location")[: visit_lines.IN_FULL]


@require_safe
def appointments(request: HttpRequest) -> HttpResponse:
    """What is booked, soonest first: the next visits with all there is to know, then a line each; and what was."""
    care = care_of(request, "appointments.read")
    if care.patient is None:
        return no_record(request)
    asked = asked_by(care.reader) | {"patient": care.patient.pk, "now": care.now}
    following = _next(**asked)
    bring_wishes(following)
    context = {
        "care": care,
        "ahead": following,
        "later": visit_lines.later(asked),
        "past": visit_lines.past(asked),
        "shows_zone": care.zone.key != care.patient.clinic.time_zone,
    }
    return render(request, "patients/appointments.html", context)


@require_safe
def appointment_calendar(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One visit as a calendar file."""
    rows = Appointment.objects.own(request.user).select_related(
        "location", "episode__patient__clinic"
    )
    visit = get_object_or_404(rows, pk=pk)
    patient = visit.episode.patient
    audit.note_read(
        request,
        "appointment.calendar",
        obj=visit,
        clinic=patient.clinic,
        patient_id=patient.id,
    )
    return HttpResponse(
        calendar_file(visit),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="appointment.ics"'},
    )


def _own_visit(request: HttpRequest, pk: UUID) -> tuple[Appointment, Care]:
    """One visit of the reader's own, and whose it is. Raises Http404."""
    rows = Appointment.objects.own(request.user).select_related("location", "episode")
    visit = get_object_or_404(rows.prefetch_related("move_requests"), pk=pk)
    care = care_of(request, "appointment.read", visit.episode.patient_id)
    if care.patient is not None:
        visit.episode.patient = care.patient
    return visit, care


@require_safe
def appointment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One visit: when, where, how to get there, what to bring; confirm it, or ask for another time."""
    visit, care = _own_visit(request, pk)
    context = {
        "care": care,
        "appointment": visit,
        "is_over": visit.starts_at <= care.now,
        "is_ahead": visit.status == Appointment.Status.BOOKED and visit.starts_at > care.now,
        "shows_zone": care.zone.key != visit.time_zone,
        "active": "appointments",
    }
    return render(request, "patients/appointment.html", context)


@require_http_methods(["GET", "POST"])
def appointment_confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one comes. A GET, after signing in again, leads to the visit."""
    visit, care = _own_visit(request, pk)
    if request.method == "POST":
        try:
            seen_at = parse_datetime(request.POST.get("seen", "")) or visit.created_at
            confirm_appointment(appointment=visit, seen_at=seen_at, by=care.reader, now=care.now)
            notes.success(request, _("Thank you. The clinic knows that you are coming."))
        except ValidationError as error:
            notes.warning(request, error.messages[0])
        except ValueError:
            notes.warning(request, _("Please look at the visit again."))
    return redirect("patients:appointment", pk)


@require_http_methods(["GET", "POST"])
def appointment_ask_move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask the clinic for another time. The visit stays booked meanwhile."""
    visit, care = _own_visit(request, pk)
    if visit.open_wish or visit.status != Appointment.Status.BOOKED or visit.starts_at <= care.now:
        return redirect("patients:appointment", pk)
    form = AskMoveForm(request.POST or None)
    if form.is_valid():
        try:
            ask_to_move(appointment=visit, by=care.reader, now=care.now, **form.cleaned_data)
            notes.success(
                request,
                _("Your request is with the clinic. Your time stays yours until we answer."),
            )
            return redirect("patients:appointment", pk)
        except ValidationError as error:
            form.add_error(None, error)
    context = {"care": care, "appointment": visit, "form": form, "active": "appointments"}
    return render(request, "patients/appointment_ask_move.html", context)


@require_http_methods(["GET", "POST"])
def move_request_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep the time after all. A GET, after signing in again, leads to the visit."""
    rows = MoveRequest.objects.own(request.user)
    wish = get_object_or_404(rows.select_related("appointment__episode__patient__clinic"), pk=pk)
    care = care_of(request, "appointment.read", wish.appointment.episode.patient_id)
    if request.method == "POST":
        if withdraw_move_request(wish=wish, by=care.reader, now=care.now):
            notes.success(request, _("Your visit stays as it is."))
        else:
            notes.info(request, _("The clinic has answered already. See below."))
    return redirect("patients:appointment", wish.appointment_id)


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
