"""Exercises for the physiotherapist: prescribing from the library, copying a programme, ending what is done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from patients import actions
from patients.exercise_forms import CopyForm, PrescriptionForm
from patients.models import Episode, Prescription
from portal import audit, clock
from portal.permissions import within
from portal.staff_forms import ConfirmForm
from portal.staff_site import page, staff_of
from procedures.models import Exercise
from reminders.staff_views.records import (
    attempted,
    done,
    episode_or_404,
    is_sent,
    patient_url,
    today_at,
)

PART = "exercises"
MOST_PROGRAMMES = 100


@require_http_methods(["GET", "POST"])
def prescribe(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Prescribe one exercise of the library."""
    episode = episode_or_404(request, pk, "prescription.add")
    form = _prescription_form(request, episode)
    if form.was_sent_before:
        return done(request, episode.patient, "", is_first=False, part=PART)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _prescribe(request, episode, form))
    ):
        return answer
    title = _("Prescribe an exercise for %(name)s") % {"name": episode.patient.name}
    intro = _("An exercise that is prescribed already gets the new dose.")
    return _form(request, episode, form, title, _("Prescribe"), intro)


def _prescription_form(request: HttpRequest, episode: Episode) -> PrescriptionForm:
    today = today_at(episode.patient)
    return PrescriptionForm(
        request.POST or None,
        exercises=Exercise.objects.filter(audience__in=actions.audiences_of(episode, today)),
        language=episode.patient.clinic.language,
        initial={"starts_on": today},
    )


def _prescribe(request: HttpRequest, episode: Episode, form: PrescriptionForm) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        actions.prescribe(episode=episode, by=staff_of(request), now=clock.now(), **form.dose)
    words = _("The exercise is prescribed.")
    return done(request, episode.patient, words, is_first=is_first, part=PART)


@require_http_methods(["GET", "POST"])
def copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Prescribe what another patient of the clinic does now."""
    episode = episode_or_404(request, pk, "prescription.copy")
    sources = _programmes(request, episode)
    _note_choices(request, sources)
    form = CopyForm(request.POST or None, sources=sources)
    if form.was_sent_before:
        return done(request, episode.patient, "", is_first=False, part=PART)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _copy(request, episode, form))
    ):
        return answer
    title = _("Copy exercises for %(name)s") % {"name": episode.patient.name}
    intro = "" if sources else _("Nobody else at the clinic has exercises that suit.")
    return _form(request, episode, form, title, _("Copy the programme"), intro)


def _programmes(request: HttpRequest, episode: Episode) -> QuerySet[Any]:
    """The episodes of other patients of the clinic in which something that suits is done today."""
    today = today_at(episode.patient)
    suits = Q(
        prescriptions__ended_at=None,
        prescriptions__starts_on__lte=today,
        prescriptions__exercise__audience__in=actions.audiences_of(episode, today),
    ) & (Q(prescriptions__last_on=None) | Q(prescriptions__last_on__gte=today))
    rows = within(Episode.objects.visible_to(request.user), request.user, "prescription.copy")
    rows = rows.filter(patient__clinic=episode.patient.clinic_id).exclude(pk=episode.pk)
    rows = rows.annotate(exercises=Count("prescriptions", filter=suits)).filter(exercises__gt=0)
    return rows.select_related("patient__clinic").order_by("patient__family_name", "id")


def _note_choices(request: HttpRequest, sources: QuerySet[Any]) -> None:
    """Note whose names the menu shows."""
    shown = [(row.patient.clinic, row.patient_id) for row in sources[:MOST_PROGRAMMES]]
    audit.note_list(request, "prescription.list", by=staff_of(request), rows=shown)


def _copy(request: HttpRequest, episode: Episode, form: CopyForm) -> HttpResponse:
    is_first, made = form.act_once(), []
    if is_first:
        made = actions.copy_programme(
            source=form.cleaned_data["source"],
            target=episode,
            by=staff_of(request),
            now=clock.now(),
        )
    words = ngettext("%(n)d exercise is copied.", "%(n)d exercises are copied.", len(made))
    return done(request, episode.patient, words % {"n": len(made)}, is_first=is_first, part=PART)


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a prescription: it leaves the patient's list today."""
    row = _prescription_or_404(request, pk)
    form = ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        is_first = actions.end_prescription(prescription=row, by=staff_of(request), now=clock.now())
        words = _("The exercise is ended.")
        return done(request, row.episode.patient, words, is_first=is_first, part=PART)
    title = _("End an exercise of %(name)s") % {"name": row.episode.patient.name}
    intro = _("It leaves the patient's list today. What was done stays in the record.")
    return _form(request, row.episode, form, title, _("End it"), intro)


def _prescription_or_404(request: HttpRequest, pk: UUID) -> Prescription:
    """A prescription, with its patient and clinic; the read is noted."""
    rows = within(Prescription.objects.visible_to(request.user), request.user, "prescription.end")
    found: Prescription = get_object_or_404(
        rows.select_related("exercise", "episode__patient__clinic"), pk=pk
    )
    patient = found.episode.patient
    audit.note_read(
        request, "prescription.view", obj=found, clinic=patient.clinic, patient_id=patient.pk
    )
    return found


def _form(
    request: HttpRequest, episode: Episode, form: Any, title: str, button: str, intro: str = ""
) -> HttpResponse:
    return page(
        request, "admin/form.html", title, form=form, button=button, intro=intro, patient=episode.patient,
        episode=episode, back_url=patient_url(episode.patient, PART),
    )  # fmt: skip


PAGES = (
    ("episode/<uuid:pk>/exercises/add/", prescribe, "episode_prescribe"),
    ("episode/<uuid:pk>/exercises/copy/", copy, "episode_copy_exercises"),
    ("exercises/<uuid:pk>/end/", end, "prescription_end"),
)
