"""The portal's own lists in the staff admin: staff, clinics, places, invitations.

The audit trail is listed in `patients.audit_admin`, which can find a patient by name.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from portal import account_views, actions, clock, staff_views, trail_views
from portal.models import Clinic, Invitation, Location, User
from portal.permissions import clinics_where, may_open
from portal.staff_admin import ClinicFilter, StaffAdmin
from portal.staff_site import staff_of

# Lists that come with packages and would let a person past our own actions and rights.
for model in (Group, EmailAddress, EmailConfirmation, Authenticator):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

for views in (staff_views, account_views, trail_views):
    views.add_pages(admin.site)


@admin.register(User)
class UserAdmin(StaffAdmin):
    """Members of staff. Patients' and carers' logins are on the patient's page."""

    list_display = ("name", "email", "held_roles", "is_active", "last_login")
    list_filter = ("is_active", "roles__role")
    search_fields = ("name", "email")
    search_help_text = _("Name or email")
    ordering = ("name", "email")
    fields = readonly_fields = (
        "name", "email", "held_roles", "language", "time_zone", "is_active", "last_login", "created_at",
    )  # fmt: skip
    change_form_outer_before_template = "admin/portal/_user_tools.html"
    list_before_template = "admin/portal/_user_list_tools.html"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Staff of one's own clinics, with their roles."""
        return super().get_queryset(request).filter(is_staff=True).prefetch_related("roles__clinic")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by this form: roles and accounts have pages of their own."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never by this form: staff come by invitation."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """The list, with the way to invite somebody for those who may."""
        tools = {"may_invite": may_open(request.user, "user_invite"), "title": _("Staff")}
        return super().changelist_view(request, {**tools, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """One member of staff, with the ways to their roles for those who may."""
        tools = {
            "may_manage": may_open(request.user, "user_roles"),
            "may_look": may_open(request.user, "user_sign_ins"),
        }
        return super().change_view(request, object_id, form_url, {**tools, **(extra_context or {})})

    @display(description=_("roles"))
    def held_roles(self, user: User) -> str:
        """Each role with its clinic."""
        return ", ".join(f"{row.get_role_display()} ({row.clinic})" for row in user.roles.all())


@admin.register(Clinic)
class ClinicAdmin(StaffAdmin):
    """Clinics: how to reach them, and when they send mail."""

    list_display = (
        "name",
        "phone_in_hours",
        "opening_hours",
        "time_zone",
        "sending_from",
        "sending_until",
    )
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "language", "time_zone")}),
        (
            _("How to reach us"),
            {
                "fields": (
                    "phone_in_hours",
                    "opening_hours",
                    "phone_out_of_hours",
                    "emergency_wording",
                    "emergency_phone",
                    ("open_days", "opens_at", "closes_at"),
                )
            },
        ),
        (_("Sending"), {"fields": ("sending_from", "sending_until", "daily_cap")}),
        (_("Alerts"), {"fields": ("on_call_email", "escalate_after_minutes")}),
    )
    readonly_fields = ("slug",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store through the action."""
        actions.save_setting(row=obj, by=staff_of(request), changed=form.changed_data)


@admin.register(Location)
class LocationAdmin(StaffAdmin):
    """Places that people are asked to come to."""

    list_display = ("name", "clinic", "address")
    list_filter = (ClinicFilter,)
    list_select_related = ("clinic",)
    search_fields = ("name", "address")
    fields = ("clinic", "name", "address", "directions")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A place does not move to another clinic."""
        return ("clinic",) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only the clinics at which the person may add a place."""
        if db_field.name == "clinic":
            kwargs["queryset"] = clinics_where(request.user, "location.add")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store through the action."""
        actions.save_setting(row=obj, by=staff_of(request), changed=form.changed_data)


class InvitationState(admin.SimpleListFilter):
    """By what became of an invitation."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The three ends of an invitation."""
        return [
            ("open", _("waiting")),
            ("accepted", _("accepted")),
            ("over", _("ran out or withdrawn")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The invitations in the chosen state."""
        waiting = models.Q(accepted_at=None, withdrawn_at=None, expires_at__gt=clock.now())
        match self.value():
            case "open":
                return queryset.filter(waiting)
            case "accepted":
                return queryset.filter(accepted_at__isnull=False)
            case "over":
                return queryset.filter(accepted_at=None).exclude(waiting)
        return queryset


@admin.register(Invitation)
class InvitationAdmin(StaffAdmin):
    """Who was asked to set up a login, and whether they did. The link itself is not kept."""

    list_display = ("user", "email", "clinic", "created_at", "state", "invited_by")
    list_filter = (InvitationState, ClinicFilter)
    list_select_related = ("user", "clinic", "invited_by")
    search_fields = ("user__name", "user__email")
    fields = readonly_fields = (
        "user", "email", "clinic", "created_at", "expires_at", "accepted_at", "withdrawn_at", "refused_at",
        "proofs_failed", "invited_by",
    )  # fmt: skip

    @display(description=_("email address"))
    def email(self, row: Invitation) -> str:
        """Where it went."""
        return row.user.email

    @display(
        description=_("state"),
        label={
            "accepted": "success",
            "waiting": "info",
            "withdrawn": "",
            "ran out": "warning",
            "locked": "danger",
        },
    )
    def state(self, row: Invitation) -> Any:
        """What became of it."""
        if row.accepted_at:
            return "accepted", _("accepted")
        if row.withdrawn_at:
            return "withdrawn", _("withdrawn")
        if row.is_locked:
            return "locked", _("locked: wrong date of birth")
        return (
            ("ran out", _("ran out"))
            if row.expires_at <= clock.now()
            else ("waiting", _("waiting"))
        )
