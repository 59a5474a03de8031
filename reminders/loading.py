"""Claimed reminders with all that gates and mails need, in a constant number of queries.

What many rows share is fetched once and is one object; what few rows have is fetched for those alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from uuid import UUID

from django.db.models import prefetch_related_objects

from patients.models import AnchorDate, Episode
from portal.models import Clinic
from procedures.models import Step
from reminders import emails
from reminders.models import Reminder


def load(ids: Collection[UUID], token: str) -> list[Reminder]:
    """Those of the reminders that are held under `token`, oldest first."""
    rows = list(
        Reminder.objects.filter(id__in=ids, claimed_by=token, state=Reminder.State.CLAIMED)
        .select_related("recipient", "episode__patient")
        .order_by("due_at", "id")
    )
    _share_clinics(rows)
    _share_steps(rows)
    _bring_dates([row.episode for row in rows])
    _bring(rows, "message", lambda row: row.message_id is not None)
    _bring(rows, "appointment__location", lambda row: row.appointment_id is not None)
    windows = {step for step in {row.step for row in rows} if step and emails.names_window(step)}
    _bring(rows, "episode__imaging_requests__step", lambda row: row.step in windows)
    return rows


def _share_clinics(rows: Iterable[Reminder]) -> None:
    patients = [row.episode.patient for row in rows]
    clinics = Clinic.objects.in_bulk({patient.clinic_id for patient in patients})
    for patient in patients:
        patient.clinic = clinics[patient.clinic_id]


def _share_steps(rows: Sequence[Reminder]) -> None:
    wanted = {row.step_id for row in rows if row.step_id is not None}
    steps = {step.pk: step for step in Step.objects.filter(pk__in=wanted).prefetch_related("texts")}
    for row in rows:
        row.step = None if row.step_id is None else steps[row.step_id]


def _bring_dates(episodes: Collection[Episode]) -> None:
    dates: dict[UUID, dict[str, date]] = defaultdict(dict)
    found = AnchorDate.objects.filter(episode__in={episode.pk for episode in episodes})
    for episode_id, anchor, on in found.values_list("episode_id", "anchor", "on"):
        dates[episode_id][anchor] = on
    for episode in episodes:
        episode.bring_anchors(dates[episode.pk])


def _bring(rows: Sequence[Reminder], name: str, has_it: Callable[[Reminder], bool]) -> None:
    few = [row for row in rows if has_it(row)]
    if few:
        prefetch_related_objects(few, name)
