"""Exercises: today's list to tick off, and the last four weeks."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as notes
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions import log_exercise, undo_exercise
from patients.care import Care, care_of
from patients.exercise_days import Programme, programme_of
from patients.exercise_forms import RoundForm
from patients.models import Prescription
from patients.views.access import no_record


@require_safe
def exercises(request: HttpRequest) -> HttpResponse:
    """Today's exercises and the last four weeks. Raises Http404 for a carer who may see visits alone."""
    care = care_of(request, "exercises.read")
    if care.patient is None:
        return no_record(request)
    if not care.has_full_view:
        raise Http404
    return render(request, "patients/exercises.html", _context(care, programme_of(care)))


def _context(care: Care, programme: Programme | None) -> dict[str, object]:
    return {"care": care, "programme": programme, "active": "exercises"}


def _own_row(request: HttpRequest, pk: UUID, verb: str) -> tuple[Prescription, Care]:
    """One exercise of the reader's own, and whose it is. Raises Http404."""
    own = Prescription.objects.own(request.user)
    row = get_object_or_404(own.select_related("exercise", "episode__patient__clinic"), pk=pk)
    care = care_of(request, verb, row.episode.patient_id)
    if not care.has_full_view:
        raise Http404
    return row, care


@require_safe
def exercise(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One exercise of today, with each time that was ticked off. One that is over leads to the list."""
    row, care = _own_row(request, pk, "exercises.read")
    programme = programme_of(care)
    items = programme.items if programme else []
    item = next((one for one in items if one.pk == row.pk), None)
    if item is None:
        return redirect("patients:exercises")
    context = {"care": care, "item": item, "pains": range(11), "active": "exercises"}
    return render(request, "patients/exercise.html", context)


@require_http_methods(["GET", "POST"])
def exercise_log(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tick off a round, tell of pain, or take it back. A GET, after signing in again, leads to the list."""
    row, care = _own_row(request, pk, "exercises.log")
    if request.method == "POST":
        _act(request, row, care)
    if request.headers.get("HX-Request"):
        return _part(request, row, care)
    return redirect(f"{reverse('patients:exercises')}#exercise-{row.pk}")


def _act(request: HttpRequest, row: Prescription, care: Care) -> None:
    form = RoundForm(request.POST)
    if not form.is_valid():
        notes.error(request, _("Choose pain from 0 to 10, or leave it empty."))
        return
    values = form.cleaned_data
    try:
        undone = values.pop("undo")
        if undone:
            undo_exercise(prescription=row, round=undone, by=care.reader, now=care.now)
        else:
            log_exercise(prescription=row, by=care.reader, now=care.now, **values)
    except ValidationError as error:
        notes.error(request, error.messages[0])


def _part(request: HttpRequest, row: Prescription, care: Care) -> HttpResponse:
    """What htmx puts in place of the list: list and picture belong together."""
    programme = programme_of(care)
    if programme:
        programme = programme.with_focus(row.pk)
    context = _context(care, programme) | {"is_part": True}
    return render(request, "patients/_exercises.html", context)
