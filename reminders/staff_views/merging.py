"""Making two records of one person one: finding the other, seeing what would happen, doing it, and the log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from patients.models import Merge, Patient
from patients.names import are_alike
from portal import audit, clock
from portal.models import User
from portal.permissions import within
from portal.staff_forms import StaffForm
from portal.staff_site import page, staff_of
from reminders.merging import MergePreview, merge, preview
from reminders.staff_views.records import attempted, done, patient_or_404, patient_url

MERGES_SHOWN = 100


class OtherRecord(StaffForm):
    """The record that is to end in the other."""

    record_number = forms.CharField(
        label=gettext_lazy("Record number of the other record"), max_length=40,
        help_text=gettext_lazy("Everything in it goes over. Its number still finds the patient afterwards."),
    )  # fmt: skip


class MergeForm(OtherRecord):
    """What was seen, which login stays, and why."""

    login = forms.ChoiceField(
        label=gettext_lazy("Which login stays"), required=False, widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label=gettext_lazy("How you know that it is one person"), max_length=200
    )
    digest = forms.CharField(widget=forms.HiddenInput, required=False)
    is_stale = False  # Whether what was seen is no longer so.

    def __init__(self, *args: Any, logins: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["record_number"].widget = forms.HiddenInput()
        if len(logins) < 2:
            del self.fields["login"]
        else:
            choices = [(str(user.pk), user.email) for user in logins]
            self.offer("login", choices)
            self.fields["login"].initial = choices[0][0]


@require_http_methods(["GET", "POST"])
def patient_merge(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Find the other record, show what would go over, and do it once that was seen."""
    kept = patient_or_404(request, pk, "patient.merge")
    first = OtherRecord(request.POST or None)
    if request.method != "POST" or not first.is_valid():
        return _ask(request, kept, first)
    try:
        ended = _other(request, kept, first.cleaned_data["record_number"].strip())
        seen = preview(kept=kept, ended=ended)
    except ValidationError as error:
        first.refuse(error)
        return _ask(request, kept, first)
    return _confirm(request, kept, ended, seen)


def _other(request: HttpRequest, kept: Patient, number: str) -> Patient:
    rows = within(Patient.objects.visible_to(request.user), request.user, "patient.merge")
    ended = (
        rows.filter(clinic=kept.clinic, record_number=number)
        .select_related("clinic", "user")
        .first()
    )
    if ended is None:
        raise ValidationError({"record_number": _("No record of this clinic has this number.")})
    audit.note_read(request, "patient.view", obj=ended, clinic=ended.clinic, patient_id=ended.pk)
    return ended


def _ask(request: HttpRequest, kept: Patient, form: OtherRecord) -> HttpResponse:
    born = within(Patient.objects.visible_to(request.user), request.user, "patient.merge").filter(
        clinic=kept.clinic, birth_date=kept.birth_date
    )
    mine = (kept.given_name, kept.family_name)
    alike = [
        row
        for row in born.exclude(pk=kept.pk)
        if are_alike((row.given_name, row.family_name), mine)
    ]
    rows = [(row.clinic, row.pk) for row in alike]
    audit.note_list(request, "patient.list", by=staff_of(request), rows=rows)
    return page(
        request, "admin/reminders/merge_find.html",
        _("Merge another record into that of %(name)s") % {"name": kept.name},
        form=form, kept=kept, alike=alike, back_url=patient_url(kept),
    )  # fmt: skip


def _confirm(
    request: HttpRequest, kept: Patient, ended: Patient, seen: MergePreview
) -> HttpResponse:
    has_seen = "digest" in request.POST
    initial = {"record_number": ended.record_number, "digest": seen.digest}
    form = MergeForm(request.POST if has_seen else None, logins=seen.logins, initial=initial)
    if has_seen and form.was_sent_before:
        return done(request, kept, "", is_first=False)
    if has_seen and form.is_valid():
        if form.cleaned_data["digest"] != seen.digest:
            form = MergeForm(logins=seen.logins, initial=initial)
            form.is_stale = True
        elif answer := attempted(form, lambda: _merge(request, kept, ended, seen, form)):
            return answer
    return page(
        request, "admin/reminders/merge.html", _("Merge two records"), form=form, kept=kept, ended=ended, seen=seen,
        back_url=reverse("admin:patient_merge", args=[kept.pk]),
    )  # fmt: skip


def _merge(
    request: HttpRequest, kept: Patient, ended: Patient, seen: MergePreview, form: MergeForm
) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        chosen = form.cleaned_data.get("login")
        login = next((user for user in seen.logins if str(user.pk) == chosen), None)
        merge(
            kept=kept, ended=ended, login=login, by=staff_of(request), now=clock.now(),
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
    return done(request, kept, _("The two records are one now."), is_first=is_first)


def merged_into(request: HttpRequest, pk: UUID) -> UUID | None:
    """The record that goes on for one that was merged, at a clinic of the person's own."""
    rows = within(
        Patient.objects.filter(pk=pk, merged_into__isnull=False), request.user, "patient.view"
    )
    found: UUID | None = rows.values_list("merged_into", flat=True).first()
    return found


@require_safe
def merges(request: HttpRequest) -> HttpResponse:
    """Which records were merged, by whom, and what went where."""
    rows = within(Merge.objects.all(), request.user, "merge.view")
    found = list(rows.select_related("kept", "ended", "by", "clinic")[:MERGES_SHOWN])
    audit.note_list(
        request, "merge.list", by=staff_of(request), rows=[(row.clinic, row.kept_id) for row in found]
    )  # fmt: skip
    return page(request, "admin/reminders/merges.html", _("Merged records"), rows=found)


PAGES = (
    ("patient/<uuid:pk>/merge/", patient_merge, "patient_merge"),
    ("merges/", merges, "merges"),
)
