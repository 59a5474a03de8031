"""Who can see a record, and who opened or changed it: what the audit trail says to the people it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.db.models import DateField, Q, QuerySet, UUIDField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from patients.actions import ask_to_end, withdraw_asking
from patients.care import Care, care_of
from patients.models import RelatedPerson
from patients.models.people import records_of
from patients.querysets import READER, asked_by
from patients.trail import what
from portal import audit, clock
from portal.models import AuditEvent, User
from portal.pages import page_of
from portal.prepared import Blank, prepared

EVENTS_A_PAGE = 30


class Event(NamedTuple):
    """What a reader is told of an event of the trail; `recorded_at` is UTC."""

    recorded_at: datetime
    action: str
    verb: str
    actor_id: UUID
    actor_label: str
    is_by_staff: bool


class Visit(NamedTuple):
    """One entry of the trail, as a reader may see it; the same again on the same day is counted in `times`."""

    at: datetime
    who: str
    what: str
    times: int = 1


class Person(NamedTuple):
    """One parent or carer. `pk` is that of their access, where the reader may ask to end it."""

    pk: UUID | None
    is_asked: bool
    name: str
    relationship: str
    scope: str
    ends_on: date | None


READER_ID = Blank("reader", UUIDField())
PATIENT = Blank("patient", UUIDField())
TODAY = Blank("today", DateField())


def no_record(request: HttpRequest) -> HttpResponse:
    """The page for who has no patient: never had one, or whose access as a carer has ended."""
    had = isinstance(request.user, User) and request.user.cares_for.exists()
    return render(request, "patients/no_record.html", {"had_access": had})


@require_safe
def who_can_see(request: HttpRequest) -> HttpResponse:
    """The people with access, and who used it. Raises Http404 for who may see visits and reminders alone."""
    care = care_of(request, "access.read")
    if care.patient is None:
        return no_record(request)
    if not care.has_full_view:
        raise Http404
    page = page_of(request, partial(_events, care), EVENTS_A_PAGE)
    links = _links(**asked_by(care.reader), patient=care.patient.pk, today=care.today)
    context = {
        "care": care,
        "people": [_person(care, link) for link in links],
        "visits": list(_visits(care, page.rows)),
        "newer_url": page.newer_url,
        "older_url": page.older_url,
    }
    return render(request, "patients/who_can_see.html", context)


def _events(care: Care, start: int, stop: int) -> list[Event]:
    """The entries of the trail from `start` up to, and without, `stop`, the latest first. One query."""
    if care.patient is None:
        return []
    if start == 0 and stop == EVENTS_A_PAGE + 1:
        found = _latest(reader=care.reader.pk, patient=care.patient.pk)
    else:
        found = list(_trail(care.reader.pk, care.patient.pk)[start:stop])
    return [Event(*row) for row in found]


@prepared
def _latest() -> QuerySet[Any, tuple[Any, ...]]:
    return _trail(READER_ID, PATIENT)[: EVENTS_A_PAGE + 1]


def _trail(reader: UUID | Blank, patient: UUID | Blank) -> QuerySet[Any, tuple[Any, ...]]:
    trail = AuditEvent.objects.of_patient(records_of(patient))
    # Who was refused has seen nothing, and may be a stranger to be named to nobody: the clinic looks into it.
    trail = trail.exclude(actor=None).exclude(verb=audit.DENIED)
    # One's own looking and ticking would bury everybody else's.
    own = Q(action=AuditEvent.Action.READ) | Q(verb__startswith="exercise.")
    rows = trail.exclude(own, actor=reader)
    return rows.values_list(
        "recorded_at", "action", "verb", "actor_id", "actor_label", "actor__is_staff"
    )


@prepared
def _links() -> QuerySet[Any, RelatedPerson]:
    links = RelatedPerson.objects.own(READER).filter(patient=PATIENT).live(TODAY)
    return links.select_related("user").only(
        "user__name", "relationship", "scope", "ends_on", "end_asked_at"
    )


@require_POST
def ask_access_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask the clinic to end a carer's access, or take the wish back.

    Raises Http404 for the access of somebody whom the reader may not know: one parent's is not the other's.
    """
    links = RelatedPerson.objects.own(request.user).live(clock.today()).select_related("patient")
    link = get_object_or_404(links, pk=pk)
    care = care_of(request, "access.ask_end", link.patient_id)
    if not (care.has_full_view and (care.is_own or link.user_id == care.reader.pk)):
        raise Http404
    if request.POST.get("choice") == "undo":
        withdraw_asking(link=link, by=care.reader)
        messages.success(request, _("Your request is taken back. Nothing changes."))
    else:
        ask_to_end(link=link, by=care.reader, now=care.now)
        messages.success(request, _("The clinic sees what you asked for, and calls you."))
    return redirect("patients:who_can_see")


def _person(care: Care, link: RelatedPerson) -> Person:
    """One parent or carer. Parents see that there is another one, and not who: they may live apart."""
    is_named = care.knows(link.user_id)
    return Person(
        pk=link.pk if is_named else None,
        is_asked=link.end_asked_at is not None,
        name=link.user.name if is_named else _("Another parent or carer"),
        relationship=link.relationship if is_named else "",
        scope=_("may see: %(scope)s") % {"scope": link.get_scope_display()},
        ends_on=link.ends_on,
    )


def _visits(care: Care, events: Iterable[Event]) -> Iterable[Visit]:
    """The entries, the latest first. What somebody did several times on end in one day is one entry."""
    zone = care.zone
    visits = [Visit(event.recorded_at, _who(care, event), what(event)) for event in events]
    for _key, same in groupby(
        visits, key=lambda one: (one.at.astimezone(zone).date(), one.who, one.what)
    ):
        together = list(same)
        yield together[0]._replace(times=len(together))


def _who(care: Care, event: Event) -> str:
    if event.is_by_staff:
        return _("%(name)s, clinic staff") % {"name": event.actor_label}
    if event.actor_id == care.reader.pk:
        return _("You")
    return event.actor_label if care.knows(event.actor_id) else _("Another parent or carer")
