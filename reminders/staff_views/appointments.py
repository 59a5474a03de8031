"""Visits: booking, moving, cancelling, and what became of them. X-rays to book are in `xrays`."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from patients import actions
from patients.forms import MoveVisit, VisitForm
from patients.models import Appointment, Episode, ImagingRequest, MoveRequest
from patients.visit_forms import AnswerWish
from portal import clock
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of
from reminders import foreseen
from reminders.actions import answer_wish
from reminders.reconciler import reconcile
from reminders.staff_views import deeds
from reminders.staff_views.deeds import Deed
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
    """Book a visit of an episode: the form, then what it brings, then the booking."""
    episode = episode_or_404(request, pk, "appointment.add")
    form = VisitForm(request.POST or None, clinic=episode.patient.clinic)
    kind = form.cleaned_data["kind"] if form.is_bound and form.is_valid() else ""
    title = _("Book a visit for %(name)s") % {"name": episode.patient.name}
    return booked_after_a_look(request, episode, form, kind) or visit_form(
        request, episode, form, title
    )


def booked_after_a_look(
    request: HttpRequest,
    episode: Episode,
    form: VisitForm,
    kind: str,
    wanted: ImagingRequest | None = None,
) -> HttpResponse | None:
    """What booking a visit changes, and then the booking; None while the form has to be filled in."""
    if form.was_sent_before:
        return done(request, episode.patient, "", is_first=False, part="visits")
    if not is_sent(request, form):
        return None
    values, by, now = form.cleaned_data, staff_of(request), clock.now()
    visit = _imagined(episode, kind, values)

    def act() -> None:
        names = ("on", "at", "minutes", "location", "note")
        actions.book_appointment(
            episode=episode, by=by, now=now, kind=kind, imaging_request=wanted,
            **{name: values[name] for name in names},
        )  # fmt: skip
        plan_again(episode)

    return deeds.answer(request, Deed(
        episode, form, _("Book: %(visit)s") % {"visit": visit},
        foresee=lambda: foreseen.with_visit(episode=episode, visit=visit, now=now, wanted=wanted),
        act=act, said=_("The visit is booked."), part="visits", notes=_place(visit),
    ))  # fmt: skip


def _imagined(episode: Episode, kind: str, values: dict[str, Any]) -> Appointment:
    """The visit as it would be stored."""
    visit = Appointment(
        pk=foreseen.NOT_STORED, episode=episode, kind=kind, local_date=values["on"], local_time=values["at"],
        location=values["location"], time_zone=episode.patient.clinic.time_zone,
    )  # fmt: skip
    visit.starts_at = visit.derive_starts_at()
    return visit


def _place(visit: Appointment) -> list[str]:
    return [_("Place: %(place)s") % {"place": visit.location}] if visit.location else []


def plan_again(episode: Episode) -> None:
    """Bring the plan up to date at once, so that the page shows it."""
    reconcile(episode, now=clock.now())


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a visit another time: the form, then what follows it, then the move."""
    visit = appointment_or_404(request, pk, "appointment.move")
    form = MoveVisit(request.POST or None, initial={"on": visit.local_date, "at": visit.local_time})
    title = _("Move: %(visit)s") % {"visit": visit}
    if (
        form.is_bound
        and form.is_valid()
        and (answered := deeds.answer(request, _moving(request, visit, form)))
    ):
        return answered
    return visit_form(request, visit.episode, form, title)


def _moving(request: HttpRequest, visit: Appointment, form: MoveVisit) -> Deed:
    values = {name: form.cleaned_data[name] for name in ("on", "at", "reason")}
    by, now, moved = staff_of(request), clock.now(), copy(visit)
    moved.local_date, moved.local_time = values["on"], values["at"]
    moved.starts_at = moved.derive_starts_at()

    def act() -> None:
        actions.move_appointment(appointment=visit, by=by, now=now, **values)
        plan_again(visit.episode)

    return Deed(
        visit.episode, form, _("%(old)s moves to %(new)s") % {"old": visit, "new": moved},
        foresee=lambda: foreseen.with_visit(episode=visit.episode, visit=moved, now=now),
        act=act, said=_("The visit is moved."), part="visits",
    )  # fmt: skip


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
        Appointment.Status.CANCELLED, _("Cancel: %(visit)s"),
        [_("The people who get the mail are told once."), _("An X-ray that was booked with it is to be booked again.")],
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def attended(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record that a visit took place."""
    visit = appointment_or_404(request, pk, "appointment.record_outcome")
    return _outcome(
        request, visit, ConfirmForm(request.POST or None), actions.mark_attended,
        Appointment.Status.FULFILLED, _("Attended: %(visit)s"), [_("An X-ray that was booked with it counts as done.")],
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def missed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record that nobody came; for a child, was not brought. Nobody is written to."""
    visit = appointment_or_404(request, pk, "appointment.record_outcome")
    form = ReasonForm(request.POST or None)
    form.fields["reason"].required = False
    notes = [_("No mail is sent about it."), _("An X-ray that was booked with it is to be booked again.")]  # fmt: skip
    is_child = visit.episode.patient.is_child_on(visit.local_date)
    title = _("Was not brought: %(visit)s") if is_child else _("Did not come: %(visit)s")
    return _outcome(
        request, visit, form, actions.mark_missed, Appointment.Status.NO_SHOW, title, notes
    )


def _outcome(
    request: HttpRequest,
    visit: Appointment,
    form: Any,
    action: Callable[..., None],
    status: str,
    title: str,
    notes: list[str],
) -> HttpResponse:
    """Show what the end of a visit changes, then record it."""
    by, now, ended = staff_of(request), clock.now(), copy(visit)
    ended.status = status

    def act() -> None:
        details = {"reason": form.cleaned_data["reason"]} if "reason" in form.fields else {}
        action(appointment=visit, by=by, now=now, **details)
        plan_again(visit.episode)

    deed = Deed(
        visit.episode, form, title % {"visit": visit},
        foresee=lambda: foreseen.with_visit(episode=visit.episode, visit=ended, now=now),
        act=act, said=_("It is recorded."), part="visits", notes=notes,
    )  # fmt: skip
    return deeds.answer(request, deed) or visit_form(request, visit.episode, form, deed.title)


def visit_form(
    request: HttpRequest, episode: Episode, form: Any, title: str, intro: str = ""
) -> HttpResponse:
    """The form with which a deed on a visit begins."""
    next_page = _("Nothing is changed yet: the next page shows what changes in the plan.")
    return page(
        request, "admin/form.html", title, form=form, button=_("Show what changes"),
        intro=f"{intro} {next_page}".strip(), patient=episode.patient, episode=episode,
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
