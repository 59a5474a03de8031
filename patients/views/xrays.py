"""X-rays: each one that is planned, its window, whether it is booked, and the result once the clinic releases it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from patients.care import Care, care_of
from patients.models import ImagingRequest
from patients.views.access import no_record
from portal.day_words import date_format
from procedures.wording import NoWords, UnfilledPlaceholder, Wording, clinic_values, words_of
from procedures.wording import render as put_into_words


@dataclass(frozen=True, slots=True)
class Planned:
    """One X-ray, and what its step says about it in the reader's language, where it can be said."""

    request: ImagingRequest
    words: Wording | None
    is_overdue: bool


@require_safe
def xrays(request: HttpRequest) -> HttpResponse:
    """The X-rays, the next first. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, "xrays.read")
    if care.patient is None:
        return no_record(request)
    if not care.has_full_view:
        raise Http404
    rows = ImagingRequest.objects.own(care.reader).filter(episode__patient=care.patient)
    rows = rows.exclude(status=ImagingRequest.Status.WITHDRAWN)
    rows = rows.select_related("step", "appointment__location", "episode__procedure")
    values = clinic_values(care.patient.clinic)
    planned = [_planned(row, care, values) for row in rows.prefetch_related("step__texts")]
    done = ImagingRequest.Status.DONE
    context = {
        "care": care,
        "ahead": [one for one in planned if one.request.status != done],
        "past": [one for one in reversed(planned) if one.request.status == done],
    }
    return render(request, "patients/xrays.html", context)


def _planned(row: ImagingRequest, care: Care, clinic: Mapping[str, str]) -> Planned:
    is_due = row.status == ImagingRequest.Status.DUE
    return Planned(row, _words(row, care, clinic), is_due and row.window_until < care.today)


def _words(row: ImagingRequest, care: Care, clinic: Mapping[str, str]) -> Wording | None:
    """What the step says, with its window; nothing where it has no words, or speaks of what is not known."""
    values = {
        **clinic,
        "patient_name": care.patient.given_name if care.patient else "",
        "reader_name": care.reader.get_short_name(),
        "window_from": date_format(row.window_from, "l j F Y"),
        "window_until": date_format(row.window_until, "l j F Y"),
    }
    try:
        return put_into_words(words_of(row.step, care.reader.language), values)
    except (NoWords, UnfilledPlaceholder):
        return None
