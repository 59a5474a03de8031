"""My data: what is kept, to read and to take along, and how to correct it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from patients.care import Care, care_of, phone_for
from patients.views import no_record
from portal import audit
from reminders.export import gather
from reminders.fhir import bundle


@require_safe
def my_data(request: HttpRequest) -> HttpResponse:
    """How to reach the reader, and the downloads."""
    care = care_of(request, "my_data.read")
    if care.patient is None:
        return no_record(request)
    context = {"care": care, "phone": phone_for(care)}
    return render(request, "reminders/my_data.html", context)


@require_safe
def my_data_file(request: HttpRequest, form: str) -> HttpResponse:
    """Everything, as a page to keep, a PDF, plain JSON or FHIR. Raises Http404 for who may not see all of it."""
    care = care_of(request, "my_data.download")
    if care.patient is None or not care.has_full_view or form not in FORMS:
        raise Http404
    audit.note_read(
        request, f"my_data.{form}", obj=care.patient, clinic=care.patient.clinic,
        patient_id=care.patient.pk,
    )  # fmt: skip
    content_type, make = FORMS[form]
    name = f"my-data.{'json' if form == 'fhir' else form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = make(care)
    if content is None:
        words = _(
            "A PDF cannot hold all the letters of this record. Take the file to read on a screen, and print it."
        )
        notes.warning(request, words)
        return redirect("reminders:my_data")
    return HttpResponse(content, content_type=content_type, headers=headers)


def _html(care: Care) -> str:
    context: dict[str, Any] = {
        "care": care,
        "parts": gather(care),
        "language": care.reader.language,
    }
    return render_to_string("reminders/my_data_file.html", context)


def _pdf(care: Care) -> bytes | None:
    """The PDF, or None where its fonts lack letters of the record."""
    # The library takes memory that no other page needs, and no worker, which loads the views for their addresses.
    from procedures.pdf import LettersMissing
    from reminders.export_pdf import parts_as_pdf

    try:
        return parts_as_pdf(gather(care), care)
    except LettersMissing:
        return None


def _json(care: Care) -> str:
    parts = {
        part.key: [{one.name: one.value for one in row} for row in part.rows]
        for part in gather(care)
    }
    return json.dumps(parts, ensure_ascii=False, indent=2)


def _fhir(care: Care) -> str:
    return json.dumps(bundle(care), ensure_ascii=False, indent=2)


FORMS: dict[str, tuple[str, Callable[[Care], str | bytes | None]]] = {
    "html": ("text/html; charset=utf-8", _html),
    "pdf": ("application/pdf", _pdf),
    "json": ("application/json", _json),
    "fhir": ("application/fhir+json", _fhir),
}
