"""The audit trail, for managers and auditors: found by patient, person, deed and time. Nobody can change it here."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from patients.models import Patient
from patients.staff_trail import for_staff, verbs_meant
from portal import audit
from portal.models import AuditEvent, User
from portal.permissions import within
from portal.staff_admin import ClinicFilter, StaffAdmin

# Patients whose name fits a search; more would be a question too wide to answer.
MOST_PATIENTS = 200


@admin.register(AuditEvent)
class AuditEventAdmin(StaffAdmin):
    """Who did what to which record, when and from where. Newest first."""

    list_display = ("when", "who", "deed", "words", "about", "clinic", "from_where")
    # Whoever works on with the file sorts by the deed as it is stored.
    also_exported = ("verb",)
    list_filter = ("action", ("recorded_at", RangeDateTimeFilter), ClinicFilter)
    list_filter_submit = True
    list_select_related = ("clinic",)
    search_fields = ("actor_label", "verb")
    search_help_text = _("Patient, member of staff, or what was done, such as opened the record")
    ordering = ("-id",)
    fields = readonly_fields = (
        "when", "who", "what", "words", "verb", "about", "clinic", "object_type", "object_id",
        "was", "became", "reason", "from_where",
    )  # fmt: skip

    def search(
        self, request: HttpRequest, rows: models.QuerySet[Any], words: str
    ) -> models.QuerySet[Any]:
        """By the patients and the persons whom the words can mean; and by deed."""
        if not words.strip():
            return rows
        # Each of the three has its index; without one of them the whole trail would be read.
        patients = _patients_meant(request, words)
        actors = _actors_meant(words, patients)
        verbs = [words.strip().lower(), *verbs_meant(words)]
        return rows.filter(Q(patient_id__in=patients) | Q(actor__in=actors) | Q(verb__in=verbs))

    def note_export(self, request: HttpRequest, rows: list[AuditEvent]) -> None:
        """Note that the trail was taken away, and of which clinics."""
        for clinic in {row.clinic for row in rows if row.clinic}:
            audit.note_read(
                request, "auditevent.export", obj=clinic, clinic=clinic, patient_id=None
            )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """The list, with the names of the patients on this page in one further query."""
        response = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            ids = {row.patient_id for row in changelist.result_list}
            names = Patient.objects.visible_to(request.user).in_bulk(ids - {None})
            for row in changelist.result_list:
                row.patient_name = names.get(row.patient_id, "")
        return response

    @display(description=_("when"), ordering="id")
    def when(self, row: AuditEvent) -> str:
        """The moment it was written, to the second."""
        return f"{timezone.localtime(row.recorded_at):%d %b %Y %H:%M:%S}"

    @display(
        description=_("what"), ordering="action",
        label={"R": "info", "D": "danger", "U": "warning", "C": "success", "E": "info"},
    )  # fmt: skip
    def deed(self, row: AuditEvent) -> Any:
        """Read, added, changed, removed or carried out."""
        return row.action, row.get_action_display()

    @display(description=_("what"))
    def what(self, row: AuditEvent) -> str:
        """The same, on the event's own page."""
        return row.get_action_display()

    @display(description=_("who"), ordering="actor_label")
    def who(self, row: AuditEvent) -> str:
        """The name at the time."""
        return row.actor_label

    @display(description=_("from where"))
    def from_where(self, row: AuditEvent) -> str:
        """The network address."""
        return row.address or ""

    @display(description=_("in words"))
    def words(self, row: AuditEvent) -> str:
        """What was done, as a person would say it."""
        return for_staff(row)

    @display(description=_("about"))
    def about(self, row: Any) -> Any:
        """The patient, where there is one; how many, for a list."""
        if row.patient_id:
            return (
                getattr(row, "patient_name", None)
                or Patient.objects.filter(pk=row.patient_id).first()
            )
        listed = len(row.after.get("patients", ())) if row.verb.endswith(".list") else 0
        return _("%(count)d patients in a list") % {"count": listed} if listed else row.object_type

    @display(description=_("before"))
    def was(self, row: AuditEvent) -> Any:
        """What the record said."""
        return _pretty(row.before)

    @display(description=_("after"))
    def became(self, row: AuditEvent) -> Any:
        """What it says since."""
        listed = row.after.get("patients")
        return _names(listed) if listed else _pretty(row.after)


def _patients_meant(request: HttpRequest, words: str) -> list[Any]:
    """The keys of the patients, and of the records that were merged into theirs."""
    rows = within(Patient.objects.visible_to(request.user), request.user, "auditevent.view")
    found = rows.found_by(words).order_by()
    keys = list(found.values_list("pk", flat=True)[:MOST_PATIENTS])
    former = Patient.objects.filter(merged_into__in=keys)
    return [*keys, *former.values_list("pk", flat=True)]


def _names(keys: list[str]) -> Any:
    """The patients of a list by their names; one that is gone by its key."""
    known = {str(row.pk): row for row in Patient.objects.filter(pk__in=keys)}
    lines = (
        (f"{row.name}, {row.record_number}" if (row := known.get(key)) else key,) for key in keys
    )
    return format_html_join("", "<p>{}</p>", sorted(lines))


def _actors_meant(words: str, patients: list[Any]) -> list[Any]:
    """The keys of staff by their name, of whoever has the address, and of those patients and their carers."""
    staff = User.objects.filter(is_staff=True, name__icontains=words.strip())
    named = User.objects.filter(email__iexact=words.strip())
    own = User.objects.filter(patient__in=patients)
    carers = User.objects.filter(cares_for__patient__in=patients)
    keys = [rows.order_by().values_list("pk", flat=True) for rows in (staff, named, own, carers)]
    return list(keys[0].union(*keys[1:])[:MOST_PATIENTS])


def _pretty(values: dict[str, Any]) -> Any:
    return (
        format_html("<pre>{}</pre>", json.dumps(values, indent=2, ensure_ascii=False))
        if values
        else ""
    )
