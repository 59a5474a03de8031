"""Visits: booking, moving, cancelling, and what became of them. X-rays to book are in `xrays`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from patients import actions
from patients.forms import MoveVisit, VisitForm
from patients.models import Appointment, Episode, MoveRequest
from patients.visit_forms import AnswerWish
from portal import clock
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of
from reminders.actions import answer_wish
from reminders.reconciler import reconcile
from reminders.staff_views.records import (
    appointment_or_404,
    attempted,
    done,
    episode_or_404,
    is_sent,
    patient_url,
    wish_or_404,
)


@require_http_methods(["GET", "POST"])
def book(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Book a visit of an episode."""
    episode = episode_or_404(request, pk, "appointment.add")
    form = VisitForm(request.POST or None, clinic=episode.patient.clinic)
    if request.method == "POST" and form.is_valid():
        kind = form.cleaned_data["kind"]
        if answer := attempted(form, lambda: book_visit(request, episode, form, kind=kind)):
            return answer
    title = _("Book a visit for %(name)s") % {"name": episode.patient.name}
    return visit_form(request, episode, form, title, _("Book the visit"))


def book_visit(
    request: HttpRequest, episode: Episode, form: VisitForm, **what: Any
) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        names = ("on", "at", "minutes", "location", "note")
        actions.book_appointment(
            episode=episode, by=staff_of(request), now=clock.now(), **what,
            **{name: form.cleaned_data[name] for name in names},
        )  # fmt: skip
        plan_again(episode)
    return done(
        request, episode.patient, _("The visit is booked."), is_first=is_first, part="visits"
    )


def plan_again(episode: Episode) -> None:
    """Bring the plan up to date at once, so that the page shows it."""
    reconcile(episode, now=clock.now())


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a visit another time."""
    visit = appointment_or_404(request, pk, "appointment.move")
    form = MoveVisit(request.POST or None, initial={"on": visit.local_date, "at": visit.local_time})
    if is_sent(request, form) and (answer := attempted(form, lambda: _move(request, visit, form))):
        return answer
    return visit_form(
        request, visit.episode, form, _("Move: %(visit)s") % {"visit": visit}, _("Move the visit")
    )


def _move(request: HttpRequest, visit: Appointment, form: MoveVisit) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        values = {name: form.cleaned_data[name] for name in ("on", "at", "reason")}
        actions.move_appointment(appointment=visit, by=staff_of(request), now=clock.now(), **values)
        plan_again(visit.episode)
    return done(
        request, visit.episode.patient, _("The visit is moved."), is_first=is_first, part="visits"
    )


@require_http_methods(["GET", "POST"])
def wish(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer who asked for another time: move the visit or keep it, with a word to the patient."""
    row = wish_or_404(request, pk, "moverequest.answer")
    visit = row.appointment
    patient = visit.episode.patient
    form = AnswerWish(
        request.POST or None, initial={"on": visit.local_date, "at": visit.local_time}
    )
    if not row.is_open and request.method == "GET":
        return done(request, patient, "", is_first=False, part="visits")
    if is_sent(request, form) and (answer := attempted(form, lambda: _answer(request, row, form))):
        return answer
    return page(
        request, "admin/reminders/wish.html", _("Another time: %(visit)s") % {"visit": visit},
        form=form, button=_("Answer"), wish=row, visit=visit, patient=patient, episode=visit.episode,
        back_url=patient_url(patient, "visits"),
    )  # fmt: skip


def _answer(request: HttpRequest, row: MoveRequest, form: AnswerWish) -> HttpResponse:
    is_first = form.act_once() and answer_wish(
        wish=row, by=staff_of(request), now=clock.now(), **form.decided
    )
    words = _("The patient is told.")
    return done(request, row.appointment.episode.patient, words, is_first=is_first, part="visits")


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Call a visit off."""
    visit = appointment_or_404(request, pk, "appointment.cancel")
    return _outcome(
        request, visit, ReasonForm(request.POST or None), actions.cancel_appointment,
        _("Cancel: %(visit)s"), _("Cancel the visit"), _("An X-ray that was booked with it is to be booked again."),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def attended(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record that a visit took place."""
    visit = appointment_or_404(request, pk, "appointment.record_outcome")
    return _outcome(
        request, visit, ConfirmForm(request.POST or None), actions.mark_attended,
        _("Attended: %(visit)s"), _("Record as attended"), _("An X-ray that was booked with it counts as done."),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def missed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record that nobody came; for a child, was not brought. Nobody is written to."""
    visit = appointment_or_404(request, pk, "appointment.record_outcome")
    form = ReasonForm(request.POST or None)
    form.fields["reason"].required = False
    intro = _("No mail is sent about it. An X-ray that was booked with it is to be booked again.")
    is_child = visit.episode.patient.is_child_on(visit.local_date)
    title = _("Was not brought: %(visit)s") if is_child else _("Did not come: %(visit)s")
    return _outcome(request, visit, form, actions.mark_missed, title, _("Record it"), intro)


def _outcome(
    request: HttpRequest,
    visit: Appointment,
    form: Any,
    action: Any,
    title: str,
    button: str,
    intro: str,
) -> HttpResponse:
    if form.was_sent_before:
        return done(request, visit.episode.patient, "", is_first=False, part="visits")
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _record(request, visit, form, action))
    ):
        return answer
    return visit_form(request, visit.episode, form, title % {"visit": visit}, button, intro)


def _record(request: HttpRequest, visit: Appointment, form: Any, action: Any) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        details = {"reason": form.cleaned_data["reason"]} if "reason" in form.fields else {}
        action(appointment=visit, by=staff_of(request), now=clock.now(), **details)
        plan_again(visit.episode)
    return done(
        request, visit.episode.patient, _("It is recorded."), is_first=is_first, part="visits"
    )


def visit_form(
    request: HttpRequest, episode: Episode, form: Any, title: str, button: str, intro: str = ""
) -> HttpResponse:
    return page(
        request, "admin/form.html", title, form=form, button=button, intro=intro,
        back_url=patient_url(episode.patient, "visits"),
    )  # fmt: skip


PAGES = (
    ("episode/<uuid:pk>/visits/book/", book, "appointment_book"),
    ("visit/<uuid:pk>/move/", move, "appointment_move"),
    ("visit/wishes/<uuid:pk>/", wish, "wish_answer"),
    ("visit/<uuid:pk>/cancel/", cancel, "appointment_cancel"),
    ("visit/<uuid:pk>/attended/", attended, "appointment_attended"),
    ("visit/<uuid:pk>/missed/", missed, "appointment_missed"),
)
