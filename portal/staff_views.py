"""Staff pages about the clinic itself: the kill switch, and who works here in which role."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import actions, clock
from portal.models import Clinic, PractitionerRole, SendingSwitch, User
from portal.permissions import clinics_where, is_operator, may, within
from portal.staff_forms import ReasonForm, RoleForm, StaffInvitation
from portal.staff_site import page, staff_of


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("sending/", sending, "sending")
    site.add_page("staff/invite/", user_invite, "user_invite")
    site.add_page("staff/<uuid:pk>/roles/", user_roles, "user_roles")
    site.add_page("staff/<uuid:pk>/account/", user_close, "user_close")


@require_http_methods(["GET", "POST"])
def sending(request: HttpRequest) -> HttpResponse:
    """The kill switch: stop every reminder at once, with a reason, or let them go on."""
    switch = SendingSwitch.current()
    right = "sendingswitch.stop" if switch.is_on else "sendingswitch.start"
    form = ReasonForm(request.POST or None)
    form.fields["reason"].required = switch.is_on
    hidden = {"is_on": str(not switch.is_on)}
    if request.method == "POST":
        if not may(request.user, right):
            raise PermissionDenied
        if request.POST.get("is_on") != str(not switch.is_on):
            return _said(request, _("Somebody was faster: sending is as you see it now."))
        if form.is_valid():
            return _switch(request, is_on=not switch.is_on, reason=form.cleaned_data["reason"])
    return page(
        request, "admin/portal/sending.html", _("Sending on or off"),
        switch=switch, form=form, hidden=hidden, may_switch=may(request.user, right),
    )  # fmt: skip


def _switch(request: HttpRequest, *, is_on: bool, reason: str) -> HttpResponse:
    actions.set_sending(is_on=is_on, by=staff_of(request), now=clock.now(), reason=reason)
    return _said(request, _("Sending goes on.") if is_on else _("Sending is stopped."))


def _said(request: HttpRequest, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect("admin:sending")


@require_http_methods(["GET", "POST"])
def user_invite(request: HttpRequest) -> HttpResponse:
    """Add a member of staff, by invitation."""
    form = StaffInvitation(request.POST or None, clinics=clinics_where(request.user, "user.invite"))
    if request.method == "POST" and form.is_valid():
        fields = {name: form.cleaned_data[name] for name in ("email", "name", "clinic", "role")}
        with transaction.atomic():
            sent = form.act_once() and actions.invite_staff(
                **fields, by=staff_of(request), now=clock.now()
            )
        words = _("An invitation is on its way.") if sent else _("The role is theirs now.")
        messages.success(request, words)
        return redirect("admin:portal_user_changelist")
    return page(
        request, "admin/form.html", _("Invite a member of staff"), form=form, button=_("Send the invitation"),
        back_url=reverse("admin:portal_user_changelist"),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def user_roles(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Which roles a member of staff has at one's own clinics; give one more, or end one."""
    user = get_object_or_404(staff_within(request, "practitionerrole.add"), pk=pk)
    form = RoleForm(clinics=clinics_where(request.user, "practitionerrole.add"))
    if request.method == "POST":
        if "end" in request.POST:
            return _end_role(request, user)
        form = RoleForm(request.POST, clinics=clinics_where(request.user, "practitionerrole.add"))
        if form.is_valid():
            actions.give_role(
                user=user,
                clinic=form.cleaned_data["clinic"],
                role=form.cleaned_data["role"],
                by=staff_of(request),
            )
            messages.success(request, _("The role is theirs now."))
            return redirect("admin:user_roles", pk)
    roles = within(user.roles.select_related("clinic"), request.user, "practitionerrole.view")
    return page(
        request, "admin/portal/user_roles.html", _("Roles of %(name)s") % {"name": user},
        form=form, roles=roles, staff=user, is_me=user == request.user,
    )  # fmt: skip


def _end_role(request: HttpRequest, user: User) -> HttpResponse:
    rows = within(PractitionerRole.objects.filter(user=user), request.user, "practitionerrole.add")
    membership = get_object_or_404(rows, pk=_uuid(request.POST["end"]))
    try:
        actions.take_role(membership=membership, by=staff_of(request))
        messages.success(request, _("The role has ended."))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("admin:portal_user_changelist")


@require_http_methods(["GET", "POST"])
def user_close(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Close the account of a member of staff, or open it again."""
    user = get_object_or_404(staff_of_no_other_clinic(request), pk=pk)
    clinic = shared_clinic(request, user)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.set_active(
                user=user, is_active=request.POST.get("is_active") == "True", clinic=clinic, by=staff_of(request),
                reason=form.cleaned_data["reason"],
            )  # fmt: skip
            return redirect("admin:portal_user_changelist")
        except ValidationError as error:
            form.refuse(error)
    title = (
        _("Close the account of %(name)s")
        if user.is_active
        else _("Open the account of %(name)s again")
    )
    return page(
        request, "admin/form.html", title % {"name": user}, form=form, button=_("Close the account")
        if user.is_active else _("Open the account"), hidden={"is_active": str(not user.is_active)},
        danger=user.is_active, back_url=reverse("admin:portal_user_changelist"),
    )  # fmt: skip


def staff_within(request: HttpRequest, right: str) -> models.QuerySet[User]:
    """The members of staff whom the person may manage: those of one's own clinics, and not the operator."""
    rows = within(User.objects.filter(is_staff=True), request.user, right)
    return rows if is_operator(request.user) else rows.filter(is_superuser=False)


def staff_of_no_other_clinic(request: HttpRequest) -> models.QuerySet[User]:
    """Those whose whole account is the person's to close; of the others, only roles can be ended."""
    elsewhere = PractitionerRole.objects.exclude(
        clinic__in=clinics_where(request.user, "user.change")
    )
    return staff_within(request, "user.change").exclude(pk__in=elsewhere.values("user"))


def shared_clinic(request: HttpRequest, user: User) -> Clinic:
    """The clinic at which one manages a colleague. Raises Http404 where there is none."""
    mine = clinics_where(request.user, "user.change")
    return mine.filter(roles__user=user).first() or get_object_or_404(mine[:1])


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
