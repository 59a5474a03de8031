"""The pages of a session: staying signed in, being signed out, and sending what came too late."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from portal import sessions
from portal.models import User
from portal.sessions import Unsent


@require_POST
def stay(request: HttpRequest) -> HttpResponse:
    """Somebody says that they are still there. That the request came is all: middleware notes it."""
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@login_not_required
@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """A page that nobody touched signs its reader out, and leads back to where they were."""
    if isinstance(request.user, User):
        sessions.end(request, request.user)
    return redirect_to_login(_own_address(request))


@require_POST
def drop_unsent(request: HttpRequest) -> HttpResponse:
    """Forget the form that came too late."""
    sessions.forget_unsent(request)
    return redirect(_own_address(request))


@require_safe
def own_address(request: HttpRequest) -> HttpResponse:
    """The address that somebody signs in with. It changes by a wish that both ends confirm, or by the clinic."""
    return render(request, "account/email.html")


def _own_address(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, {request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else "/"


def resume(request: HttpRequest, unsent: Unsent) -> HttpResponse:
    """Asks whether to send what came too late. It goes to the address, and as the form, that it was meant for."""
    return render(request, "portal/resume.html", {"unsent": unsent})
