"""Staff pages about colleagues' accounts: when they signed in, signing them out everywhere, a lost second factor."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal import actions
from portal.models import User
from portal.permissions import may_open
from portal.staff_forms import ReasonForm
from portal.staff_site import page, staff_of
from portal.staff_views import shared_clinic, staff_of_no_other_clinic, staff_within

SIGN_INS_SHOWN = 100


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("staff/<uuid:pk>/sign-ins/", user_sign_ins, "user_sign_ins")
    site.add_page("staff/<uuid:pk>/sessions/", user_end_sessions, "user_end_sessions")
    site.add_page("staff/<uuid:pk>/second-factor/", user_reset_factor, "user_reset_factor")


@require_safe
def user_sign_ins(request: HttpRequest, pk: UUID) -> HttpResponse:
    """When and from where a colleague signed in, or somebody tried to."""
    user = get_object_or_404(staff_within(request, "user.view"), pk=pk)
    return page(
        request, "admin/portal/user_sign_ins.html", _("Sign-ins of %(name)s") % {"name": user},
        staff=user, sign_ins=user.sign_ins.all()[:SIGN_INS_SHOWN],
        has_second_factor=Authenticator.objects.filter(user=user)
        .exclude(type=Authenticator.Type.RECOVERY_CODES).exists(),
        may_manage=may_open(request.user, "user_end_sessions"),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def user_end_sessions(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sign a colleague out everywhere."""
    user = get_object_or_404(staff_within(request, "user.change"), pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.end_sessions(
            user=user, clinic=shared_clinic(request, user), by=staff_of(request),
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        return _done(request, user, _("%(name)s is signed out everywhere."))
    return page(
        request, "admin/form.html", _("Sign %(name)s out everywhere") % {"name": user}, form=form,
        intro=_("They have to sign in again, on every device. Nothing else about the account changes."),
        button=_("Sign out everywhere"), danger=True, back_url=_history(user),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def user_reset_factor(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take away a second factor that was lost; the colleague sets up a new one."""
    user = get_object_or_404(staff_of_no_other_clinic(request), pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.reset_second_factor(
                user=user, clinic=shared_clinic(request, user), by=staff_of(request),
                reason=form.cleaned_data["reason"],
            )  # fmt: skip
            return _done(
                request, user, _("%(name)s sets up a new second factor at the next sign-in.")
            )
        except ValidationError as error:
            form.refuse(error)
    intro = _(
        "Do this only when you are sure that you are speaking with this person: by video, or face to face. "
        "Until they set up a new second factor, their password alone opens the page to do so."
    )
    return page(
        request, "admin/form.html", _("Reset the second factor of %(name)s") % {"name": user}, form=form,
        intro=intro, button=_("Reset it"), danger=True, back_url=_history(user),
    )  # fmt: skip


def _history(user: User) -> str:
    return reverse("admin:user_sign_ins", args=[user.pk])


def _done(request: HttpRequest, user: User, words: str) -> HttpResponse:
    messages.success(request, words % {"name": user})
    return redirect(_history(user))
