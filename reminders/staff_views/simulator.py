"""The simulator: every mail that somebody would get, when, to whom and in which words, beside another date or version.

For an invented patient of a pathway, or for an episode as it stands. Nothing is written.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from patients.models import Episode
from portal import clock
from portal.permissions import within
from portal.staff_site import page
from procedures.models import Audience, PathwayVersion
from reminders.simulator import Row, compare, simulate
from reminders.staff_forms import RealWhatIf, SampleWhatIf
from reminders.staff_views.records import episode_or_404, patient_url, today_at
from reminders.whatif import AS_STORED, WhatIf, sample, stay

AGES = {Audience.CHILD: 7}
ADULT_AGE = 34
# What was retired is simulated for those who still follow it, on their own pages.
SIMULATED = (PathwayVersion.Status.ACTIVE, PathwayVersion.Status.DRAFT)


@require_safe
def simulator(request: HttpRequest) -> HttpResponse:
    """An invented patient on a version, side by side with another date or another version."""
    versions: Any = within(
        PathwayVersion.objects.visible_to(request.user), request.user, "pathwayversion.view"
    )
    versions = versions.filter(status__in=SIMULATED).select_related("pathway__procedure", "clinic")
    versions = versions.order_by("pathway__name", "clinic", "number")
    today = clock.today()
    form = SampleWhatIf(request.GET or None, versions=versions, today=today)
    context: dict[str, Any] = {"form": form, "left": None}
    if request.GET and form.is_valid():
        episode = _sample(form.cleaned_data, today)
        context |= _sides(episode, _as_asked(form.cleaned_data), form.imagined, today)
    return page(
        request, "admin/reminders/simulator.html", _("Simulator"), button=_("Show the mails"), **context,
        back_url="",
    )  # fmt: skip


def _sample(values: dict[str, Any], today: date) -> Episode:
    version = values["version"]
    years = AGES.get(version.pathway.audience, ADULT_AGE)
    born = today.replace(year=today.year - years, day=1)
    return sample(
        version, {"decision": today}, birth_date=born, uses_nicotine=values["uses_nicotine"],
        drives=True, job="desk",
    )  # fmt: skip


def _as_asked(values: dict[str, Any]) -> WhatIf:
    return WhatIf(anchors=stay(values["surgery_on"]))


@require_safe
def simulate_episode(request: HttpRequest, pk: UUID) -> HttpResponse:
    """An episode as it stands, side by side with another day of surgery or another version."""
    episode = episode_or_404(request, pk, "reminder.view")
    today = today_at(episode.patient)
    versions = PathwayVersion.objects.visible_to(request.user).filter(
        pathway=episode.version.pathway_id, clinic=episode.patient.clinic_id
    )
    versions = versions.exclude(pk=episode.version_id).select_related("pathway__procedure")
    form = RealWhatIf(request.GET or None, versions=versions.order_by("number"), today=today)
    imagined = form.imagined if request.GET and form.is_valid() else None
    return page(
        request, "admin/reminders/simulator.html",
        _("What %(name)s would get") % {"name": episode.patient.name}, form=form, patient=episode.patient,
        episode=episode, button=_("Compare"), back_url=patient_url(episode.patient, "plan"),
        **_sides(episode, AS_STORED, imagined, today),
    )  # fmt: skip


def _sides(episode: Episode, what_if: WhatIf, other: WhatIf | None, today: date) -> dict[str, Any]:
    """The mails of one side, or of both in pairs."""
    span: dict[str, Any] = {"first": today, "last": today + timedelta(days=730), "now": clock.now()}
    left = simulate(episode, what_if=what_if, **span)
    if other is None:
        return {"left": left, "pairs": None, "going": _going(left)}
    right = simulate(episode, what_if=other, **span)
    pairs = compare(left, right)
    return {
        "left": left, "pairs": pairs, "going": _going(left), "going_then": _going(right),
        "differing": sum(pair.differs for pair in pairs),
    }  # fmt: skip


def _going(rows: list[Row]) -> int:
    return sum(row.goes for row in rows)


PAGES = (
    ("simulator/", simulator, "simulator"),
    ("episode/<uuid:pk>/simulate/", simulate_episode, "episode_simulate"),
)
