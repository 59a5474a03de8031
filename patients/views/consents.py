"""Consents: read, ask, sign with a typed name, say not yet, and withdraw as easily."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages as notes
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions.consents import Decision, decide_consent, may_decide
from patients.care import Care, care_of
from patients.consents import Standing, standings_of
from patients.models import Episode
from patients.own_episodes import episodes_with_procedure
from patients.views.access import no_record
from portal.once import new_ticket

THANKS: dict[str, Promise] = {
    Decision.GIVEN: _("Thank you. Your signature is kept with the text you read."),
    Decision.NOT_YET: _("That is fine. You can come back at any time."),
    Decision.QUESTION: _("Your question is with the clinic. Somebody will call you."),
    Decision.WITHDRAWN: _("Your consent is withdrawn, and the clinic sees it."),
}


class DecisionForm(forms.Form):
    """One decision; which fields it needs is for the action to say."""

    decision = forms.ChoiceField(choices=Decision.choices)
    signed_name = forms.CharField(max_length=150, required=False, label=_("Your full name"))
    note = forms.CharField(max_length=500, required=False, label=_("Your question"))
    digest = forms.CharField(max_length=64)
    ticket = forms.CharField(max_length=32)


def _full_care(request: HttpRequest, patient_id: UUID | None = None) -> Care:
    """Whose pages these are. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, "consents.read", patient_id)
    if care.patient is not None and not care.has_full_view:
        raise Http404
    return care


@require_safe
def consents(request: HttpRequest) -> HttpResponse:
    """Every consent of the operations that are planned or under way, and where each stands."""
    care = _full_care(request)
    if care.patient is None:
        return no_record(request)
    found = episodes_with_procedure(care)
    standings = standings_of(found, care.reader.language, care.today, care)
    # Of a closed plan only what was decided is of interest.
    shown = [one for one in standings if one.episode.is_open or one.decisions]
    context = {
        "care": care,
        "standings": shown,
        "first_waiting": next((one for one in shown if one.waits), None),
        "has_several": len(found) > 1,
    }
    return render(request, "patients/consents.html", context)


@require_http_methods(["GET", "POST"])
def consent(request: HttpRequest, pk: UUID, key: str) -> HttpResponse:
    """One consent of one episode: the text, and the ways to decide."""
    rows = Episode.objects.own(request.user).select_related("procedure", "patient__clinic")
    episode = get_object_or_404(rows, pk=pk)
    care = _full_care(request, episode.patient_id)
    standings = standings_of([episode], care.reader.language, care.today, care)
    standing = next((one for one in standings if one.form.key == key), None)
    if standing is None:
        raise Http404
    form = DecisionForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid() and _decide(request, care, standing, form):
        return redirect("patients:consent", pk, key)
    context = {
        "care": care, "standing": standing, "form": form, "ticket": new_ticket(), "active": "consents",
        "may_decide": may_decide(episode.patient, care.reader, care.now),
    }  # fmt: skip
    return render(request, "patients/consent.html", context)


def _decide(request: HttpRequest, care: Care, standing: Standing, form: DecisionForm) -> bool:
    values: dict[str, Any] = form.cleaned_data
    try:
        decide_consent(
            episode=standing.episode, form=standing.form, language=standing.language,
            by=care.reader, now=care.now, **values,
        )  # fmt: skip
    except ValidationError as error:
        for name in getattr(error, "error_dict", {None: []}):
            form.add_error(name, error.messages)
        return False
    notes.success(request, str(THANKS[values["decision"]]))
    return True
