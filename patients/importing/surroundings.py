"""What rows of a list are compared with: patients, logins, operations and pathways, fetched for many rows at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from uuid import UUID

from django.db.models.functions import Lower

from patients.importing.values import Unread, read_date
from patients.models import Episode, ImportBatch, ImportRow, Patient
from patients.names import words_of
from portal.models import Role, User
from procedures.models import PathwayVersion


def text_of(row: ImportRow, name: str, batch: ImportBatch) -> str:
    """What a row says in a field: what a person mended, else the cell of the column that holds it."""
    mended = row.cells.get(f"mended:{name}")
    if mended is not None:
        return str(mended)
    column = batch.mapping.get(name)
    return "" if column is None else str(row.cells.get(str(column), ""))


def date_in(text: str, name: str, batch: ImportBatch) -> date:
    """A date of the list. Raises Unread."""
    return read_date(text, batch.date_order, is_mixed=name in batch.mixed_columns)


def swapped(day: date) -> date | None:
    """The day with day and month changed over, a common slip; None where that is no day or the same."""
    with suppress(ValueError):
        other = day.replace(month=day.day, day=day.month)
        return other if other != day else None
    return None


@dataclass(slots=True)
class Offered:
    """What a clinic offers, by folded name: its approved pathways and its surgeons."""

    versions: Mapping[str, list[PathwayVersion]]
    surgeons: Mapping[frozenset[str], User]


def offered_at(batch: ImportBatch) -> Offered:
    """The pathways and surgeons that a list of this clinic can name. Two queries."""
    versions: dict[str, list[PathwayVersion]] = defaultdict(list)
    rows = PathwayVersion.objects.approved().filter(clinic=batch.clinic)
    for row in rows.select_related("pathway__procedure", "clinic"):
        procedure = row.pathway.procedure
        names = [
            procedure.name,
            row.pathway.name,
            procedure.key,
            row.pathway.key,
            *procedure.aliases,
        ]
        for name in {" ".join(words_of(str(name))) for name in names}:
            versions[name].append(row)
    surgeons = User.objects.filter(
        roles__clinic=batch.clinic, roles__role=Role.SURGEON, is_active=True
    )
    return Offered(versions, {frozenset(words_of(row.name)): row for row in surgeons})


class Booked(Protocol):
    """What is compared of an operation that a patient has: an episode, or a booking that is still on its way."""

    @property
    def procedure_id(self) -> UUID: ...
    @property
    def side(self) -> str: ...
    @property
    def surgery_on(self) -> date | None: ...


@dataclass(slots=True)
class Surroundings:
    """The patients and logins that a handful of rows can mean. Kept up to date while rows are entered."""

    batch: ImportBatch
    offered: Offered
    today: date
    by_number: dict[str, Patient] = field(default_factory=dict)
    by_birth: dict[date, list[Patient]] = field(default_factory=lambda: defaultdict(list))
    logins: dict[str, User] = field(default_factory=dict)
    patients_of_logins: dict[UUID, UUID] = field(default_factory=dict)
    booked: dict[UUID, list[Booked]] = field(default_factory=lambda: defaultdict(list))

    def add(self, patient: Patient) -> None:
        """Take in a patient, known or just entered."""
        self.by_number[patient.record_number] = patient
        self.by_birth[patient.birth_date].append(patient)
        if patient.user is not None:
            self.logins[patient.user.email.lower()] = patient.user
            self.patients_of_logins[patient.user.pk] = patient.pk


def around(
    rows: Iterable[ImportRow], batch: ImportBatch, offered: Offered, today: date
) -> Surroundings:
    """Fetch what these rows have to be compared with. Six queries, however many rows."""
    rows = list(rows)
    found = Surroundings(batch, offered, today)
    numbers = {text_of(row, "record_number", batch) for row in rows}
    days = {day for row in rows for day in _days_meant(row, batch)}
    of_clinic = Patient.objects.filter(clinic=batch.clinic).select_related("user", "clinic")
    # The number of a record that was merged leads to the record that goes on.
    former = of_clinic.filter(record_number__in=numbers, merged_into__isnull=False)
    for row in former.select_related("merged_into__user", "merged_into__clinic"):
        if row.merged_into is not None:
            found.by_number[row.record_number] = row.merged_into
    for patient in of_clinic.current().filter(record_number__in=numbers):
        found.by_number[patient.record_number] = patient
    for patient in of_clinic.current().filter(birth_date__in=days):
        found.by_birth[patient.birth_date].append(patient)
    _add_logins(found, {text_of(row, "email", batch).lower() for row in rows} - {""})
    _add_episodes(found)
    return found


def _days_meant(row: ImportRow, batch: ImportBatch) -> list[date]:
    try:
        day = date_in(text_of(row, "birth_date", batch), "birth_date", batch)
    except Unread:
        return []
    other = swapped(day)
    return [day, other] if other else [day]


def _add_logins(found: Surroundings, addresses: set[str]) -> None:
    users = User.objects.annotate(address=Lower("email")).filter(address__in=addresses)
    for user in users:
        found.logins[user.email.lower()] = user
    owners = Patient.objects.filter(user__in=found.logins.values())
    for patient_id, user_id in owners.values_list("pk", "user_id"):
        if user_id is not None:
            found.patients_of_logins[user_id] = patient_id


def _add_episodes(found: Surroundings) -> None:
    known = {row.pk for row in found.by_number.values()}
    known |= {row.pk for rows in found.by_birth.values() for row in rows}
    rows = Episode.objects.open().filter(patient__in=known).prefetch_related("anchor_dates")
    for episode in rows.select_related("version"):
        found.booked[episode.patient_id].append(episode)
