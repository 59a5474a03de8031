"""What the frame of every page shows: whose pages these are, where to go, and that this is a demo.

A view that is about a patient puts a `Care` (patients.care) on the request; other pages have none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Place(NamedTuple):
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
SMOKE_FREE = Place("smoke_free", _("Smoke-free"), "smoking_cessation", "patients:smoke_free")
ACCESS = Place("who_can_see", _("Who can see"), "shield", "patients:who_can_see")
MORE = (
    CHECK_IN,
    EXERCISES,
    SMOKE_FREE,
    Place("guide_list", _("Guide"), "book", "procedures:guide_list"),
    Place("reminder_settings", _("Reminders"), "bell", "reminders:reminder_settings"),
    ACCESS,
)
# What a carer who may see visits and reminders alone is not led to.
FULL_VIEW_ONLY = frozenset({PLAN, CHECK_IN, EXERCISES, SMOKE_FREE, ACCESS})


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of templates/base.html. No queries."""
    care = getattr(request, "care", None)
    values: dict[str, Any] = {"demo": settings.STEPWISE_DEMO}
    match = request.resolver_match
    if match:
        values["active"] = match.url_name
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or (user.is_staff and care is None):
        return values
    hidden = _hidden(care)
    values["navigation"] = [place for place in MAIN if place not in hidden]
    values["navigation_more"] = [place for place in MORE if place not in hidden]
    if care and care.patient:
        values |= {
            "patient": care.patient,
            "patients": care.patients,
            "clinic": care.patient.clinic,
        }
    return values


def _hidden(care: Any) -> frozenset[Place]:
    """The places that are not for this reader, or not for this patient."""
    if care is None or care.patient is None:
        return frozenset({SMOKE_FREE})
    hidden = frozenset() if care.has_full_view else FULL_VIEW_ONLY
    return hidden if care.patient.uses_nicotine else hidden | {SMOKE_FREE}
