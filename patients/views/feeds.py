"""A reader's visits as a private calendar feed: the page to make and reset it, and the feed itself."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages as notes
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions import end_feed, note_fetch, reset_feed
from patients.actions.feeds import hash_of
from patients.calendars import calendar_feed as feed_text
from patients.care import care_of
from patients.models import Appointment, CalendarFeed
from patients.views.access import no_record
from portal import clock
from portal.once import new_ticket, spend

# Visits of the past that stay in calendars.
STAYS = timedelta(days=90)


@require_http_methods(["GET", "POST"])
def calendar_feed(request: HttpRequest) -> HttpResponse:
    """Make the private calendar address, make it anew, or switch it off. It is shown once, when it is made."""
    care = care_of(request, "appointments.read")
    if care.patient is None:
        return no_record(request)
    if request.method == "POST" and request.POST.get("do") == "end":
        if end_feed(user=care.reader, by=care.reader):
            notes.success(request, _("The calendar address does not work any more."))
        return redirect("patients:calendar_feed")
    # The address is shown on the answer itself: a page to go to would need the token kept somewhere.
    token = ""
    if request.method == "POST" and spend(request.POST.get("ticket") or new_ticket()):
        token = reset_feed(user=care.reader, by=care.reader, now=care.now)
    path = reverse("patients:calendar_feed_file", args=[token]) if token else ""
    context = {
        "care": care,
        "feed": CalendarFeed.objects.filter(user=care.reader).first(),
        "address": f"{settings.BASE_URL}{path}" if token else "",
        "ticket": new_ticket(),
        "active": "appointments",
    }
    return render(request, "patients/calendar_feed.html", context)


@login_not_required
@require_safe
def calendar_feed_file(request: HttpRequest, token: str) -> HttpResponse:
    """The feed, for who knows its address. An address that was reset is like one that never was: 404.

    Whose visits are in it is looked up on each fetch, so an access that ended is over here too.
    """
    rows = CalendarFeed.objects.select_related("user").filter(user__is_active=True)
    feed = rows.filter(token_hash=hash_of(token)).first()
    if feed is None:
        raise Http404
    now = clock.now()
    visits = _visits(feed, now)
    patients = {visit.episode.patient_id: visit.episode.patient for visit in visits}
    with translation.override(feed.user.language):
        body = feed_text(visits, names_patients=len(patients) > 1).encode()
    digest = hashlib.sha256(body).hexdigest()
    note_fetch(feed=feed, digest=digest, patients=patients.values(), now=now)
    return _answer(request, feed, body)


def _visits(feed: CalendarFeed, now: datetime) -> list[Appointment]:
    rows = Appointment.objects.own(feed.user).filter(starts_at__gte=now - STAYS)
    rows = rows.select_related("location", "episode__patient__clinic")
    return list(rows.order_by("starts_at", "id"))


def _answer(request: HttpRequest, feed: CalendarFeed, body: bytes) -> HttpResponse:
    """The feed, or 304 for who has it already."""
    etag, changed_at = f'"{feed.digest}"', int(feed.changed_at.timestamp())
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["ETag"] = etag
    response["Last-Modified"] = http_date(changed_at)
    response["Cache-Control"] = "private, max-age=0, must-revalidate"
    response["Referrer-Policy"] = "no-referrer"
    return get_conditional_response(request, etag, changed_at, response) or response
