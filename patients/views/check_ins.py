"""How somebody is doing: the questions, what to do about the answers, and how it went over time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions import submit_check_in
from patients.calling import whom_to_call
from patients.care import Care, care_of
from patients.check_ins import Stage, stage_of, stages_of
from patients.models import CheckIn, Episode
from patients.reader_forms import CheckInForm
from patients.trends import SHOWN, trends_of
from patients.views.access import no_record

A_PAGE = 20


def _full_care(request: HttpRequest, verb: str, patient_id: UUID | None = None) -> Care:
    """Whose pages these are. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, verb, patient_id)
    if care.patient is not None and not care.has_full_view:
        raise Http404
    return care


@require_http_methods(["GET", "POST"])
def check_in(request: HttpRequest) -> HttpResponse:
    """Answer the questions of today's stage. Where there are none today, say what to do instead.

    With two operations under way there may be two stages: `episode` names the one to answer, and the page leads
    to the other.
    """
    if request.method == "POST":
        return _answer(request)
    wanted = _wanted(request)
    care = _full_care(request, "check_in.open", wanted.patient_id if wanted else None)
    if care.patient is None:
        return no_record(request)
    stages = stages_of(care)
    if not stages:
        return render(request, "patients/check_in_none.html", {"care": care})
    stage = next((one for one in stages if one.episode == wanted), stages[0])
    others = [one for one in stages if one is not stage]
    return _form_page(request, care, stage, _form(stage), others)


def _wanted(request: HttpRequest) -> Episode | None:
    """The reader's own episode that the address names, if it names one."""
    pk = _uuid(request.GET.get("episode", ""))
    return Episode.objects.own(request.user).filter(pk=pk).first() if pk else None


def _answer(request: HttpRequest) -> HttpResponse:
    """Take the answers about the episode that the form was made for, whoever is chosen by now."""
    own = Episode.objects.own(request.user)
    episode = get_object_or_404(own, pk=_uuid(request.POST.get("episode", "")))
    care = _full_care(request, "check_in.open", episode.patient_id)
    stage = stage_of(care, episode.pk, request.POST.get("questionnaire", ""))
    if stage is None:
        return render(request, "patients/check_in_none.html", {"care": care})
    form = _form(stage, request)
    if form.is_valid():
        try:
            sent = submit_check_in(
                episode=stage.episode, questionnaire=stage.questionnaire, answers=form.given(),
                by=care.reader, now=care.now, ticket=form.cleaned_data["ticket"],
            )  # fmt: skip
            return redirect("patients:check_in_result", sent.pk)
        except ValidationError as error:
            form.add_error(None, error)
    return _form_page(request, care, stage, form)


def _form(stage: Stage, request: HttpRequest | None = None) -> CheckInForm:
    return CheckInForm(
        request.POST if request else None, questions=stage.questions, unit=stage.unit
    )


def _form_page(
    request: HttpRequest, care: Care, stage: Stage, form: CheckInForm, others: Sequence[Stage] = ()
) -> HttpResponse:
    context = {"care": care, "stage": stage, "others": others, "form": form, "active": "check_in"}
    return render(request, "patients/check_in.html", context)


@require_safe
def check_in_result(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the answers mean: what to do now and whom to call, or that nothing stands out."""
    own = CheckIn.objects.own(request.user)
    sent = get_object_or_404(own.select_related("episode__patient__clinic", "by"), pk=pk)
    care = _full_care(request, "check_in.read", sent.episode.patient_id)
    context = {
        "care": care,
        "sent": sent,
        "by": care.name_of(sent.by),
        "call": whom_to_call(sent.episode.patient.clinic, sent.severity, care.now),
        "active": "check_in",
    }
    return render(request, "patients/check_in_result.html", context)


@require_safe
def check_in_history(request: HttpRequest) -> HttpResponse:
    """Every check-in, the newest first, and the course of pain and temperature as pictures and numbers."""
    care = _full_care(request, "check_ins.read")
    if care.patient is None:
        return no_record(request)
    rows = CheckIn.objects.own(request.user).filter(episode__patient=care.patient)
    page = Paginator(rows.select_related("by", "episode"), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "care": care,
        "sent": [(row, care.name_of(row.by)) for row in page.object_list],
        "goes_on": any(row.episode.is_open for row in page.object_list),
        "trends": trends_of(rows[:SHOWN]),
        "newer_url": f"?page={page.previous_page_number()}" if page.has_previous() else "",
        "older_url": f"?page={page.next_page_number()}" if page.has_next() else "",
        "active": "check_in",
    }
    return render(request, "patients/check_in_history.html", context)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
