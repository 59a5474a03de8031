"""X-ray requests made from a pathway: one for each step with a window, kept in step with the dates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from uuid import UUID

from patients.models import Episode, ImagingRequest, Patient
from procedures.conditions import holds
from procedures.models import Step
from procedures.offsets import Offset


def windows(episode: Episode) -> dict[Step, tuple[date, date]]:
    """The X-rays that the episode's pathway asks for, each with the first and last local day to have it."""
    steps = episode.version.steps.filter(window_days__isnull=False)
    return _windows(steps, episode.anchors, episode.patient)


def _windows(
    steps: Iterable[Step], anchors: Mapping[str, date], patient: Patient
) -> dict[Step, tuple[date, date]]:
    return {
        step: _window(step, anchors[step.anchor])
        for step in steps
        if step.anchor in anchors
        and holds(step.condition, patient.attributes(anchors[step.anchor]))
    }


def _window(step: Step, anchor: date) -> tuple[date, date]:
    first = Offset(step.offset_value, step.offset_unit).added_to(anchor)
    return first, first + timedelta(days=step.window_days or 0)


def make_imaging_requests(opened: Mapping[Episode, Mapping[str, date]]) -> None:
    """Make the requests of episodes that were just opened, each with its dates. Two queries, however many."""
    steps: dict[UUID, list[Step]] = defaultdict(list)
    versions = {episode.version_id for episode in opened}
    for step in Step.objects.filter(version__in=versions, window_days__isnull=False):
        steps[step.version_id].append(step)
    ImagingRequest.objects.bulk_create(
        ImagingRequest(episode=episode, step=step, window_from=first, window_until=last)
        for episode, anchors in opened.items()
        for step, (first, last) in _windows(
            steps[episode.version_id], anchors, episode.patient
        ).items()
    )


def sync_imaging_requests(episode: Episode) -> None:
    """Make, move or withdraw the requests that are not booked yet. Booked and done ones stay as they are."""
    wanted = windows(episode) if episode.is_open else {}
    # By key, which outlives a version: an X-ray booked under one is not asked for again under the next.
    rows = episode.imaging_requests.select_related("step").order_by("created_at")
    stored = {row.step.key: row for row in rows}
    for step, (first, last) in wanted.items():
        row = stored.pop(step.key, None) or ImagingRequest(episode=episode, step=step)
        if row.status in {ImagingRequest.Status.DUE, ImagingRequest.Status.WITHDRAWN}:
            row.step, row.status = step, ImagingRequest.Status.DUE
            row.window_from, row.window_until = first, last
            row.save()
    for row in stored.values():
        if row.status == ImagingRequest.Status.DUE:
            row.status = ImagingRequest.Status.WITHDRAWN
            row.save(update_fields=["status"])
