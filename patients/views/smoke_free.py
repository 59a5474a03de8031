"""Smoke-free: the count of days, the quit day with what helps, and an honest log of slips."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions import log_slip, save_smoke_free_plan, withdraw_slip
from patients.actions.notes import today_at
from patients.care import Care, care_of
from patients.models import Episode, Slip
from patients.own_episodes import episodes_with_dates
from patients.smoke_free import (
    SmokeFree,
    facts_about_smoking,
    help_with_stopping,
    smoke_free_of,
)
from patients.smoke_free_forms import SlipForm, SmokeFreePlanForm
from patients.views.access import no_record


def _care(request: HttpRequest, verb: str, patient_id: UUID | None = None) -> Care:
    """Whose pages these are. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, verb, patient_id)
    if care.patient is not None and not care.has_full_view:
        raise Http404
    return care


def _known(care: Care, episode_id: Any = None) -> SmokeFree | None:
    """The way of one episode: the one asked for, or the one under way, or the last; None without any.

    Of several under way it is the one in which days are counted already: a second operation does not start anew.
    """
    found = episodes_with_dates(care)
    wanted = [row for row in found if row.pk == episode_id] if episode_id else _best_first(found)
    episode = next(iter(wanted), None)
    if episode is None or care.patient is None:
        return None
    if not care.patient.uses_nicotine and "quit" not in episode.anchors:
        return None
    return smoke_free_of(episode, today_at(care.patient.clinic, care.now), found)


def _best_first(found: list[Episode]) -> list[Episode]:
    return sorted(found, key=lambda row: (not row.is_open, "quit" not in row.anchors))


def _page(request: HttpRequest, care: Care, known: SmokeFree | None, form: Any) -> HttpResponse:
    context: dict[str, Any] = {"care": care, "known": known, "active": "smoke_free"}
    if known is not None and care.patient is not None:
        context |= {
            "form": form,
            "facts": facts_about_smoking(),
            "help": help_with_stopping(care.patient.clinic),
        }
    return render(request, "patients/smoke_free.html", context)


@require_safe
def smoke_free(request: HttpRequest) -> HttpResponse:
    """Days without, money saved, milestones, the plan for cravings, slips, and what it does for healing."""
    care = _care(request, "smoke_free.read")
    if care.patient is None:
        return no_record(request)
    known = _known(care)
    return _page(request, care, known, SlipForm(known=known) if known else None)


@require_http_methods(["GET", "POST"])
def smoke_free_plan(request: HttpRequest) -> HttpResponse:
    """Choose the smoke-free day, and write down what helps."""
    care = _care(request, "smoke_free.read")
    if care.patient is None:
        return no_record(request)
    known = _known(care)
    if known is None:
        return redirect("patients:smoke_free")
    form = SmokeFreePlanForm(request.POST or None, known=known)
    if form.is_valid() and _save(request, care, known, form):
        return redirect("patients:smoke_free")
    context = {"care": care, "known": known, "form": form, "active": "smoke_free"}
    return render(request, "patients/smoke_free_plan.html", context)


def _save(request: HttpRequest, care: Care, known: SmokeFree, form: SmokeFreePlanForm) -> bool:
    try:
        save_smoke_free_plan(episode=known.episode, by=care.reader, now=care.now, **form.kept)
    except ValidationError as error:
        form.add_error("quit_on" if hasattr(error, "error_dict") else None, error.messages)
        return False
    notes.success(request, _("Your plan is saved."))
    return True


@require_http_methods(["GET", "POST"])
def slip_log(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell of a slip of one episode. A GET, after signing in again, leads to the page."""
    episode = get_object_or_404(Episode.objects.own(request.user), pk=pk)
    care = _care(request, "smoke_free.read", episode.patient_id)
    known = _known(care, episode.pk)
    if request.method == "GET" or known is None:
        return redirect("patients:smoke_free")
    form = SlipForm(request.POST, known=known)
    if form.is_valid():
        try:
            slip = log_slip(
                episode=known.episode, by=care.reader, now=care.now, **form.cleaned_data
            )
            return _thanks(request, slip)
        except ValidationError as error:
            if not known.episode.is_open:
                notes.error(request, error.messages[0])
                return redirect("patients:smoke_free")
            form.add_error("on" if hasattr(error, "error_dict") else None, error.messages)
    return _page(request, care, known, form)


def _thanks(request: HttpRequest, slip: Slip) -> HttpResponse:
    notes.success(
        request,
        _(
            "Thank you for being honest. You start again from now. One slip does not undo what you did."
        ),
    )
    if slip.alerts.exists():
        words = _("Because surgery is near, we have told your team. They may call you to help.")
        notes.info(request, words)
    return redirect("patients:smoke_free")


@require_http_methods(["GET", "POST"])
def slip_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take back a slip told by mistake."""
    rows = Slip.objects.own(request.user).select_related("episode__patient__clinic")
    slip = get_object_or_404(rows, pk=pk)
    care = _care(request, "smoke_free.read", slip.episode.patient_id)
    if request.method == "POST":
        try:
            withdraw_slip(slip=slip, by=care.reader, now=care.now)
            notes.success(
                request, _("It is taken back. If your team was told, they still see that.")
            )
        except ValidationError as error:
            notes.error(request, error.messages[0])
    return redirect("patients:smoke_free")
