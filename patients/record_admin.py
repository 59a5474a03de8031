"""What every list of patients' records has in common: each look at it is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from patients.models import AnchorDate, Patient
from portal import audit
from portal.models import Clinic
from portal.permissions import within
from portal.staff_admin import LeadingAdmin, link
from portal.staff_site import staff_of

# Patients whose keys are handed over one by one.
FEW = 200


class RecordAdmin(LeadingAdmin):
    """A list of rows that belong to patients. `patient_path` leads from a row to its patient."""

    patient_path = ""
    # What is looked through stands in `search`; the admin shows the field where this is not empty.
    search_fields: tuple[str, ...] = ("words",)
    search_help_text = _("Name, date of birth, record number, phone or email")

    def patient_of(self, row: Any) -> Patient:
        """The patient that a row belongs to."""
        for name in filter(None, self.patient_path.split("__")):
            row = getattr(row, name)
        patient: Patient = row
        return patient

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, and a note of whom it showed."""
        response = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            patients = [self.patient_of(row) for row in changelist.result_list]
            self._note(request, "list", [(row.clinic, row.id) for row in patients])
        return response

    def page_of(self, row: Any) -> tuple[str, Any]:
        """The patient's page, where everything about one patient stands."""
        return "patient_page", self.patient_of(row).pk

    def note_read(self, request: HttpRequest, row: Any) -> None:
        """Note that the answer shows one row."""
        patient = self.patient_of(row)
        audit.note_read(
            request, f"{self.noun}.view", obj=row, clinic=patient.clinic, patient_id=patient.pk
        )

    def search(
        self, request: HttpRequest, rows: models.QuerySet[Any], words: str
    ) -> models.QuerySet[Any]:
        """The rows of the patients whom the words can mean, whatever their accents and order."""
        if not words.strip():
            return rows
        found = patients_meant(request, words, f"{self.noun}.view")
        if not isinstance(found, list):
            # The rows are those of the person's clinics already; asked once more, every patient is looked at.
            found = Patient.objects.found_by(words).order_by().values("pk")
        return rows.filter(self.about(found))

    def about(self, patients: Any) -> Q:
        """The condition that a row is about one of these patients, given by their keys or by a query for them."""
        prefix = f"{self.patient_path}__" if self.patient_path else ""
        lookup = "in" if isinstance(patients, list) else "listed"
        return Q(**{f"{prefix}id__{lookup}": patients})

    def note_export(self, request: HttpRequest, rows: list[Any]) -> None:
        """Note of whom the file tells."""
        patients = [self.patient_of(row) for row in rows]
        self._note(request, "export", [(row.clinic, row.id) for row in patients])

    def _note(self, request: HttpRequest, verb: str, rows: list[tuple[Clinic, UUID]]) -> None:
        audit.note_list(request, f"{self.noun}.{verb}", by=staff_of(request), rows=rows)

    @display(description=_("patient"), ordering="family_name")
    def patient_link(self, row: Any) -> Any:
        """The patient's name, leading to their page."""
        patient = self.patient_of(row)
        return link("patient_page", patient.pk, f"{patient.family_name}, {patient.given_name}")


def patients_meant(request: HttpRequest, words: str, right: str) -> Any:
    """The patients whom the words can mean: their keys where they are few, else a query that finds them.

    With the keys in hand a database looks into its index, and does not walk a long table in its order.
    """
    rows = within(Patient.objects.visible_to(request.user), request.user, right).found_by(words)
    keys = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
    return keys if len(keys) <= FEW else rows.order_by().values("pk")


def surgery_day(path: str = "pk") -> Subquery:
    """The day of surgery of the episode that `path` leads to, for a list."""
    rows = AnchorDate.objects.filter(episode=OuterRef(path), anchor="surgery")
    return Subquery(rows.values("on")[:1])


class WindowFilter(admin.SimpleListFilter):
    """By where a day lies from today. `spans` gives each choice its name and its condition."""

    parameter_name = "when"
    spans: Mapping[str, tuple[Any, Callable[[], Q]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The spans, by name."""
        return [(key, label) for key, (label, _condition) in self.spans.items()]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The rows inside the span that was chosen."""
        chosen = self.spans.get(self.value() or "")
        return queryset.filter(chosen[1]()) if chosen else queryset
