"""X-rays: what waits for a booking or a result, a day's list at once, the result, and its release to the patient."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from patients import actions
from patients.forms import XrayVisit
from patients.models import AppointmentKind, ImagingRequest
from patients.work_forms import ResultForm, XrayDay
from portal import audit, clock
from portal.day_words import date_format
from portal.models import Clinic
from portal.permissions import clinics_where, within
from portal.staff_forms import ConfirmForm
from portal.staff_site import page, staff_of
from reminders.staff_plan import title_of
from reminders.staff_views.appointments import booked_after_a_look, plan_again, visit_form
from reminders.staff_views.records import attempted, done, is_sent, patient_url, xray_or_404

# X-rays are worth booking this long before their window opens.
BOOK_AHEAD = timedelta(weeks=6)
RESULTS_KEPT_IN_SIGHT = timedelta(weeks=2)
MOST_XRAYS = 200
MOST_AT_ONCE = 60


@require_safe
def xrays(request: HttpRequest) -> HttpResponse:
    """X-rays by what is next: to be booked by window, taken and without a result, and results not released."""
    today = clock.today()
    to_book = list(_to_book(request, today)[:MOST_XRAYS])
    taken = list(_taken(request)[:MOST_XRAYS])
    patients = [row.episode.patient for row in (*to_book, *taken)]
    _note(request, [(row.clinic, row.pk) for row in patients])
    for row in (*to_book, *taken):
        row.title = title_of(row.step, row.episode.patient.clinic.language)
    return page(
        request, "admin/reminders/xrays.html", _("X-rays"), groups=_by_urgency(to_book, today),
        taken=_by_result(taken), today=today,
    )  # fmt: skip


def _to_book(request: HttpRequest, today: date, right: str = "imagingrequest.view") -> Any:
    rows = within(ImagingRequest.objects.visible_to(request.user).to_book(), request.user, right)
    rows = rows.filter(window_from__lte=today + BOOK_AHEAD, episode__patient__deceased_on=None)
    return _with_words(rows).order_by("window_until", "id")


def _taken(request: HttpRequest) -> Any:
    """What was taken, and has no result, or one that the patient cannot read yet."""
    rows = ImagingRequest.objects.visible_to(request.user)
    rows = within(rows, request.user, "imagingrequest.view").filter(
        status=ImagingRequest.Status.DONE, released_at=None, episode__patient__deceased_on=None
    )
    return _with_words(rows).order_by("appointment__starts_at", "id")


def _with_words(rows: Any) -> Any:
    found = rows.select_related(
        "episode__patient__clinic", "episode__procedure", "step", "appointment"
    )
    return found.prefetch_related("step__texts")


def _note(request: HttpRequest, rows: list[tuple[Clinic, UUID]]) -> None:
    audit.note_list(request, "imagingrequest.list", by=staff_of(request), rows=rows)


def _by_urgency(rows: list[Any], today: date) -> list[tuple[str, str, list[Any]]]:
    overdue = [row for row in rows if row.window_until < today]
    due = [row for row in rows if row.window_from <= today <= row.window_until]
    soon = [row for row in rows if row.window_from > today]
    return [
        (_("Overdue: the window is over"), "bad", overdue),
        (_("Due now: the window is open"), "warn", due),
        (_("Opens within six weeks"), "", soon),
    ]


def _by_result(rows: list[Any]) -> list[tuple[str, str, list[Any]]]:
    return [
        (_("Taken, without a result"), "warn", [row for row in rows if not row.resulted_at]),
        (_("With a result that the patient cannot read yet"), "", [row for row in rows if row.resulted_at]),
    ]  # fmt: skip


@require_http_methods(["GET", "POST"])
def book(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Book a slot for an X-ray that is due."""
    wanted = xray_or_404(request, pk, "imagingrequest.book")
    form = XrayVisit(request.POST or None, clinic=wanted.episode.patient.clinic)
    if answered := booked_after_a_look(request, wanted.episode, form, AppointmentKind.XRAY, wanted):
        return answered
    title = _("Book an X-ray for %(name)s") % {"name": wanted.episode.patient.name}
    intro = _("It is due between %(first)s and %(last)s.") % {
        "first": date_format(wanted.window_from, "j F Y"),
        "last": date_format(wanted.window_until, "j F Y"),
    }
    if wanted.status != ImagingRequest.Status.DUE:
        intro = _("This X-ray is booked or done already.")
    return visit_form(request, wanted.episode, form, title, intro)


@require_http_methods(["GET", "POST"])
def book_day(request: HttpRequest) -> HttpResponse:
    """Book several X-rays on one day, one after the other: the form, then the list of times, then the booking."""
    clinic = _chosen_clinic(request)
    rows = _to_book(request, clock.today(), "imagingrequest.book").filter(
        episode__patient__clinic=clinic
    )
    keys = list(rows.values_list("pk", flat=True)[:MOST_AT_ONCE])
    form = XrayDay(
        request.POST or None, clinic=clinic, requests=rows.filter(pk__in=keys),
        initial={"on": clock.today() + timedelta(days=1), "minutes": 15, "requests": request.GET.getlist("xray")},
    )  # fmt: skip
    _note(
        request,
        [(row.episode.patient.clinic, row.episode.patient_id) for row in rows.filter(pk__in=keys)],
    )
    act = _book_day if "confirm" in request.POST else _show_day
    if form.was_sent_before:
        return redirect("admin:xrays")
    if is_sent(request, form) and (answer := attempted(form, lambda: act(request, form))):
        return answer
    return page(
        request, "admin/reminders/xrays_day.html", _("Book a day's X-rays"), form=form, slots=None,
        button=_("Show the times"), has_any=bool(keys), clinic=clinic,
    )  # fmt: skip


