"""A clinic's day for the clerk, and the physiotherapist's patients at a glance."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from patients.adherence import Caseload, caseload_of
from patients.exercise_days import DAYS
from patients.models import Appointment, Episode, ExerciseLog, Prescription
from portal import audit, clock
from portal.permissions import within
from portal.staff_site import page, staff_of
from reminders.readiness import ITEMS, lacking, operations

MOST = 200


@require_safe
def clinic_day(request: HttpRequest) -> HttpResponse:
    """Who is operated on, and who comes in for what, on one day; with how each can be reached."""
    today = clock.today()
    day = _day(request.GET.get("day", ""), today)
    rows = list(_operations(request, day)[:MOST])
    visits = list(_visits(request, day)[:MOST])
    _note(request, [row.episode.patient for row in (*rows, *visits)])
    return page(
        request, "admin/reminders/clinic_day.html", _("A clinic's day"), day=day, today=today, visits=visits,
        operations=[(row, _items(row)) for row in rows],
        before=day - timedelta(days=1), after=day + timedelta(days=1),
    )  # fmt: skip


def _day(text: str, today: date) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return today


def _operations(request: HttpRequest, day: date) -> Any:
    episodes = within(Episode.objects.visible_to(request.user), request.user, "episode.move")
    return operations(episodes, clock.today(), between=(day, day)).order_by(
        "episode__patient__family_name", "pk"
    )


def _visits(request: HttpRequest, day: date) -> Any:
    rows = within(Appointment.objects.visible_to(request.user), request.user, "episode.move")
    rows = rows.filter(local_date=day).exclude(status=Appointment.Status.CANCELLED)
    return rows.select_related("episode__patient__clinic", "location").order_by("starts_at", "pk")


def _items(row: Any) -> list[tuple[str, bool]]:
    missing = lacking(row)
    return [(str(item.label), item.key not in missing) for item in ITEMS]


def _note(request: HttpRequest, patients: list[Any]) -> None:
    listed = {(patient.clinic, patient.pk) for patient in patients}
    audit.note_list(request, "clinic_day.list", by=staff_of(request), rows=listed)


@require_safe
def caseload(request: HttpRequest) -> HttpResponse:
    """Everybody with exercises: how much of the last week was done, and how the pain is; who needs a look first."""
    today = clock.today()
    found = _caseload(request, today)
    listed = [(row.patient.clinic, row.patient.pk) for row in found]
    audit.note_list(request, "prescription.list", by=staff_of(request), rows=listed)
    return page(request, "admin/reminders/caseload.html", _("Exercises at a glance"), rows=found)


def _caseload(request: HttpRequest, today: date) -> list[Caseload]:
    """Three queries, however many patients there are."""
    rows = within(
        Prescription.objects.visible_to(request.user), request.user, "prescription.view"
    ).running(today)
    rows = rows.filter(episode__in=Episode.objects.open(), episode__patient__deceased_on=None)
    rows = rows.select_related("exercise", "episode__patient__clinic")
    logs = ExerciseLog.objects.visible_to(request.user).filter(
        prescription__in=rows.values("pk"), on__gt=today - timedelta(days=DAYS)
    )
    return caseload_of(list(rows), list(logs), today)


PAGES = (
    ("day/", clinic_day, "clinic_day"),
    ("exercises/", caseload, "caseload"),
)
