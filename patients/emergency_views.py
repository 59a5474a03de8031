"""Staff pages for emergencies: opening the record of another clinic's patient, reading it, and the look afterwards."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions.oversight import open_in_emergency, review_emergency
from patients.models import CheckIn, EmergencyAccess, Episode, Patient
from portal import audit, clock
from portal.models import Clinic
from portal.permissions import clinics_where, may, within
from portal.staff_forms import StaffForm
from portal.staff_site import page, staff_of
from procedures.timing import anchor_name

SHOWN = 100
CHECK_INS_SHOWN = 5


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("emergency/", emergency, "emergency")
    site.add_page("emergency/<uuid:pk>/", emergency_record, "emergency_record")
    site.add_page("emergencies/", emergencies, "emergencies")
    site.add_page("emergencies/<uuid:pk>/", emergency_review, "emergency_review")


class EmergencyForm(StaffForm):
    """Whom one means, exactly, and why it cannot wait."""

    from_clinic = forms.ModelChoiceField(
        Clinic.objects.none(), label=gettext_lazy("You are working at"), empty_label=None
    )
    family_name = forms.CharField(label=gettext_lazy("Family name of the patient"), max_length=80)
    birth_date = forms.DateField(label=gettext_lazy("Date of birth"))
    record_number = forms.CharField(
        label=gettext_lazy("Record number, if you know it"), max_length=40, required=False
    )
    reason = forms.CharField(
        label=gettext_lazy("Why do you have to see this record now?"), max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("A manager of that clinic reads this. The patient sees that you opened the record."),
    )  # fmt: skip

    def __init__(self, *args: Any, clinics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("from_clinic", clinics)


class ReviewForm(StaffForm):
    """What came of looking at an emergency."""

    note = forms.CharField(
        label=gettext_lazy("What you found"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_http_methods(["GET", "POST"])
def emergency(request: HttpRequest) -> HttpResponse:
    """Open the record of a patient of another clinic, for an hour."""
    clinics = clinics_where(request.user, "emergencyaccess.add")
    form = EmergencyForm(request.POST or None, clinics=clinics)
    if request.method == "POST" and form.is_valid():
        names = ("from_clinic", "family_name", "birth_date", "record_number", "reason")
        try:
            access = open_in_emergency(
                **{name: form.cleaned_data[name] for name in names}, by=staff_of(request), now=clock.now()
            )  # fmt: skip
            return redirect("admin:emergency_record", access.patient_id)
        except ValidationError as error:
            form.refuse(error)
    intro = _(
        "For a patient of another clinic whom you have to treat now. You see the record for one hour, and can change "
        "nothing. It is written down, a manager of that clinic looks at it, and the patient sees it."
    )
    return page(
        request, "admin/form.html", _("Open a record in an emergency"), form=form, intro=intro,
        button=_("Open the record"), danger=True, back_url=reverse("admin:index"),
    )  # fmt: skip


@require_safe
def emergency_record(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What matters in an emergency, while the access lasts. Raises Http404 without one."""
    now = clock.now()
    rows = Patient.objects.opened_in_emergency(request.user, now).select_related("clinic", "user")
    patient = get_object_or_404(rows, pk=pk)
    access = EmergencyAccess.objects.filter(patient=patient, user=staff_of(request)).first()
    audit.note_read(
        request, "emergency.view", obj=patient, clinic=patient.clinic, patient_id=patient.pk
    )
    return page(
        request, "admin/patients/emergency_record.html", patient.name, patient=patient, access=access,
        episodes=_episodes(patient),
        carers=patient.related_people.live(now.date()).select_related("user"),
        alerts=patient.alerts.open().most_pressing_first(),
        check_ins=_last_check_ins(patient),
    )  # fmt: skip


def _episodes(patient: Patient) -> list[tuple[Episode, list[tuple[str, date]]]]:
    """Each operation with its dates in words, the earliest first."""
    rows = Episode.objects.filter(patient=patient).select_related("procedure", "surgeon")
    return [
        (row, sorted(((anchor_name(key), on) for key, on in row.anchors.items()), key=lambda pair: pair[1]))
        for row in rows.prefetch_related("anchor_dates")
    ]  # fmt: skip


def _last_check_ins(patient: Patient) -> Any:
    """The last check-ins, newest first."""
    rows = CheckIn.objects.filter(episode__patient=patient).order_by("-sent_at")
    return rows[:CHECK_INS_SHOWN]


@require_safe
def emergencies(request: HttpRequest) -> HttpResponse:
    """Which records of one's clinics were opened in an emergency, those not looked at first."""
    rows = within(
        EmergencyAccess.objects.visible_to(request.user), request.user, "emergencyaccess.view"
    )
    found = list(
        rows.select_related("user", "patient", "clinic", "from_clinic", "seen_by").order_by(
            "-seen_at", "-created_at"
        )[:SHOWN]
    )
    audit.note_list(
        request, "emergency.list", by=staff_of(request), rows=[(row.clinic, row.patient_id) for row in found]
    )  # fmt: skip
    return page(
        request, "admin/patients/emergencies.html", _("Records opened in an emergency"),
        rows=[(row, may(request.user, "emergencyaccess.review", row.clinic_id)) for row in found],
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def emergency_review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Look at one emergency, and note what came of it."""
    rows = within(
        EmergencyAccess.objects.visible_to(request.user), request.user, "emergencyaccess.review"
    )
    access = get_object_or_404(
        rows.select_related("user", "patient", "clinic", "from_clinic"), pk=pk
    )
    if access.seen_at is not None and request.method == "GET":
        raise Http404
    form = ReviewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            is_first = review_emergency(
                access=access, by=staff_of(request), now=clock.now(), note=form.cleaned_data["note"]
            )
            words = (
                _("It is noted.")
                if is_first
                else _("Somebody was faster: it was looked at already.")
            )
            messages.success(request, words)
            return redirect("admin:emergencies")
        except ValidationError as error:
            form.refuse(error)
    intro = _("%(who)s opened the record of %(patient)s. Reason given: %(reason)s")
    return page(
        request, "admin/form.html", _("Look at an emergency"), form=form, button=_("Keep the note"),
        intro=intro % {"who": access.user, "patient": access.patient, "reason": access.reason},
        back_url=reverse("admin:emergencies"),
    )  # fmt: skip
