"""One patient in the order of time, with filters; and the notes that staff write."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients import actions
from patients.work_forms import NoteForm
from portal import clock
from portal.staff_site import page, staff_of
from reminders.staff_record import rights_of
from reminders.staff_timeline import sources_for, timeline_of
from reminders.staff_views.records import attempted, done, is_sent, patient_or_404, patient_url

A_PAGE = 60


@require_safe
def timeline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything about a patient of the chosen kinds: what happened, the newest first, and what lies ahead."""
    patient, user = patient_or_404(request, pk, "patient.view"), staff_of(request)
    chosen = request.GET.getlist("show")
    entries, now = timeline_of(patient, user, chosen), clock.now()
    ahead = [entry for entry in reversed(entries) if entry.at > now]
    past = entries[len(ahead) :]
    shown = Paginator(past, A_PAGE).get_page(request.GET.get("page"))
    return page(
        request, "admin/reminders/timeline.html", _("Timeline of %(name)s") % {"name": patient.name},
        patient=patient, shown=shown, ahead=ahead, sources=sources_for(patient, user), chosen=chosen,
        rights=rights_of(user, patient),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def note(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write a note about a patient."""
    patient, form = patient_or_404(request, pk, "note.add"), NoteForm(request.POST or None)
    if form.was_sent_before:
        return done(request, patient, "", is_first=False)
    if is_sent(request, form):

        def act() -> HttpResponse:
            is_first = form.act_once()
            if is_first:
                actions.write_note(
                    patient=patient, text=form.cleaned_data["text"], by=staff_of(request), now=clock.now()
                )  # fmt: skip
            return done(request, patient, _("The note is saved."), is_first=is_first)

        if answer := attempted(form, act):
            return answer
    return page(
        request, "admin/form.html", _("A note about %(name)s") % {"name": patient.name}, form=form,
        patient=patient,
        button=_("Save the note"), back_url=patient_url(patient),
    )  # fmt: skip


PAGES = (
    ("patient/<uuid:pk>/timeline/", timeline, "patient_timeline"),
    ("patient/<uuid:pk>/note/", note, "patient_note"),
)