def _chosen_clinic(request: HttpRequest) -> Clinic:
    """The clinic whose list it is: the one asked for, or the first at which the person books X-rays."""
    clinics = list(clinics_where(request.user, "imagingrequest.book").order_by("name"))
    wanted = request.GET.get("clinic") or request.POST.get("clinic")
    return next((row for row in clinics if str(row.pk) == wanted), clinics[0])


def _show_day(request: HttpRequest, form: XrayDay) -> HttpResponse:
    on = form.cleaned_data["on"]
    slots = [
        {"at": at, "row": row, "is_outside": not row.window_from <= on <= row.window_until}
        for at, row in form.slots
    ]
    return page(
        request, "admin/reminders/xrays_day.html", _("Book a day's X-rays"), form=form, slots=slots,
        on=on,
    )  # fmt: skip


def _book_day(request: HttpRequest, form: XrayDay) -> HttpResponse:
    if form.act_once():
        values = form.cleaned_data
        for at, row in form.slots:
            actions.book_appointment(
                episode=row.episode, kind=AppointmentKind.XRAY, on=values["on"], at=at, minutes=values["minutes"],
                location=values["location"], note=values["note"], imaging_request=row, by=staff_of(request),
                now=clock.now(),
            )  # fmt: skip
            plan_again(row.episode)
        words = ngettext("%(n)d X-ray is booked.", "%(n)d X-rays are booked.", len(form.slots))
        messages.success(request, words % {"n": len(form.slots)})
    return redirect("admin:xrays")


@require_http_methods(["GET", "POST"])
def result(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write, or correct, what an X-ray shows."""
    row = xray_or_404(request, pk, "imagingrequest.record_result")
    form = ResultForm(request.POST or None, initial={"result": row.result_note})
    patient = row.episode.patient
    if form.was_sent_before:
        return done(request, patient, "", is_first=False, part="xrays")
    if is_sent(request, form) and (answer := attempted(form, lambda: _result(request, row, form))):
        return answer
    taken = date_format(row.appointment.local_date, "j F Y") if row.appointment else "–"
    intro = _("Taken on %(day)s.") % {"day": taken}
    if row.status != ImagingRequest.Status.DONE:
        intro = _("This X-ray was not taken yet. Record the visit as attended first.")
    return page(
        request, "admin/form.html", _("Result of an X-ray of %(name)s") % {"name": patient.name}, form=form,
        patient=patient, episode=row.episode,
        intro=intro, button=_("Save the result"), back_url=patient_url(patient, "xrays"),
    )  # fmt: skip


def _result(request: HttpRequest, row: ImagingRequest, form: ResultForm) -> HttpResponse:
    by, now = staff_of(request), clock.now()
    is_first = form.act_once()
    if is_first:
        actions.record_result(
            imaging_request=row, result=form.cleaned_data["result"], by=by, now=now
        )
        if form.cleaned_data["release"]:
            actions.release_result(imaging_request=row, by=by, now=now)
    words = _("The result is saved.")
    return done(request, row.episode.patient, words, is_first=is_first, part="xrays")


@require_http_methods(["GET", "POST"])
def release(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let the patient read a result."""
    row = xray_or_404(request, pk, "imagingrequest.release")
    form = ConfirmForm(request.POST or None)
    if is_sent(request, form) and (answer := attempted(form, lambda: _release(request, row))):
        return answer
    intro = _("There is no result to release yet.")
    if row.result_note:
        words = _("From now on the patient, and whoever may see everything, reads: “%(result)s”")
        intro = words % {"result": row.result_note}
    return page(
        request, "admin/form.html", _("Release a result to %(name)s") % {"name": row.episode.patient.name},
        patient=row.episode.patient, episode=row.episode,
        form=form, intro=intro, button=_("Release it"), back_url=patient_url(row.episode.patient, "xrays"),
    )  # fmt: skip


def _release(request: HttpRequest, row: ImagingRequest) -> HttpResponse:
    is_first = actions.release_result(imaging_request=row, by=staff_of(request), now=clock.now())
    words = _("The patient can read the result now.")
    return done(request, row.episode.patient, words, is_first=is_first, part="xrays")


PAGES = (
    ("xrays/", xrays, "xrays"),
    ("xrays/day/", book_day, "xrays_day"),
    ("xrays/<uuid:pk>/book/", book, "xray_book"),
    ("xrays/<uuid:pk>/result/", result, "xray_result"),
    ("xrays/<uuid:pk>/release/", release, "xray_release"),
)
