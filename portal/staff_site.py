"""The staff admin as a site: who may enter, how they come in and go out, and the pages beside the lists.

Which models are listed is in each app's `admin`; who may do what is in `permissions`.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from portal.models import User
from portal.permissions import PAGES, is_member_of_staff, may_open, working_zone

View = Callable[..., HttpResponse]


class StaffSite(UnfoldAdminSite):
    """The admin at /admin/. Apps add their own pages with `add_page`; each is declared in `permissions.PAGES`."""

    site_title = _("Stepwise")
    index_title = _("Today")
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[URLPattern] = []

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the person may enter: the operator, or someone with a role at a clinic."""
        return is_member_of_staff(request.user)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Every page of the admin, with times in the zone of the clinic for those who chose none."""
        checked = super().admin_view(view, cacheable)

        @wraps(view)
        def in_zone(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated and (zone := working_zone(request.user)):
                # Put back by portal.middleware.Reader, after the page is rendered.
                timezone.activate(zoneinfo.ZoneInfo(zone))
            return checked(request, *args, **kwargs)

        return in_zone

    def add_page(self, route: str, view: View, name: str) -> None:
        """Serve `view` under /admin/ at `route`. Raises KeyError for a name that `permissions.PAGES` does not hold."""
        if name not in PAGES:
            raise KeyError(name)
        self._pages.append(path(route, self.admin_view(_guarded(view, name)), name=name))

    def extra_urls(self) -> list[URLPattern]:
        """The pages beside the lists, for unfold to put before them."""
        return self._pages

    # Or the way in would ask for a sign-in itself, and lead back here, where who is signed in has no business.
    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send people to the one sign-in page, which asks for the second factor. Raises PermissionDenied."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", "/admin/"))

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign out, by the same way as everywhere else."""
        if request.method != "POST":
            return redirect("account_logout")
        get_adapter().logout(request)
        return HttpResponseRedirect("/")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send people to the one page where passwords are changed."""
        return redirect("account_change_password")


def staff_of(request: HttpRequest) -> User:
    """Who asks. Raises PermissionDenied for nobody."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def page(request: HttpRequest, template: str, title: str, **own: Any) -> HttpResponse:
    """One of our own pages in the admin's frame. A page whose form was refused says so in its title."""
    form = own.get("form")
    if form is not None and form.is_bound and form.errors:
        title = gettext("Error: %(title)s") % {"title": title}
    request.current_app = admin.site.name
    context = {**admin.site.each_context(request), "title": title, **own}
    return TemplateResponse(request, template, context)


def _guarded(view: View, name: str) -> View:
    """The view for those who may open the page somewhere. Each view still asks about the record's own clinic."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_open(request.user, name):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
