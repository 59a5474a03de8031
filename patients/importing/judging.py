"""What is to become of one row of a list: compared with what is recorded. Reads its surroundings, asks no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from patients.importing.surroundings import Booked, Surroundings, date_in, swapped, text_of
from patients.importing.values import Unread, read_answer, read_side
from patients.models import ImportRow, Patient
from patients.names import are_alike, words_of
from portal.models import User
from procedures.models import PathwayVersion

OLDEST = date(1900, 1, 1)
FURTHEST_YEARS = 3
_LONGEST = {"record_number": 40, "given_name": 80, "family_name": 80, "email": 254, "phone": 40}
_NEEDED = ("record_number", "given_name", "family_name")
V = ImportRow.Verdict


@dataclass(slots=True)
class Judgement:
    """What a row says, read; whom it is about; and what entering it would do."""

    verdict: str = V.WAITING
    problems: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    match: Patient | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)
    version: PathwayVersion | None = None
    surgeon: User | None = None
    books: bool = False

    @property
    def name(self) -> tuple[str, str]:
        """Given and family name."""
        return self.values.get("given_name", ""), self.values.get("family_name", "")


def judge(row: ImportRow, around: Surroundings, *, follows: bool = False) -> Judgement:
    """Compare one row. `follows` says that an earlier row of the list names the same patient."""
    found = Judgement()
    _read(row, around, found)
    if not found.problems:
        _find(row, around, found)
    _compare_login(around, found)
    _compare_operation(row, around, found)
    if found.match is not None and not found.problems:
        found.changes |= _changes(found.match, found.values)
    found.verdict = _verdict(found, follows=follows)
    return found


def _verdict(found: Judgement, *, follows: bool) -> str:
    if found.problems:
        return V.REFUSED
    if found.verdict == V.LIKELY:
        return V.LIKELY
    if found.match is None and not follows:
        return V.NEW
    if found.books:
        return V.BOOK
    return V.CHANGE if found.changes else V.SAME


# --- What the row says -----------------------------------------------------------------------


def _read(row: ImportRow, around: Surroundings, found: Judgement) -> None:
    batch = around.batch
    for name, longest in _LONGEST.items():
        text = text_of(row, name, batch)
        found.values[name] = text
        if len(text) > longest:
            found.problems[name] = "too_long"
        elif name in _NEEDED and not text:
            found.problems[name] = "missing"
    text = text_of(row, "birth_date", batch)
    _try(found, "birth_date", lambda: date_in(text, "birth_date", batch))
    born = found.values.get("birth_date")
    if born and not OLDEST <= born <= around.today:
        found.problems["birth_date"] = "not_born"
    if not text:
        found.problems["birth_date"] = "missing"
    _try(found, "uses_nicotine", lambda: read_answer(text_of(row, "uses_nicotine", batch)))
    _read_address(found)


def _try(found: Judgement, name: str, read: Callable[[], Any]) -> None:
    try:
        found.values[name] = read()
    except Unread as error:
        found.problems[name] = error.code


def _read_address(found: Judgement) -> None:
    found.values["email"] = found.values["email"].lower()
    if found.values["email"]:
        try:
            validate_email(found.values["email"])
        except ValidationError:
            found.problems["email"] = "no_address"


# --- Whom it is about ------------------------------------------------------------------------


def _find(row: ImportRow, around: Surroundings, found: Judgement) -> None:
    patient = around.by_number.get(found.values["record_number"])
    if patient is not None:
        _same_number(row, patient, found)
    else:
        _likely(row, around, found)
    if found.match is not None and found.match.deceased_on:
        found.problems["record_number"] = "deceased"


def _same_number(row: ImportRow, patient: Patient, found: Judgement) -> None:
    is_alike = are_alike(found.name, (patient.given_name, patient.family_name))
    found.match = patient
    if patient.birth_date != found.values["birth_date"]:
        if is_alike:
            found.problems["birth_date"] = "other_birth_date"
        else:
            found.problems["record_number"] = "number_taken"
    elif not is_alike and row.choice == ImportRow.Choice.NEW_PERSON:
        found.problems["record_number"] = "number_taken"
    elif not is_alike and row.choice != ImportRow.Choice.SAME_PERSON:
        found.verdict = V.LIKELY


def _likely(row: ImportRow, around: Surroundings, found: Judgement) -> None:
    """Somebody with another number who may be the same person: alike by name, born on the day, or on it swapped."""
    if row.choice == ImportRow.Choice.NEW_PERSON:
        return
    born: date = found.values["birth_date"]
    days = [day for day in (born, swapped(born)) if day is not None]
    for day in days:
        for patient in around.by_birth.get(day, ()):
            if are_alike(found.name, (patient.given_name, patient.family_name)):
                found.match = patient
                if row.choice != ImportRow.Choice.SAME_PERSON:
                    found.verdict = V.LIKELY
                return


# --- What it would change --------------------------------------------------------------------


def _compare_login(around: Surroundings, found: Judgement) -> None:
    email = found.values.get("email")
    holder = around.logins.get(email) if email else None
    if holder is None or "email" in found.problems:
        return
    own = found.match.user_id if found.match else None
    if holder.pk == own:
        return
    # A login that no patient has yet can become a patient's; one that would leave an own login cannot.
    if holder.pk in around.patients_of_logins or own is not None:
        found.problems["email"] = "address_taken"


def _changes(patient: Patient, values: dict[str, Any]) -> dict[str, list[Any]]:
    """What differs, as [recorded, new]. An empty cell changes nothing; a number or a birthday is not changed here."""
    recorded = {
        "given_name": patient.given_name,
        "family_name": patient.family_name,
        "phone": patient.phone,
        "uses_nicotine": patient.uses_nicotine,
        "email": patient.user.email.lower() if patient.user else "",
    }
    return {
        name: [old, values[name]]
        for name, old in recorded.items()
        if values.get(name) not in ("", None) and values[name] != old
    }


def _compare_operation(row: ImportRow, around: Surroundings, found: Judgement) -> None:
    batch = around.batch
    texts = {
        name: text_of(row, name, batch) for name in ("operation", "side", "surgery_on", "surgeon")
    }
    if not texts["operation"]:
        if any(texts.values()):
            found.problems["operation"] = "operation_missing"
        return
    _try(found, "side", lambda: read_side(texts["side"]))
    found.values["surgery_on"] = None
    if texts["surgery_on"]:
        _try(found, "surgery_on", lambda: date_in(texts["surgery_on"], "surgery_on", batch))
    day = found.values["surgery_on"]
    if day and abs(day.year - around.today.year) > FURTHEST_YEARS:
        found.problems["surgery_on"] = "far_day"
    _name_surgeon(texts["surgeon"], around, found)
    _name_version(texts["operation"], around, found)
    if found.match is not None and found.version is not None:
        _compare_booked(around.booked.get(found.match.pk, ()), found)
    else:
        found.books = found.version is not None


def _name_surgeon(text: str, around: Surroundings, found: Judgement) -> None:
    if not text:
        return
    titles = {"mr", "mrs", "ms", "miss", "dr", "prof", "professor"}
    wanted = frozenset(words_of(text)) - titles
    fitting = {user.pk: user for words, user in around.offered.surgeons.items() if wanted <= words}
    if wanted and len(fitting) == 1:
        found.surgeon = next(iter(fitting.values()))
    else:
        found.problems["surgeon"] = "no_surgeon"


def _name_version(text: str, around: Surroundings, found: Judgement) -> None:
    named = around.offered.versions.get(" ".join(words_of(text)), [])
    born = found.values.get("birth_date")
    if not named:
        found.problems["operation"] = "no_operation"
    if born is None or not named:
        return
    day = found.values.get("surgery_on") or around.today
    audience = "child" if Patient(birth_date=born).is_child_on(day) else "adult"
    fitting = {row.pk: row for row in named if row.pathway.audience in {audience, "any"}}
    if len(fitting) == 1:
        found.version = next(iter(fitting.values()))
    else:
        found.problems["operation"] = "several_operations" if fitting else "no_operation"


def _compare_booked(booked: Iterable[Booked], found: Judgement) -> None:
    version, side = found.version, found.values.get("side")
    same = [
        row
        for row in booked
        if version and row.procedure_id == version.pathway.procedure_id and row.side == side
    ]
    day = found.values.get("surgery_on")
    if same and all(row.surgery_on != day for row in same):
        found.problems["surgery_on"] = "booked_already"
    found.books = not same
