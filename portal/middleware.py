"""What every request passes through: headers, the limits of a session, the second factor of staff,
the reader's language and zone, and the audit of what was read.

The order stands in the settings; each of these comes after django.contrib.messages' own.
"""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Callable
from typing import Any

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
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import audit, views

GetResponse = Callable[[HttpRequest], HttpResponse]

# Seconds without a request of the person's own.
STAFF_IDLE = 15 * 60
PATIENT_IDLE = 30 * 60
# Seconds in all, whatever happens in between.
LONGEST_SESSION = 12 * 60 * 60
# How often, at most, the last request is noted (seconds): not every page costs a write.
NOTED_EVERY = 30

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
            response["Clear-Site-Data"] = '"cache", "storage"'
        if request.path.startswith(reverse("admin:index")):
            response.__dict__.setdefault("_csp_update", ADMIN_POLICY)
        return response


class SessionLimits:
    """Signs people out who have been away too long. Counted on the machine's own clock."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = int(time.time())
            idle = STAFF_IDLE if request.user.is_staff else PATIENT_IDLE
            if _is_over(request, now, idle):
                logout(request)
                messages.info(request, _signed_out(idle))
            elif is_persons_own(request):
                _note_presence(request, now)
        return self.get_response(request)


def _is_over(request: HttpRequest, now: int, idle: int) -> bool:
    began = request.session.get("began_at", now)
    seen = request.session.get("seen_at", now)
    return bool(now - began >= LONGEST_SESSION or now - seen >= idle)


def _note_presence(request: HttpRequest, now: int) -> None:
    request.session.setdefault("began_at", now)
    if now - request.session.get("seen_at", 0) >= NOTED_EVERY:
        request.session["seen_at"] = now


def _signed_out(idle: int) -> str:
    minutes = idle // 60
    return ngettext(
        "For your safety you were signed out after %(minutes)d minute. Please sign in again.",
        "For your safety you were signed out after %(minutes)d minutes. Please sign in again.",
        minutes,
    ) % {"minutes": minutes}


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
