"""Lists of patients, episodes, appointments and X-ray requests for staff. Rows lead to the patient's page.

Nothing is written here: what staff do to a record has its own pages (`reminders.staff_views`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from patients import alert_admin, audit_admin, emergency_views, import_views
from patients.bulk_admin import EpisodeBulk, VisitBulk
from patients.models import AnchorDate, Appointment, Episode, ImagingRequest, Patient
from patients.record_admin import RecordAdmin, WindowFilter, surgery_day
from portal import actions as portal_actions
from portal import clock
from portal.bulk_actions import Line, preview_then_act
from portal.models import Invitation
from portal.permissions import within
from portal.staff_admin import ClinicFilter, link
from portal.staff_forms import ConfirmForm
from portal.staff_site import staff_of
from procedures.timeline import title_of

__all__ = ["alert_admin", "audit_admin"]

import_views.add_pages(admin.site)
emergency_views.add_pages(admin.site)


class Reach(admin.SimpleListFilter):
    """By whether mail can reach anybody."""

    title = _("login")
    parameter_name = "login"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """With a login that was used, with one that was not, without any."""
        return [
            ("used", _("has signed in")),
            ("unused", _("never signed in")),
            ("none", _("no login of their own")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The patients of the chosen kind."""
        conditions = {
            "used": Q(user__last_login__isnull=False),
            "unused": Q(user__isnull=False, user__last_login=None),
            "none": Q(user=None),
        }
        condition = conditions.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


class SurgeryWhen(WindowFilter):
    """By the day of surgery."""

    title = _("surgery")
    # Each span's name, and its first and last day counted from today; None is for those without a day.
    days: Mapping[str, tuple[Any, tuple[int, int] | None]] = {
        "soon": (_("in the next 14 days"), (0, 14)),
        "six_weeks": (_("in the next 6 weeks"), (0, 42)),
        "recent": (_("in the last 6 weeks"), (-42, -1)),
        "none": (_("no date yet"), None),
    }
    spans = {key: (label, Q) for key, (label, _days) in days.items()}

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The rows whose day lies in the span. The index over days finds them; then each is looked at itself."""
        if self.value() not in self.days:
            return queryset
        span = self.days[self.value() or ""][1]
        days = AnchorDate.objects.filter(anchor="surgery")
        if span is None:
            return queryset.filter(~Exists(days.filter(**{_row_of(queryset): OuterRef("pk")})))
        today = clock.today()
        between = (today + timedelta(days=span[0]), today + timedelta(days=span[1]))
        found = days.filter(on__range=between).values(_row_of(queryset))
        return queryset.filter(pk__in=found, surgery_day__range=between)


def _row_of(rows: models.QuerySet[Any]) -> str:
    """The path from a day of surgery to the row of a list that shows it."""
    return "episode__patient" if rows.model is Patient else "episode"


@admin.register(Patient)
class PatientAdmin(RecordAdmin):
    """Patients, each with the latest operation."""

    list_display = (
        "patient_link",
        "record_number",
        "birth_date",
        "operation",
        "surgery",
        "email",
        "flags",
    )
    list_display_links = None
    list_filter = (SurgeryWhen, Reach, "uses_nicotine", "is_restricted", ClinicFilter)
    list_select_related = ("clinic", "user")
    ordering = ("family_name", "given_name", "id")

    actions = ("invite_chosen",)

    @action(description=_("Invite those chosen"), permissions=("invite",))
    def invite_chosen(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """Send a link to set up their login to those who have none that was used."""
        accepted = Invitation.objects.filter(user=OuterRef("user"), accepted_at__isnull=False)
        rows = within(queryset.select_related("clinic", "user"), request.user, "patient.invite")
        rows = rows.annotate(has_accepted=Exists(accepted))
        by, now = staff_of(request), clock.now()

        def invite(row: Patient) -> None:
            if row.user is not None:
                portal_actions.invite(user=row.user, clinic=row.clinic, by=by, now=now)

        return preview_then_act(
            request, lines=[_invitable(row) for row in rows], title=_("Invite several patients"),
            form=ConfirmForm(request.POST if "confirm" in request.POST else None),
            button=_("Send an invitation"), act=invite,
        )  # fmt: skip

    def has_invite_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return self.may(request, "invite")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With the latest episode's operation and day of surgery."""
        latest = Episode.objects.filter(patient=OuterRef("pk")).order_by("-created_at")
        day = AnchorDate.objects.filter(anchor="surgery", episode__patient=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                operation=Subquery(latest.values("procedure__name")[:1]),
                surgery_day=Subquery(day.order_by("-episode__created_at").values("on")[:1]),
            )
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page that adds a patient with everything that belongs to it."""
        return redirect("admin:patient_add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by Django's form: the patient's page has the ways to change what is recorded."""
        return False

    @display(description=_("operation"), ordering="operation")
    def operation(self, row: Any) -> str:
        """What is or was done last."""
        return row.operation or ""

    @display(description=_("surgery"), ordering="surgery_day")
    def surgery(self, row: Any) -> Any:
        """The day of it."""
        return row.surgery_day

    @display(description=_("email address"), ordering="user__email")
    def email(self, row: Patient) -> str:
        """The patient's own address."""
        return row.user.email if row.user else ""

    @display(description=_("note"), label={"died": "danger", "no contact": "warning"})
    def flags(self, row: Patient) -> Any:
        """What must not be overlooked."""
        if row.deceased_on:
            return "died", _("died")
        return ("no contact", _("no contact")) if row.is_restricted else None


