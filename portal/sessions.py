"""How long somebody stays signed in, and what becomes of a form that was sent a moment too late.

Middleware ends sessions by these limits; pages warn by them. A form that arrives after the end is kept
in the session of the sign-in that follows, for the same person only.
"""

from __future__ import annotations

import base64
import time
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from portal.models import User

# Seconds without a request of the person's own.
STAFF_IDLE = 15 * 60
PATIENT_IDLE = 30 * 60
# Seconds in all, whatever happens in between.
LONGEST_SESSION = 12 * 60 * 60
# How often, at most, the last request is noted (seconds): not every page costs a write.
NOTED_EVERY = 30
# In the session: a form that came too late.
UNSENT = "unsent_form"
# Bytes; what is longer is no form that somebody typed.
LONGEST_FORM = 64 * 1024
# A parting word, and passwords, are never kept.
NEVER_KEPT = ("/accounts/", "/session/")


class Unsent(NamedTuple):
    """A form that came after its session had ended: whose, where it goes, and what it said."""

    user_id: str
    path: str
    fields: list[tuple[str, str]]


def idle_limit(user: User) -> int:
    """Seconds after which somebody who does nothing is signed out."""
    return STAFF_IDLE if user.is_staff else PATIENT_IDLE


def is_over(request: HttpRequest, user: User, now: int) -> bool:
    """Whether the session has come to its end at `now` (seconds of the machine's own clock)."""
    began = request.session.get("began_at", now)
    seen = request.session.get("seen_at", now)
    return bool(now - began >= LONGEST_SESSION or now - seen >= idle_limit(user))


def note_presence(request: HttpRequest, now: int) -> None:
    """Note that the person did something."""
    request.session.setdefault("began_at", now)
    if now - request.session.get("seen_at", 0) >= NOTED_EVERY:
        request.session["seen_at"] = now


def end(request: HttpRequest, user: User) -> None:
    """Sign somebody out for being away too long, and say so. The browser keeps what it holds for them."""
    unsent = _unsent(request, user)
    logout(request)
    request.__dict__["ended_by_itself"] = True
    if unsent:
        request.session[UNSENT] = unsent
    messages.info(request, _signed_out(idle_limit(user)))


def _signed_out(idle: int) -> str:
    minutes = idle // 60
    return ngettext(
        "For your safety you were signed out after %(minutes)d minute. Please sign in again.",
        "For your safety you were signed out after %(minutes)d minutes. Please sign in again.",
        minutes,
    ) % {"minutes": minutes}


def _unsent(request: HttpRequest, user: User) -> Unsent | None:
    """The form of this request, if a person sent one from a page of ours."""
    came_from_us = request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if request.method != "POST" or not (came_from_us and is_form and size <= LONGEST_FORM):
        return None
    if request.path.startswith(NEVER_KEPT) or "HX-Request" in request.headers:
        return None
    return Unsent(str(user.pk), request.get_full_path(), _typed(request))


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What the form holds, but for its token and passwords."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name
    ]


def unsent_of(request: HttpRequest, user: User) -> Unsent | None:
    """The form that waits for `user` at this address. Somebody else's is thrown away, unread."""
    held = request.session.get(UNSENT)
    if held is None:
        return None
    unsent = Unsent(*held)
    if unsent.user_id != str(user.pk):
        del request.session[UNSENT]
        return None
    return unsent if unsent.path == request.get_full_path() else None


def forget_unsent(request: HttpRequest) -> None:
    """The form was sent, or is not wanted any more."""
    request.session.pop(UNSENT, None)


def draft_key(user: User) -> str:
    """The key with which a browser locks up what this person has typed and not sent (AES-256, base64).

    Only pages of somebody who is signed in hold it; with another password it is another one.
    """
    digest = salted_hmac("portal.drafts", f"{user.pk}{user.password}", algorithm="sha256").digest()
    return base64.b64encode(digest).decode()


def draft_owner(user: User) -> str:
    """What a browser calls this person's drafts; it tells nobody who that is."""
    return salted_hmac("portal.draft_owner", str(user.pk)).hexdigest()[:16]


def seconds_now() -> int:
    """The machine's own clock: the demo's can jump."""
    return int(time.time())
