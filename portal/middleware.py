"""What every request passes through: headers, the limits of a session, the second factor of staff,
the reader's language and zone, and the audit of what was read.

The order stands in the settings; each of these comes after django.contrib.messages' own.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from portal import audit, session_views, sessions, views
from portal.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]

BARRED_FEATURES = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "geolocation",
    "gyroscope", "microphone", "midi", "payment", "usb",
)  # fmt: skip
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in BARRED_FEATURES)
# What unfold's Alpine cannot do without: it evaluates its attributes, and sets styles.
ADMIN_POLICY = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}

# The pages that staff without a second factor still reach: to set one up, and to leave.
WITHOUT_SECOND_FACTOR = frozenset(
    {"account_logout", "account_reauthenticate", "portal:health_live", "portal:health_ready"}
)


class Headers:
    """Headers that Django does not set itself, and the admin's looser content policy."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        was_in = SESSION_KEY in request.session
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if "Cache-Control" not in response:
            # Every page may name a patient, and links with a token must not be kept either.
            add_never_cache_headers(response)
        if was_in and SESSION_KEY not in request.session:
            # Who was away too long comes back to what was typed, which is locked up; who signs out leaves nothing.
            ended_by_itself = request.__dict__.get("ended_by_itself", False)
            response["Clear-Site-Data"] = '"cache"' if ended_by_itself else '"cache", "storage"'
        if request.path.startswith(reverse("admin:index")):
            response.__dict__.setdefault("_csp_update", ADMIN_POLICY)
        return response


class SessionLimits:
    """Signs people out who have been away too long. Counted on the machine's own clock."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, User):
            now = sessions.seconds_now()
            if sessions.is_over(request, request.user, now):
                sessions.end(request, request.user)
            elif is_persons_own(request):
                sessions.note_presence(request, now)
        return _whole_page(request, self.get_response(request))


def _whole_page(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Where htmx would put the sign-in page into a corner of the page, load it as a whole instead."""
    goes_to = response.headers.get("Location", "")
    if not (request.headers.get("HX-Request") and goes_to.startswith(reverse("account_login"))):
        return response
    came_from = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
    answer = HttpResponse(status=HTTPStatus.NO_CONTENT)
    answer["HX-Redirect"] = f"{reverse('account_login')}?{urlencode({'next': came_from})}"
    return answer


def is_persons_own(request: HttpRequest) -> bool:
    """Whether a person did this: opened a page or sent a form.

    What a page fetches by itself (a frame, a picture, a list that refreshes) keeps no session alive.
    A browser too old to say counts as a person.
    """
    if request.method not in {"GET", "HEAD"}:
        return True
    return request.headers.get("Sec-Fetch-Dest", "document") == "document"


class SecondFactor:
    """Staff reach no page but those to set up a second factor until they have signed in with one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Turn away staff whose session was opened without a second factor."""
        if not (
            settings.STAFF_SECOND_FACTOR and request.user.is_authenticated and request.user.is_staff
        ):
            return None
        if _is_open_without_second_factor(request) or _used_second_factor(request):
            return None
        if is_mfa_enabled(request.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]):
            # Set up just now, or in another session: this one has not shown it yet.
            path = request.get_full_path()
            logout(request)
            messages.info(request, _("Please sign in again, with your second factor."))
            return redirect_to_login(path)
        messages.warning(
            request, _("Set up a second factor first: staff see no records without one.")
        )
        return redirect("mfa_activate_totp")


def _is_open_without_second_factor(request: HttpRequest) -> bool:
    name = request.resolver_match.view_name if request.resolver_match else ""
    return name in WITHOUT_SECOND_FACTOR or name.startswith("mfa_")


def _used_second_factor(request: HttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    return any(record.get("method") == "mfa" for record in records)


class UnsentForms:
    """Hands back the form that somebody sent too late. After the second factor: a form may name a patient."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Ask about a form that came too late where it was meant for, once its sender is back."""
        if not isinstance(request.user, User) or sessions.UNSENT not in request.session:
            return None
        unsent = sessions.unsent_of(request, request.user)
        if unsent and request.method == "GET":
            return session_views.resume(request, unsent)
        if unsent and request.method == "POST":
            sessions.forget_unsent(request)
        return None


class Reader:
    """Pages are in the language, and times in the zone, that the signed-in person chose."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        translation.activate(request.user.language)
        request.LANGUAGE_CODE = translation.get_language()
        if request.user.time_zone:
            timezone.activate(zoneinfo.ZoneInfo(request.user.time_zone))
        try:
            return self.get_response(request)
        finally:
            timezone.deactivate()


class ReadAudit:
    """Writes what a view noted with `audit.note_read`, before the answer leaves.

    Without the audit row there is no answer: 503, and no data.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        try:
            audit.write_reads(request)
        except DatabaseError:
            return views.unavailable(request)
        return response
