"""The lists of alerts and of check-ins for staff. Rows lead to the alert, or to the patient's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from patients import staff_views
from patients.models import Alert, CheckIn
from patients.record_admin import RecordAdmin
from portal.day_words import date_format
from portal.staff_admin import ClinicFilter, link

staff_views.add_pages(admin.site)

SEVERITY_COLOURS = {"emergency": "danger", "urgent": "warning", "call": "info"}


class AlertState(admin.SimpleListFilter):
    """By what still has to be done about it; without a choice, the open ones."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """New, in hand, resolved, all."""
        return [
            ("new", _("not acknowledged")),
            ("acknowledged", _("acknowledged, not resolved")),
            ("resolved", _("resolved")),
            ("all", _("all of them")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The alerts of the chosen state."""
        match self.value():
            case "new":
                return queryset.filter(resolved_at=None, acknowledged_at=None)
            case "acknowledged":
                return queryset.filter(resolved_at=None, acknowledged_at__isnull=False)
            case "resolved":
                return queryset.filter(resolved_at__isnull=False)
            case "all":
                return queryset
        # A page about one alert asks for it by its key, whatever its state.
        match = request.resolver_match
        return queryset if match and match.kwargs else queryset.filter(resolved_at=None)


@admin.register(Alert)
class AlertAdmin(RecordAdmin):
    """Warning signs, the open ones first of all."""

    patient_path = "patient"
    list_display = (
        "summary_link",
        "severity_label",
        "patient_link",
        "raised",
        "times",
        "state_label",
        "who",
    )
    list_display_links = None
    list_filter = (AlertState, "severity", ClinicFilter)
    list_select_related = ("patient__clinic", "acknowledged_by", "resolved_by")
    search_help_text = _("Name, record number, date of birth, or the sign")
    ordering = ("-raised_at", "id")

    def page_of(self, row: Alert) -> tuple[str, Any]:
        """The alert's own page."""
        return "alert_page", row.pk

    @display(description=_("warning sign"), ordering="summary")
    def summary_link(self, row: Alert) -> Any:
        """What it is, leading to its page."""
        return link("alert_page", row.pk, row.summary)

    @display(description=_("severity"), ordering="severity", label=SEVERITY_COLOURS)
    def severity_label(self, row: Alert) -> Any:
        """How pressing it is."""
        return row.severity, row.get_severity_display()

    @display(description=_("raised"), ordering="raised_at")
    def raised(self, row: Alert) -> str:
        """When it was told, by the clinic's clock."""
        return date_format(localtime(row.raised_at), "j M Y, H:i")

    @display(description=_("state"), label={"new": "danger", "resolved": "success"})
    def state_label(self, row: Alert) -> Any:
        """Where it stands."""
        words = {"new": _("new"), "acknowledged": _("acknowledged"), "resolved": _("resolved")}
        return row.state, words[row.state]

    @display(description=_("by"))
    def who(self, row: Alert) -> str:
        """Who saw to it last."""
        return str(row.resolved_by or row.acknowledged_by or "")


@admin.register(CheckIn)
class CheckInAdmin(RecordAdmin):
    """What patients and parents sent, the newest first."""

    patient_path = "episode__patient"
    list_display = ("sent", "patient_link", "sent_by", "flags_label")
    list_display_links = None
    list_filter = (ClinicFilter,)
    list_select_related = ("episode__patient__clinic", "by")
    ordering = ("-sent_at", "id")

    @display(description=_("sent"), ordering="sent_at")
    def sent(self, row: CheckIn) -> str:
        """When, by the clinic's clock."""
        return date_format(localtime(row.sent_at), "j M Y, H:i")

    @display(description=_("by"), ordering="by__name")
    def sent_by(self, row: CheckIn) -> str:
        """Who answered."""
        return str(row.by)

    @display(description=_("warning signs"), label=SEVERITY_COLOURS)
    def flags_label(self, row: CheckIn) -> Any:
        """What stood out."""
        return (row.severity, row.signs) if row.flags else None
