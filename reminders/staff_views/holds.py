"""Stopping a step, a category or a whole plan, with a reason, and letting it go on: what changes is shown first."""

from __future__ import annotations

from typing import Any
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
from reminders.diff import Diff
from reminders.staff_forms import HoldForm
from reminders.staff_plan import Names, digest, held_words, sections, title_of
from reminders.staff_views.records import attempted, done, episode_or_404, is_sent, patient_url


@require_http_methods(["GET", "POST"])
def place(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop part of a plan: what, and why; then what changes; then the deed."""
    episode = episode_or_404(request, pk, "hold.add")
    form = HoldForm(request.POST or None, steps=_steps(episode))
    if form.was_sent_before:
        return done(request, episode.patient, "", is_first=False, part="plan")
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _place(request, episode, form))
    ):
        return answer
    return page(
        request, "admin/reminders/hold.html", _("Stop part of the plan"), episode=episode,
        patient=episode.patient, form=form, button=_("Show what changes"),
        back_url=patient_url(episode.patient, "plan"),
    )  # fmt: skip


def _steps(episode: Episode) -> list[tuple[str, str]]:
    language = episode.patient.clinic.language
    steps = episode.version.steps.prefetch_related("texts")
    return [(step.key, title_of(step, language)) for step in steps]


def _place(request: HttpRequest, episode: Episode, form: HoldForm) -> HttpResponse:
    held = _held(episode) | {form.target}
    return _shown_or_done(
        request, episode, form, held, _("Stop: %(what)s") % {"what": form.words},
        lambda: actions.hold(
            episode=episode, by=staff_of(request), now=clock.now(), reason=form.cleaned_data["reason"],
            **form.about,
        ),
        _("It is stopped. It can be lifted again at any time."),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def lift(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let part of a plan go on."""
    row = _hold_or_404(request, pk)
    episode, form = (
        episode_or_404(request, row.episode_id, "hold.lift"),
        ConfirmForm(request.POST or None),
    )
    if row.lifted_at or form.was_sent_before:
        return done(request, episode.patient, "", is_first=False, part="plan")
    title = _("Let it go on: %(what)s") % {"what": held_words(row, dict(_steps(episode)))}

    def act() -> HttpResponse:
        return _shown_or_done(
            request, episode, form, _held(episode) - {row.target}, title,
            lambda: actions.lift_hold(hold=row, by=staff_of(request), now=clock.now()),
            _("It goes on."),
        )  # fmt: skip

    if request.method == "POST" and form.is_valid() and (answer := attempted(form, act)):
        return answer
    return _show(request, episode, form, title, _preview(episode, _held(episode) - {row.target}))


def _hold_or_404(request: HttpRequest, pk: UUID) -> Hold:
    rows = within(Hold.objects.visible_to(request.user), request.user, "hold.lift")
    return get_object_or_404(rows.select_related("episode__patient__clinic"), pk=pk)


def _held(episode: Episode) -> frozenset[str]:
    return frozenset(row.target for row in episode.holds.all())


def _preview(episode: Episode, held: frozenset[str]) -> Diff:
    return actions.preview_holds(episode=episode, held=held, now=clock.now())


def _shown_or_done(
    request: HttpRequest,
    episode: Episode,
    form: Any,
    held: frozenset[str],
    title: str,
    act: Any,
    words: str,
) -> HttpResponse:
    """Show the diff; once it is confirmed, and still the one that was shown, act."""
    if "digest" not in request.POST:
        return _show(request, episode, form, title, _preview(episode, held))
    Episode.objects.select_for_update().get(pk=episode.pk)
    diff = _preview(episode, held)
    if digest(diff) != request.POST["digest"]:
        return _show(request, episode, form, title, diff, changed=True)
    is_first = form.act_once()
    if is_first:
        act()
    return done(request, episode.patient, words, is_first=is_first, part="plan")


def _show(
    request: HttpRequest,
    episode: Episode,
    form: Any,
    title: str,
    diff: Diff,
    *,
    changed: bool = False,
) -> HttpResponse:
    names = Names.of(episode.version, {item.key.recipient_id for item in diff.items})
    categories = {item.key.step: _category(item) for item in diff.items}
    return page(
        request, "admin/reminders/diff.html", title, episode=episode, patient=episode.patient, form=form,
        sections=sections(diff, names, categories), counts=diff.counts, digest=digest(diff), changed=changed,
        heading=title, may_change=isinstance(form, HoldForm),
    )  # fmt: skip


def _category(item: Any) -> str:
    return str(item.desired.rule.category if item.desired else item.existing.category)


PAGES = (
    ("episode/<uuid:pk>/hold/", place, "episode_hold"),
    ("hold/<uuid:pk>/lift/", lift, "hold_lift"),
)
