"""What every list of patients' records has in common: each look at it is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from patients.models import AnchorDate, Patient
from portal import audit
from portal.staff_admin import StaffAdmin, link
from portal.staff_site import staff_of


class RecordAdmin(StaffAdmin):
    """A list of rows that belong to patients. `patient_path` leads from a row to its patient."""

    patient_path = ""
    search_fields: tuple[str, ...] = ("given_name", "family_name", "record_number")
    search_help_text = _("Name, record number or date of birth")

    def patient_of(self, row: Any) -> Patient:
        """The patient that a row belongs to."""
        for name in filter(None, self.patient_path.split("__")):
            row = getattr(row, name)
        patient: Patient = row
        return patient

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The list, and a note of whom it showed."""
        response = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            patients = [self.patient_of(row) for row in changelist.result_list]
            audit.note_list(
                request,
                f"{self.noun}.list",
                by=staff_of(request),
                rows=[(row.clinic, row.id) for row in patients],
            )
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the patient's page, where everything about one patient stands."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return redirect("admin:patient_page", self.patient_of(row).pk)

    def note_read(self, request: HttpRequest, row: Any) -> None:
        """Note that the answer shows one row."""
        patient = self.patient_of(row)
        audit.note_read(
            request, f"{self.noun}.view", obj=row, clinic=patient.clinic, patient_id=patient.pk
        )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """By words, or by date of birth when the words are a date."""
        born_on = _as_date(search_term)
        if born_on:
            path = f"{self.patient_path}__birth_date" if self.patient_path else "birth_date"
            return queryset.filter(**{path: born_on}), False
        return super().get_search_results(request, queryset, search_term)

    @display(description=_("patient"), ordering="family_name")
    def patient_link(self, row: Any) -> Any:
        """The patient's name, leading to their page."""
        patient = self.patient_of(row)
        return link("patient_page", patient.pk, f"{patient.family_name}, {patient.given_name}")


def person_search(path: str) -> tuple[str, ...]:
    """The fields of a patient reached over `path` that a search looks through."""
    return tuple(f"{path}__{name}" for name in RecordAdmin.search_fields)


def surgery_day(path: str = "pk") -> Subquery:
    """The day of surgery of the episode that `path` leads to, for a list."""
    rows = AnchorDate.objects.filter(episode=OuterRef(path), anchor="surgery")
    return Subquery(rows.values("on")[:1])


def _as_date(words: str) -> date | None:
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y"):
        try:
            return datetime.strptime(words.strip(), form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


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
