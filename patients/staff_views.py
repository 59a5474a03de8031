"""Staff pages about alerts: what was told, who is on it, and what was done about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from patients.actions import acknowledge_alert, resolve_alert
from patients.forms import ResolveAlert
from patients.models import Alert
from patients.staff_reading import in_clinics_words
from portal import audit, clock
from portal.permissions import may, within
from portal.staff_forms import ConfirmForm
from portal.staff_site import page, staff_of


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("alerts/<uuid:pk>/", alert, "alert_page")
    site.add_page("alerts/<uuid:pk>/acknowledge/", acknowledge, "alert_acknowledge")
    site.add_page("alerts/<uuid:pk>/resolve/", resolve, "alert_resolve")


def _alert_or_404(request: HttpRequest, pk: UUID, right: str) -> Alert:
    """An alert of a clinic where the person holds `right`; the read is noted."""
    rows = within(Alert.objects.visible_to(request.user), request.user, right)
    rows = rows.select_related(
        "patient__clinic", "episode__procedure", "episode__patient__clinic", "check_in__by",
        "check_in__questionnaire", "slip__by", "acknowledged_by", "resolved_by",
    )  # fmt: skip
    found: Alert = get_object_or_404(rows, pk=pk)
    audit.note_read(
        request, right, obj=found, clinic=found.patient.clinic, patient_id=found.patient_id
    )
    return found


@require_safe
def alert(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One alert with the check-in that told it, and the ways to see to it."""
    return _page(request, _alert_or_404(request, pk, "alert.view"), ResolveAlert())


def _page(request: HttpRequest, row: Alert, form: ResolveAlert) -> HttpResponse:
    clinic = row.patient.clinic_id
    return page(
        request, "admin/patients/alert.html", str(row.summary), alert=row, patient=row.patient,
        episode=row.episode, answers=in_clinics_words(row.check_in) if row.check_in else [], form=form,
        confirm=ConfirmForm(),
        may_acknowledge=may(request.user, "alert.acknowledge", clinic),
        may_resolve=may(request.user, "alert.resolve", clinic),
    )  # fmt: skip


@require_POST
def acknowledge(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one has seen it and is on it."""
    row = _alert_or_404(request, pk, "alert.acknowledge")
    if acknowledge_alert(alert=row, by=staff_of(request), now=clock.now()):
        messages.success(request, _("You have acknowledged the alert."))
    else:
        messages.info(request, _("Somebody was faster: the alert is as you see it now."))
    return redirect("admin:alert_page", pk)


@require_http_methods(["POST"])
def resolve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Close it, with a note of what was done."""
    row = _alert_or_404(request, pk, "alert.resolve")
    form = ResolveAlert(request.POST)
    if not form.is_valid():
        return _page(request, row, form)
    try:
        is_first = resolve_alert(
            alert=row, by=staff_of(request), now=clock.now(), note=form.cleaned_data["note"]
        )
    except ValidationError as error:
        form.refuse(error)
        return _page(request, row, form)
    if is_first:
        messages.success(request, _("The alert is resolved."))
    else:
        messages.info(request, _("Somebody was faster: the alert is as you see it now."))
    return redirect("admin:alert_page", pk)
