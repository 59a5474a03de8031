"""Stopping a step, a category or a whole plan, with a reason, and letting it go on: what changes is shown first."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from patients.models import Episode, Hold
from portal import clock
from portal.permissions import within
from portal.staff_forms import ConfirmForm
from portal.staff_site import page, staff_of
from reminders import actions
from reminders.staff_forms import HoldForm
from reminders.staff_plan import held_words, title_of
from reminders.staff_views import deeds
from reminders.staff_views.deeds import Deed
from reminders.staff_views.records import done, episode_or_404, patient_url


@require_http_methods(["GET", "POST"])
def place(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop part of a plan: what, and why; then what changes; then the deed."""
    episode = episode_or_404(request, pk, "hold.add")
    form = HoldForm(request.POST or None, steps=_steps(episode))
    if form.is_bound and form.is_valid():
        answered = deeds.answer(request, _placing(request, episode, form))
        if answered:
            return answered
    return page(
        request, "admin/reminders/hold.html", _("Stop part of the plan"), episode=episode,
        patient=episode.patient, form=form, button=_("Show what changes"),
        back_url=patient_url(episode.patient, "plan"),
    )  # fmt: skip


def _placing(request: HttpRequest, episode: Episode, form: HoldForm) -> Deed:
    by, now, reason = staff_of(request), clock.now(), form.cleaned_data["reason"]
    held = _held(episode) | {form.target}
    return Deed(
        episode, form, _("Stop: %(what)s") % {"what": form.words},
        foresee=lambda: actions.preview_holds(episode=episode, held=held, now=now),
        act=lambda: actions.hold(episode=episode, by=by, now=now, reason=reason, **form.about),
        said=_("It is stopped. It can be lifted again at any time."),
    )  # fmt: skip


def _steps(episode: Episode) -> list[tuple[str, str]]:
    language = episode.patient.clinic.language
    steps = episode.version.steps.prefetch_related("texts")
    return [(step.key, title_of(step, language)) for step in steps]


@require_http_methods(["GET", "POST"])
def lift(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let part of a plan go on."""
    row = _hold_or_404(request, pk)
    episode = episode_or_404(request, row.episode_id, "hold.lift")
    if row.lifted_at:
        return done(request, episode.patient, "", is_first=False, part="plan")
    by, now, held = staff_of(request), clock.now(), _held(episode) - {row.target}
    deed = Deed(
        episode, ConfirmForm(request.POST or None),
        _("Let it go on: %(what)s") % {"what": held_words(row, dict(_steps(episode)))},
        foresee=lambda: actions.preview_holds(episode=episode, held=held, now=now),
        act=lambda: actions.lift_hold(hold=row, by=by, now=now),
        said=_("It goes on."),
    )  # fmt: skip
    return deeds.answer(request, deed) or deeds.show(request, deed)


def _hold_or_404(request: HttpRequest, pk: UUID) -> Hold:
    rows = within(Hold.objects.visible_to(request.user), request.user, "hold.lift")
    return get_object_or_404(rows.select_related("episode__patient__clinic"), pk=pk)


def _held(episode: Episode) -> frozenset[str]:
    return frozenset(row.target for row in episode.holds.all())


PAGES = (
    ("episode/<uuid:pk>/hold/", place, "episode_hold"),
    ("hold/<uuid:pk>/lift/", lift, "hold_lift"),
)
