"""Who can see a record, and who opened or changed it: what the audit trail says to the people it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from patients.actions import ask_to_end, withdraw_asking
from patients.care import Care, care_of
from patients.models import RelatedPerson
from patients.trail import what
from portal import audit, clock
from portal.models import AuditEvent, User

EVENTS_A_PAGE = 30


@dataclass(frozen=True, slots=True)
class Visit:
    """One entry of the trail, as a reader may see it; the same again on the same day is counted in `times`."""

    at: datetime
    who: str
    what: str
    times: int = 1


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
    links = RelatedPerson.objects.own(care.reader).filter(patient=care.patient)
    trail = AuditEvent.objects.of_patient(care.patient.every_id).select_related("actor")
    # Who was refused has seen nothing, and may be a stranger to be named to nobody: the clinic looks into it.
    trail = trail.exclude(actor=None).exclude(verb=audit.DENIED)
    # One's own looking and ticking would bury everybody else's.
    own = Q(action=AuditEvent.Action.READ) | Q(verb__startswith="exercise.")
    trail = trail.exclude(own, actor=care.reader)
    page = Paginator(trail, EVENTS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "care": care,
        "people": [_person(care, link) for link in links.live(care.today).select_related("user")],
        "visits": list(_visits(care, page.object_list)),
        "newer_url": f"?page={page.previous_page_number()}" if page.has_previous() else "",
        "older_url": f"?page={page.next_page_number()}" if page.has_next() else "",
    }
    return render(request, "patients/who_can_see.html", context)


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
        messages.success(request, _("Your wish is taken back. Nothing changes."))
    else:
        ask_to_end(link=link, by=care.reader, now=care.now)
        messages.success(request, _("The clinic sees what you asked for, and calls you."))
    return redirect("patients:who_can_see")


def _person(care: Care, link: RelatedPerson) -> dict[str, object]:
    """One parent or carer. Parents see that there is another one, and not who: they may live apart."""
    is_named = care.knows(link.user_id)
    return {
        "pk": link.pk if is_named else None,
        "is_asked": link.end_asked_at is not None,
        "name": link.user.name if is_named else _("Another parent or carer"),
        "relationship": link.relationship if is_named else "",
        "scope": link.get_scope_display(),
        "ends_on": link.ends_on,
    }


def _visits(care: Care, events: Iterable[AuditEvent]) -> Iterable[Visit]:
    """The entries, the latest first. What somebody did several times on end in one day is one entry."""
    visits = [Visit(event.recorded_at, _who(care, event), what(event)) for event in events]
    for _key, same in groupby(visits, key=lambda one: (_day(care, one), one.who, one.what)):
        together = list(same)
        yield replace(together[0], times=len(together))


def _day(care: Care, visit: Visit) -> date:
    return visit.at.astimezone(care.zone).date()


def _who(care: Care, event: AuditEvent) -> str:
    actor = event.actor
    if actor is None or actor.is_staff:
        return _("%(name)s, clinic staff") % {"name": event.actor_label}
    if actor.pk == care.reader.pk:
        return _("You")
    return event.actor_label if care.knows(actor.pk) else _("Another parent or carer")
