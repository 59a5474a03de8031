"""Keeps the words under which patients are found in step with what is recorded about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from patients.models import Patient, PatientWord, RelatedPerson
from patients.names import findable_under
from portal.models import User


def keep_findable(*patients: Patient) -> None:
    """Store under which words these patients are found: their own, their carers', and their former records'.

    Call it inside the transaction of the change. Four queries, and two more where words changed.
    """
    wanted = _wanted(patients)
    stored: dict[UUID, set[str]] = defaultdict(set)
    rows = PatientWord.objects.filter(patient__in=wanted.keys())
    for patient_id, word in rows.values_list("patient_id", "word"):
        stored[patient_id].add(word)
    gone = Q()
    for patient_id, words in stored.items():
        if stale := words - wanted[patient_id]:
            gone |= Q(patient_id=patient_id, word__in=stale)
    if gone:
        PatientWord.objects.filter(gone).delete()
    PatientWord.objects.bulk_create(
        PatientWord(patient_id=patient_id, word=word)
        for patient_id, words in wanted.items()
        for word in sorted(words - stored[patient_id])
    )


def make_findable(*patients: Patient) -> None:
    """The same for patients who were just added: nobody cares for them yet, and no word is stored. One query."""
    PatientWord.objects.bulk_create(
        PatientWord(patient=patient, word=word)
        for patient in patients
        for word in sorted(_own_words(patient))
    )


def _own_words(patient: Patient) -> set[str]:
    return findable_under(
        names=[patient.given_name, patient.family_name],
        numbers=[patient.record_number],
        phone=patient.phone,
        addresses=[patient.user.email] if patient.user else [],
    )


def keep_account_findable(user: User) -> None:
    """The same for everybody who is found under a person's name or address."""
    linked = Q(user=user) | Q(related_people__user=user, related_people__ended_at=None)
    keep_findable(*Patient.objects.current().filter(linked).select_related("user").distinct())


def _wanted(patients: Iterable[Patient]) -> dict[UUID, set[str]]:
    current = {row.pk: row for row in patients}
    names: dict[UUID, list[str]] = defaultdict(list)
    addresses: dict[UUID, list[str]] = defaultdict(list)
    numbers: dict[UUID, list[str]] = defaultdict(list)
    links = RelatedPerson.objects.filter(patient__in=current, ended_at=None)
    for key, name, email in links.values_list("patient_id", "user__name", "user__email"):
        names[key].append(name)
        addresses[key].append(email)
    for former in Patient.objects.filter(merged_into__in=current):
        names[former.merged_into_id].append(former.name)  # type: ignore[index]  # filtered by it
        numbers[former.merged_into_id].append(former.record_number)  # type: ignore[index]  # filtered by it
    return {
        key: findable_under(
            names=[row.given_name, row.family_name, *names[key]],
            numbers=[row.record_number, *numbers[key]],
            phone=row.phone,
            addresses=[*([row.user.email] if row.user else []), *addresses[key]],
        )
        for key, row in current.items()
    }
