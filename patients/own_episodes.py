"""The chosen patient's episodes as a reader's pages need them, by queries that are prepared."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, UUIDField

from patients.care import Care
from patients.models import AnchorDate, Episode
from patients.querysets import READER, asked_by
from portal.prepared import Blank, Listed, bring, prepared

PATIENT = Blank("patient", UUIDField())
EPISODES = Listed("episodes", UUIDField())


def episodes_with_dates(care: Care) -> list[Episode]:
    """Every episode of the chosen patient with its dates, the newest first. Two queries."""
    episodes = _of(care, _episodes)
    if episodes:
        dates = _anchor_dates(episodes=[row.pk for row in episodes])
        bring(episodes, "anchor_dates", dates, "episode_id")
    return episodes


def episodes_with_procedure(care: Care) -> list[Episode]:
    """Every episode of the chosen patient with its procedure, the newest first. One query."""
    return _of(care, _with_procedure)


def _of(care: Care, rows: prepared[Episode]) -> list[Episode]:
    if care.patient is None:
        return []
    found = rows(**asked_by(care.reader), patient=care.patient.pk)
    for row in found:
        row.patient = care.patient
    return found


@prepared
def _episodes() -> QuerySet[Any, Episode]:
    return Episode.objects.own(READER).filter(patient=PATIENT)


@prepared
def _with_procedure() -> QuerySet[Any, Episode]:
    rows = Episode.objects.own(READER).filter(patient=PATIENT).select_related("procedure")
    return rows.defer("procedure__loaded")


@prepared
def _anchor_dates() -> QuerySet[Any, AnchorDate]:
    return AnchorDate.objects.filter(episode__in=EPISODES)
