"""The guide to one's own operation, opened where one is on the way. The guides themselves are the catalogue's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from patients.care import Care, care_of
from patients.models import Episode
from procedures.guide import Guide, Stage, guide_for, guides_to, page_at
from procedures.models import Audience, Page

# Who is at home is not always entered at once; after so long nobody is still in hospital.
LONGEST_STAY = timedelta(days=14)
FIRST_DAYS_AT_HOME = timedelta(days=14)
RECOVERY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class OwnGuide:
    """The guide to one operation, and the page of it that is about now, where there is one."""

    episode: Episode
    guide: Guide
    now: Page | None


@require_safe
def my_guide(request: HttpRequest) -> HttpResponse:
    """The guides to the patient's operations; the list of all guides where there is none to show.

    To a carer who may see visits and reminders alone it does not say which operation it is.
    """
    care = care_of(request, "guide.read")
    own = list(_own_guides(care)) if care.has_full_view else []
    if not own:
        return redirect("procedures:guide_list")
    pages = [page for one in own for page in one.guide.pages]
    return render(request, "patients/my_guide.html", {"care": care, "own": own, "pages": pages})


def _own_guides(care: Care) -> Iterator[OwnGuide]:
    rows = Episode.objects.own(care.reader).filter(patient=care.patient)
    episodes = list(rows.select_related("procedure").prefetch_related("anchor_dates"))
    # What is over is left out, unless there is nothing else.
    shown = [row for row in episodes if row.is_open] or episodes
    procedures = {row.procedure_id: row.procedure for row in shown}
    found_guides = guides_to(procedures.values(), care.reader.language)
    by_procedure = {one.procedure.pk: one for one in found_guides}
    for episode in shown:
        if found := by_procedure.get(episode.procedure_id):
            guide = guide_for(found, _audience(care, episode))
            is_off = episode.status == Episode.Status.CANCELLED
            now = None if is_off else page_at(guide, stage_of(episode, care.today))
            yield OwnGuide(episode, guide, now)


def _audience(care: Care, episode: Episode) -> str:
    """Child or adult at the day of surgery, as in the plan."""
    on = episode.surgery_on or care.today
    return str(care.patient.attributes(on)["audience"]) if care.patient else Audience.ADULT


def stage_of(episode: Episode, today: date) -> Stage:
    """Where an episode has got to on a local day."""
    anchors, surgery_on = episode.anchors, episode.surgery_on
    if surgery_on is None or today < surgery_on:
        return Stage.BEFORE
    home_on = anchors.get("discharge", surgery_on + LONGEST_STAY)
    if today < home_on:
        return Stage.IN_HOSPITAL
    if today < home_on + FIRST_DAYS_AT_HOME:
        return Stage.AT_HOME
    return Stage.WEEKS if today < surgery_on + RECOVERY else Stage.LATER
