"""What to imagine of an episode: other dates, another version, another patient. All of it in memory only."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Model

from patients.imaging import windows
from patients.models import AnchorDate, Episode, ImagingRequest, Patient
from portal.models import User
from procedures.models import PathwayVersion

_NOT_SEEN_TO = frozenset({ImagingRequest.Status.DUE, ImagingRequest.Status.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What to imagine otherwise than it is stored; what is left out stays as it is.

    An anchor set to None is taken away. `zone` becomes the time zone of every reader.
    """

    anchors: Mapping[str, date | None] = field(default_factory=dict)
    uses_nicotine: bool | None = None
    version: PathwayVersion | None = None
    zone: str = ""
    switched_off: frozenset[str] = frozenset()


AS_STORED = WhatIf()
IN_HOSPITAL = timedelta(days=4)


def stay(surgery_on: date) -> dict[str, date | None]:
    """The dates of an invented stay in hospital."""
    return {
        "admission": surgery_on, "surgery": surgery_on, "discharge": surgery_on + IN_HOSPITAL,
    }  # fmt: skip


def imagined(episode: Episode, what_if: WhatIf) -> Episode:
    """A copy of a stored episode, or the invented one itself, changed as imagined. It must never be saved."""
    if "holds" in episode.__dict__.get("_prefetched_objects_cache", {}):
        # Fetched for planning already, and what is imagined must not show in it. `copy` would forget what was fetched.
        episode = pickle.loads(pickle.dumps(episode))  # noqa: S301 - made in the line itself
    elif not episode._state.adding:
        rows = Episode.objects.for_planning().prefetch_related("imaging_requests__step")
        episode = rows.get(pk=episode.pk)
    if what_if.uses_nicotine is not None:
        episode.patient.uses_nicotine = what_if.uses_nicotine
    if what_if.version is not None:
        episode.version = what_if.version
    for user in readers(episode.patient):
        user.time_zone = what_if.zone or user.time_zone
    anchors = {**episode.anchors, **what_if.anchors}
    _set_anchors(episode, {name: on for name, on in anchors.items() if on is not None})
    _set_windows(episode)
    return episode


def readers(patient: Patient) -> Iterator[User]:
    """Everybody who may get mail about a patient: the patient, and whoever cares for them."""
    if patient.user is not None:
        yield patient.user
    for link in patient.related_people.all():
        yield link.user


def sample(
    version: PathwayVersion,
    anchors: Mapping[str, date],
    *,
    birth_date: date,
    language: str = "",
    **attributes: Any,
) -> Episode:
    """An episode of an invented patient that is stored nowhere, to simulate a pathway with.

    `attributes` are fields of Patient. Dates are local days of the clinic.
    """
    clinic = version.clinic
    user = User(
        email="sample@patients.example", name="Sample Reader", language=language or clinic.language
    )
    patient = Patient(
        clinic=clinic, record_number="sample", given_name="Sample", family_name="Patient",
        birth_date=birth_date, user=user, **attributes,
    )  # fmt: skip
    episode = Episode(
        patient=patient, procedure=version.pathway.procedure, version=version, side="left"
    )
    keep_in_memory(episode, "appointments", [])
    keep_in_memory(episode, "imaging_requests", [])
    keep_in_memory(episode, "holds", [])
    keep_in_memory(patient, "related_people", [])
    _set_anchors(episode, anchors)
    return episode


def _set_anchors(episode: Episode, anchors: Mapping[str, date]) -> None:
    rows = [AnchorDate(episode=episode, anchor=anchor, on=on) for anchor, on in anchors.items()]
    keep_in_memory(episode, "anchor_dates", rows)


def _set_windows(episode: Episode) -> None:
    """X-rays that are not booked yet move with the dates they are counted from."""
    stored = list(episode.imaging_requests.all())
    kept = [row for row in stored if row.status not in _NOT_SEEN_TO]
    seen_to = {row.step_id for row in kept}
    moved = [
        ImagingRequest(episode=episode, step=step, window_from=first, window_until=last)
        for step, (first, last) in windows(episode).items()
        if step.id not in seen_to
    ]
    keep_in_memory(episode, "imaging_requests", [*kept, *moved])


def keep_in_memory(row: Model, relation: str, rows: list[Any]) -> None:
    """Let `row.relation.all()` answer with these rows, as a prefetch does."""
    row.__dict__.setdefault("_prefetched_objects_cache", {})[relation] = rows
