"""What the frame of every page shows: whose pages these are, where to go, and that this is a demo.

A view that is about a patient puts a `Care` (patients.care) on the request; other pages have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal import sessions
from portal.kept import Constant
from portal.models import User


@dataclass(frozen=True, slots=True, eq=False)
class Place(Constant):
    """One place to go: its key, its name, the symbol of the sprite, and the name of its URL."""

    key: str
    label: str | Promise
    icon: str
    view: str

    @property
    def url(self) -> str:
        """Its address."""
        return reverse(self.view)


PLAN = Place("plan", _("My plan"), "plan", "reminders:plan")
MAIN = (
    Place("today", _("Today"), "today", "reminders:today"),
    PLAN,
    Place("appointments", _("Visits"), "calendar", "patients:appointments"),
    Place("messages", _("Messages"), "message", "reminders:messages"),
)
CHECK_IN = Place("check_in", _("How am I doing"), "check_in", "patients:check_in")
EXERCISES = Place("exercises", _("Exercises"), "physiotherapy", "patients:exercises")
CONSENTS = Place("consents", _("Consent"), "pen", "patients:consents")
XRAYS = Place("xrays", _("X-rays"), "xray", "patients:xrays")
SMOKE_FREE = Place("smoke_free", _("Smoke-free"), "smoking_cessation", "patients:smoke_free")
ACCESS = Place("who_can_see", _("Who can see"), "shield", "patients:who_can_see")
MY_DATA = Place("my_data", _("My data"), "key", "reminders:my_data")
GUIDE = Place("my_guide", _("Guide"), "book", "patients:my_guide")
REMINDERS = Place("reminder_settings", _("Reminders"), "bell", "reminders:reminder_settings")
MORE = (
    CHECK_IN,
    EXERCISES,
    SMOKE_FREE,
    XRAYS,
    CONSENTS,
    GUIDE,
    REMINDERS,
    ACCESS,
    MY_DATA,
)
# What a carer who may see visits and reminders alone is not led to.
FULL_VIEW_ONLY = frozenset({PLAN, CHECK_IN, EXERCISES, SMOKE_FREE, XRAYS, CONSENTS, ACCESS})

# What is left to go to once the patient has died.
QUIET = frozenset({MAIN[-1], ACCESS, MY_DATA})

# What is there to go to for somebody who is linked to no patient, or no longer.
WITHOUT_RECORD = frozenset({MAIN[0], GUIDE, REMINDERS})


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of templates/base.html. No queries."""
    user, care = getattr(request, "user", None), getattr(request, "care", None)
    values: dict[str, Any] = {"demo": settings.STEPWISE_DEMO}
    if request.resolver_match:
        values["active"] = request.resolver_match.url_name
    if not isinstance(user, User):
        return values
    values["session"] = _session(user)
    if care is not None or not user.is_staff:
        values |= _places(care) | _whose(care)
    return values


def _session(user: User) -> dict[str, Any]:
    """When the session ends by itself, and what locks up what was typed."""
    return {
        "seconds": sessions.idle_limit(user),
        "owner": sessions.draft_owner(user),
        "key": sessions.draft_key(user),
    }


def _places(care: Any) -> dict[str, Any]:
    """Where to go."""
    main, more = _without(_hidden(care))
    return {"navigation": main, "navigation_more": more}


@lru_cache(maxsize=16)
def _without(hidden: frozenset[Place]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """The places but for the hidden ones."""
    main = tuple(place for place in MAIN if place not in hidden)
    return main, tuple(place for place in MORE if place not in hidden)


def _hidden(care: Any) -> frozenset[Place]:
    """The places that are not for this reader, or not for this patient."""
    if care is None:
        return frozenset({SMOKE_FREE})
    if care.patient is None:
        return frozenset({*MAIN, *MORE} - WITHOUT_RECORD)
    if care.patient.deceased_on:
        return frozenset({*MAIN, *MORE} - QUIET)
    hidden = frozenset() if care.has_full_view else FULL_VIEW_ONLY
    return hidden if care.patient.uses_nicotine else hidden | {SMOKE_FREE}


def _whose(care: Any) -> dict[str, Any]:
    """Whose pages these are, and whom to call."""
    if care is None or care.patient is None:
        return {}
    return {"patient": care.patient, "patients": care.patients, "clinic": care.patient.clinic}