def _invitable(row: Any) -> Line:
    """A chosen patient, and why no invitation goes."""
    why_not: Any = ""
    if not row.is_contactable:
        why_not = _("no contact")
    elif row.user is None:
        why_not = _("no email address")
    elif row.has_accepted or row.user.last_login or row.user.has_usable_password():
        why_not = _("has a login already")
    return Line(row, f"{row.name}, {row.record_number}", why_not)


@admin.register(Episode)
class EpisodeAdmin(EpisodeBulk, RecordAdmin):
    """Operations, by day."""

    patient_path = "patient"
    list_display = ("patient_link", "procedure", "side", "surgery", "surgeon", "state", "version")
    list_display_links = None
    list_filter = ("status", SurgeryWhen, "procedure", ClinicFilter)
    list_select_related = ("patient__clinic", "procedure", "surgeon", "version__pathway")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With the day of surgery."""
        return super().get_queryset(request).annotate(surgery_day=surgery_day())

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """What was booked last comes first; by the day, soonest first, where the list is narrowed down to days."""
        by_day = models.F("surgery_day").asc(nulls_first=True)
        return [by_day, "id"] if "when" in request.GET else ["-created_at", "id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never from the list: an operation is booked on the patient's page."""
        return False

    @display(description=_("surgery"), ordering="surgery_day")
    def surgery(self, row: Any) -> Any:
        """The day of it."""
        return row.surgery_day

    @display(
        description=_("state"), ordering="status", label={"planned": "info", "active": "success"}
    )
    def state(self, row: Episode) -> Any:
        """Where it stands."""
        return row.status, row.get_status_display()


class VisitWhen(WindowFilter):
    """By the day of a visit, and what still has to be entered about it."""

    title = _("day")
    spans = {
        "ahead": (_("from today on"), lambda: Q(local_date__gte=clock.today())),
        "today": (_("today"), lambda: Q(local_date=clock.today())),
        "week": (_("in the next 7 days"), lambda: _visit_within(0, 7)),
        "open": (
            _("past, outcome not entered"),
            lambda: Q(status="booked", starts_at__lt=clock.now()),
        ),
        "past": (_("past"), lambda: Q(starts_at__lt=clock.now())),
    }


def _visit_within(first: int, last: int) -> Q:
    today = clock.today()
    return Q(local_date__range=(today + timedelta(days=first), today + timedelta(days=last)))


@admin.register(Appointment)
class AppointmentAdmin(VisitBulk, RecordAdmin):
    """Visits, soonest first."""

    patient_path = "episode__patient"
    list_display = ("starts", "patient_link", "kind", "location", "state", "what_to_do")
    list_display_links = None
    list_filter = (VisitWhen, "kind", "status", ClinicFilter)
    list_select_related = ("episode__patient__clinic", "location")
    ordering = ("starts_at", "id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never from the list: a visit is booked on the patient's page."""
        return False

    @display(description=_("when"), ordering="starts_at")
    def starts(self, row: Appointment) -> str:
        """The agreed local day and time."""
        return f"{row.local_date:%a %d %b %Y} {row.local_time:%H:%M}"

    @display(
        description=_("state"), ordering="status",
        label={"booked": "info", "fulfilled": "success", "noshow": "danger"},
    )  # fmt: skip
    def state(self, row: Appointment) -> Any:
        """Where it stands."""
        return row.status, row.get_status_display()

    @display(description=_("to do"))
    def what_to_do(self, row: Appointment) -> Any:
        """What can be done with a visit that is booked."""
        if row.status != Appointment.Status.BOOKED:
            return ""
        if row.starts_at > clock.now():
            return link("appointment_move", row.pk, _("Move"))
        attended = link("appointment_attended", row.pk, _("Attended"))
        return format_html(
            "{} &nbsp; {}", attended, link("appointment_missed", row.pk, _("Missed"))
        )


def _window_soon() -> Q:
    today = clock.today()
    return Q(window_from__gt=today, window_from__lte=today + timedelta(weeks=4))


class XrayWhen(WindowFilter):
    """By where an X-ray's window lies."""

    title = _("window")
    spans = {
        "overdue": (_("over"), lambda: Q(window_until__lt=clock.today())),
        "open": (
            _("open now"),
            lambda: Q(window_from__lte=clock.today(), window_until__gte=clock.today()),
        ),
        "soon": (_("opens in 4 weeks"), _window_soon),
    }


@admin.register(ImagingRequest)
class ImagingRequestAdmin(RecordAdmin):
    """X-rays that a pathway asks for, in every state. What waits for a booking has its own page."""

    patient_path = "episode__patient"
    list_display = ("patient_link", "xray", "window_from", "window_until", "state", "booked_for")
    list_display_links = None
    list_filter = ("status", XrayWhen, ClinicFilter)
    list_select_related = ("episode__patient__clinic", "step", "appointment")
    ordering = ("window_from", "id")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ImagingRequest]:
        """With the words of the steps that ask for them."""
        rows: models.QuerySet[ImagingRequest] = super().get_queryset(request)
        return rows.prefetch_related("step__texts")

    @display(description=_("X-ray"), ordering="step__key")
    def xray(self, row: ImagingRequest) -> str:
        """Which of the pathway's X-rays it is."""
        return title_of(row.step, row.episode.patient.clinic.language)

    @display(
        description=_("state"), ordering="status",
        label={"draft": "warning", "active": "info", "completed": "success"},
    )  # fmt: skip
    def state(self, row: ImagingRequest) -> Any:
        """Where it stands."""
        return row.status, row.get_status_display()

    @display(description=_("booked for"))
    def booked_for(self, row: ImagingRequest) -> Any:
        """The visit it is booked with."""
        return row.appointment or ""
