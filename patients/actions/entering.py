"""Entering the rows of a list that was brought in: a handful together, by the same actions as by hand.

Where a handful cannot be entered as one, each of its rows is tried alone, so that a row's fault never loses
the others.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction

from patients.actions.episodes import Booking, open_episodes
from patients.actions.notes import today_at
from patients.actions.people import register_patients, set_email, update_patient
from patients.importing.judging import Judgement, judge
from patients.importing.surroundings import Surroundings, around, offered_at
from patients.models import ImportBatch, ImportRow, Patient
from patients.models.imports import ENTERS
from portal.models import User

logger = logging.getLogger(__name__)

# One transaction of about this many rows: on SQLite everybody who writes waits that long.
AT_ONCE = 100
_WRITTEN = ("state", "problems", "patient", "episode", "is_new_patient", "is_new_account", "before")
S, V = ImportRow.State, ImportRow.Verdict


def to_enter(batch: ImportBatch) -> models.QuerySet[ImportRow]:
    """The rows that are still to be entered, in the order of the list."""
    rows = batch.rows.filter(state=S.WAITING, verdict__in=ENTERS)
    return rows.exclude(choice=ImportRow.Choice.LEAVE_OUT).order_by("number")


def enter_some(batch: ImportBatch, now: datetime) -> int:
    """Enter the next handful, and note of each row what became of it. Returns how many there were. `now` is UTC."""
    rows = list(to_enter(batch)[:AT_ONCE])
    try:
        _enter(rows, batch, now)
    except (ValidationError, DatabaseError):
        # As they are stored: nothing of what was tried is left on them.
        for row in list(to_enter(batch)[:AT_ONCE]):
            _enter_alone(row, batch, now)
    return len(rows)


def _enter_alone(row: ImportRow, batch: ImportBatch, now: datetime) -> None:
    """Enter one row, or note why not; whatever goes wrong with it stays inside it."""
    try:
        _enter([row], batch, now)
    except ValidationError as error:
        _fail(row, " ".join(error.messages))
    except DatabaseError:
        # The row's own number is enough to find it; what it says stays out of logs.
        logger.warning("row %s of import %s could not be entered", row.number, batch.pk)
        _fail(row, "unexpected")


def _fail(row: ImportRow, problem: str) -> None:
    ImportRow.objects.filter(pk=row.pk).update(state=S.FAILED, problems={"": problem})


@transaction.atomic
def _enter(rows: list[ImportRow], batch: ImportBatch, now: datetime) -> None:
    """Enter these rows as one. Raises ValidationError or DatabaseError where one of them stands in the way."""
    handful = _Handful(around(rows, batch, offered_at(batch), today_at(batch.clinic, now)), now)
    for row in rows:
        handful.take(row)
    handful.store()
    write(rows, _WRITTEN)


def write(rows: list[ImportRow], fields: Sequence[str]) -> None:
    """Store these fields of rows that exist, each row its own values.

    By an insert that meets every row: Django's `bulk_update` puts a condition together for each field of each row,
    which took longer than everything else about it.
    """
    ImportRow.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=fields
    )


@dataclass(slots=True)
class _Handful:
    """What some rows add, gathered so that it is stored in a few statements, however many rows there are."""

    nearby: Surroundings
    now: datetime
    patients: list[Patient] = field(default_factory=list)
    bookings: dict[ImportRow, Booking] = field(default_factory=dict)

    @property
    def by(self) -> User | None:
        """Whoever has the list entered."""
        return self.nearby.batch.acted_by

    def take(self, row: ImportRow) -> None:
        """Gather what a row adds, if it still comes to what was seen when the list was compared."""
        found = judge(row, self.nearby)
        if (found.verdict, plain(found.changes)) != (row.verdict, row.changes):
            row.state, row.problems = S.FAILED, {"": _why_not(found)}
            return
        row.is_new_account = self._makes_account(found)
        row.patient = self._new(row, found) if found.match is None else self._known(row, found)
        self._book(row, row.patient, found)
        row.state = S.DONE

    def _makes_account(self, found: Judgement) -> bool:
        email = found.values["email"]
        is_given = bool(email) if found.match is None else "email" in found.changes
        return is_given and email not in self.nearby.logins

    def _new(self, row: ImportRow, found: Judgement) -> Patient:
        values, clinic = found.values, self.nearby.batch.clinic
        names = ("record_number", "given_name", "family_name", "birth_date", "phone")
        patient = Patient(
            clinic=clinic, created_at=self.now, uses_nicotine=bool(values["uses_nicotine"]),
            **{name: values[name] for name in names},
        )  # fmt: skip
        if email := values["email"]:
            patient.user = self.nearby.logins.get(email) or User.objects.build_user(
                email, name=patient.name, language=clinic.language
            )
        row.is_new_patient = True
        self.nearby.add(patient)
        self.patients.append(patient)
        return patient

    def _known(self, row: ImportRow, found: Judgement) -> Patient:
        """Somebody who is recorded, or stands further up in the list, with what the row changes about them."""
        assert found.match is not None
        row.before = {name: old for name, (old, _new) in row.changes.items()}
        if found.changes and found.match._state.adding:
            self._store_patients()
        _change(found, found.match, self.by, self.now)
        return found.match

    def _book(self, row: ImportRow, patient: Patient, found: Judgement) -> None:
        if found.books and found.version is not None:
            self.bookings[row] = Booking(
                patient=patient, version=found.version, side=found.values["side"],
                surgery_on=found.values["surgery_on"], surgeon=found.surgeon,
            )  # fmt: skip
            self.nearby.booked[patient.pk].append(self.bookings[row])

    def store(self) -> None:
        """Store what was gathered."""
        self._store_patients()
        episodes = open_episodes(
            clinic=self.nearby.batch.clinic, bookings=list(self.bookings.values()), by=self.by, now=self.now
        )  # fmt: skip
        for row, episode in zip(self.bookings, episodes, strict=True):
            row.episode = episode

    def _store_patients(self) -> None:
        register_patients(clinic=self.nearby.batch.clinic, patients=self.patients, by=self.by)
        self.patients = []


def _why_not(found: Judgement) -> str:
    if found.verdict == V.LIKELY:
        return "likely_now"
    return next(iter(found.problems.values()), "changed_since")


def plain(changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Changes as JSON can hold them."""
    return {
        name: [str(v) if isinstance(v, date) else v for v in pair] for name, pair in changes.items()
    }


def _change(found: Judgement, patient: Patient, by: User | None, now: datetime) -> None:
    new = {name: value for name, (_old, value) in found.changes.items()}
    email = new.pop("email", "")
    if new:
        update_patient(patient=patient, by=by, now=now, tasks_wait=True, **new)
    if email:
        set_email(patient=patient, email=email, by=by, now=now, tasks_wait=True)
