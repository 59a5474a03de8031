"""Claimed reminders with all that gates and mails need, in a constant number of queries.

What many rows share is fetched once and is one object; what few rows have is fetched for those alone.
Of the rows themselves only the columns come that sending looks at: a batch is some hundred rows of four
tables, and most of what loading costs is what it brings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, UUIDField, prefetch_related_objects

from patients.models import AnchorDate, Episode, Patient
from portal.instances import Mould
from portal.models import Clinic, User
from portal.prepared import Blank, Listed, bring, prepared
from procedures.models import Step, StepText
from reminders import emails
from reminders.models import Reminder

_IDS = Listed("ids", UUIDField())
# One row of the query is these four side by side. Where one ends in a key, the next begins with the same
# column as its own: a key takes longer to bring than any other value, and none is brought twice.
_READER = Mould(
    User,
    ("email", "name", "language", "time_zone", "is_active", "paused_from", "paused_until", "id"),
)
_REMINDER = Mould(
    Reminder,
    (
        "recipient_id", "id", "appointment_id", "kind", "step_id", "step_key", "occurrence", "correction",
        "category", "is_essential", "valid_until", "message_id", "episode_id",
    ),
)  # fmt: skip
_EPISODE = Mould(Episode, ("id", "status", "patient_id"))
_PATIENT = Mould(
    Patient,
    (
        "id", "clinic_id", "user_id", "given_name", "family_name", "birth_date", "deceased_on", "is_restricted",
        "uses_nicotine", "drives", "job", "lives_alone", "cares_for_others", "uses_wheelchair",
    ),
)  # fmt: skip
_COLUMNS = (
    *(f"recipient__{name}" for name in _READER.names[:-1]),
    *_REMINDER.names,
    *(f"episode__{name}" for name in _EPISODE.names[1:]),
    *(f"episode__patient__{name}" for name in _PATIENT.names[1:]),
)
_OF_READER, _OF_REMINDER, _OF_EPISODE, _OF_PATIENT = (
    slice(_COLUMNS.index(first), _COLUMNS.index(last) + 1)
    for first, last in (
        ("recipient__email", "recipient_id"),
        ("recipient_id", "episode_id"),
        ("episode_id", "episode__patient_id"),
        ("episode__patient_id", "episode__patient__uses_wheelchair"),
    )
)
_STEP, _CLINIC = _COLUMNS.index("step_id"), _COLUMNS.index("episode__patient__clinic_id")


def load(ids: Collection[UUID], token: str) -> list[Reminder]:
    """Those of the reminders that are held under `token`, oldest first."""
    values = _held(ids=ids, token=token)
    shared = _Shared.of(values)
    rows = [shared.row(each) for each in values]
    _bring_dates([row.episode for row in rows])
    _bring_contexts([row for row in rows if row.step_id is None])
    _bring(rows, "message", lambda row: row.message_id is not None)
    _bring(rows, "appointment__location", lambda row: row.appointment_id is not None)
    _bring(rows, "episode__imaging_requests__step", lambda row: row.step_id in shared.windows)
    return rows


@prepared
def _held() -> QuerySet[Reminder, tuple[Any, ...]]:
    rows = Reminder.objects.filter(
        id__in=_IDS, claimed_by=Blank("token", CharField()), state=Reminder.State.CLAIMED
    )
    return rows.order_by("due_at", "id").values_list(*_COLUMNS)


class _Shared:
    """What many rows of a batch point to, one object each."""

    def __init__(self, clinics: Mapping[UUID, Clinic], steps: Mapping[UUID, Step]) -> None:
        self._clinics, self._steps = clinics, steps
        # Steps whose words speak of the time in which an X-ray is due.
        self.windows = {key for key, step in steps.items() if emails.names_window(step)}

    @classmethod
    def of(cls, values: Sequence[tuple[Any, ...]]) -> _Shared:
        """Read for a batch: three queries."""
        clinics = _clinics(ids={each[_CLINIC] for each in values})
        keys = {each[_STEP] for each in values} - {None}
        steps = _steps(ids=keys)
        bring(steps, "texts", _texts(ids=keys), "step_id")
        return cls({row.pk: row for row in clinics}, {row.pk: row for row in steps})

    def row(self, values: tuple[Any, ...]) -> Reminder:
        """One reminder with its reader, its episode and its patient."""
        patient = _PATIENT.cast(values[_OF_PATIENT], clinic=self._clinics[values[_CLINIC]])
        return _REMINDER.cast(
            values[_OF_REMINDER],
            recipient=_READER.cast(values[_OF_READER]),
            episode=_EPISODE.cast(values[_OF_EPISODE], patient=patient),
            step=self._steps.get(values[_STEP]),
        )


@prepared
def _clinics() -> QuerySet[Clinic, Clinic]:
    return Clinic.objects.filter(id__in=_IDS).order_by()


@prepared
def _steps() -> QuerySet[Step, Step]:
    return Step.objects.filter(id__in=_IDS).order_by()


@prepared
def _texts() -> QuerySet[StepText, StepText]:
    return StepText.objects.filter(step__in=_IDS)


def _bring_dates(episodes: Collection[Episode]) -> None:
    dates: dict[UUID, dict[str, date]] = defaultdict(dict)
    for episode_id, anchor, on in _dates(ids={episode.pk for episode in episodes}):
        dates[episode_id][anchor] = on
    for episode in episodes:
        episode.bring_anchors(dates[episode.pk])


@prepared
def _dates() -> QuerySet[AnchorDate, tuple[UUID, str, date]]:
    rows = AnchorDate.objects.filter(episode__in=_IDS).order_by()
    return rows.values_list("episode_id", "anchor", "on")


def _bring_contexts(notices: Sequence[Reminder]) -> None:
    """What the few say that are no step."""
    if notices:
        stored = Reminder.objects.filter(id__among=[row.pk for row in notices])
        contexts = dict(stored.values_list("id", "context"))
        for row in notices:
            row.context = contexts.get(row.pk, {})


def _bring(rows: Sequence[Reminder], name: str, has_it: Callable[[Reminder], bool]) -> None:
    few = [row for row in rows if has_it(row)]
    if few:
        prefetch_related_objects(few, name)
