"""Whose pages a reader sees: their own, or those of one of the patients they care for.

The choice lies in the session and is looked up among the reader's own patients on every request,
so that an access that ended is over with the next page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import DateField, Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from patients.models import Patient, RelatedPerson
from patients.querysets import READER, USER, asked_by
from portal import audit, clock
from portal.models import User
from portal.prepared import Blank, prepared

CHOSEN = "patient"


@dataclass(frozen=True, slots=True)
class Care:
    """The chosen patient and the others to choose from. `patient` is None for who has no patient."""

    reader: User
    now: datetime
    patient: Patient | None = None
    patients: list[Patient] = field(default_factory=list)
    has_full_view: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the reader is the patient."""
        return self.patient is not None and self.patient.user_id == self.reader.pk

    def knows(self, person_id: UUID | None) -> bool:
        """Whether the reader may learn who somebody is, who is no staff: parents may live apart."""
        if self.is_own or person_id == self.reader.pk:
            return True
        return self.patient is not None and person_id == self.patient.user_id

    def name_of(self, person: User) -> str:
        """A person's name; another parent's or carer's is told to the patient alone."""
        if person.is_staff or self.knows(person.pk):
            return str(person)
        return _("Another parent or carer")

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are told in: the reader's, or the clinic's."""
        clinic_zone = self.patient.clinic.time_zone if self.patient else "UTC"
        return ZoneInfo(self.reader.time_zone or clinic_zone)

    @property
    def today(self) -> date:
        """The reader's local day."""
        return self.now.astimezone(self.zone).date()


def care_of(request: HttpRequest, verb: str, patient_id: UUID | None = None) -> Care:
    """Whose page this is, noted in the audit trail as `verb`. One query.

    `patient_id` stands for a page that is about one patient, whoever is chosen; it counts only if
    the reader may see that patient.
    """
    reader = request.user
    if not isinstance(reader, User):
        raise TypeError("A page about a patient needs somebody who is signed in.")
    patients = _own_patients(**asked_by(reader), today=clock.today())
    care = _choose(reader, patients, str(patient_id or request.session.get(CHOSEN, "")))
    request.__dict__["care"] = care
    if care.patient:
        _refuse_over(request, care, verb)
        timezone.activate(care.zone)
        audit.note_read(
            request, verb, obj=care.patient, clinic=care.patient.clinic, patient_id=care.patient.id
        )
    return care


class RecordIsQuiet(Exception):
    """The chosen patient has died: pages about what to do are not for the people left behind."""


# What stays open: what was written, who read it, and taking it along.
STAYS_OPEN = frozenset(
    {
        "messages.read",
        "message.read",
        "access.read",
        "my_data.read",
        "my_data.download",
        "settings.read",
    }
)


def _refuse_over(request: HttpRequest, care: Care, verb: str) -> None:
    """Raise RecordIsQuiet for a page about what to do; `patients.middleware` answers it with a page of its own."""
    if care.patient and care.patient.deceased_on and verb not in STAYS_OPEN:
        audit.note_read(
            request, verb, obj=care.patient, clinic=care.patient.clinic, patient_id=care.patient.id
        )
        raise RecordIsQuiet


TODAY = Blank("today", DateField())


@prepared
def _own_patients() -> QuerySet[Any, Patient]:
    """The patients whose web login this is, each with whether the reader may see all of it."""
    links = RelatedPerson.objects.filter(user=USER).live(TODAY)
    full = links.filter(patient=OuterRef("pk"), scope=RelatedPerson.Scope.FULL)
    rows = Patient.objects.own(READER).select_related("clinic")
    return rows.annotate(has_full_link=Exists(full))


def _choose(reader: User, patients: list[Patient], wanted: str) -> Care:
    now = clock.now()
    if not patients:
        return Care(reader, now)
    own = [patient for patient in patients if patient.user_id == reader.pk]
    chosen = next((row for row in patients if str(row.pk) == wanted), (own or patients)[0])
    return Care(reader, now, chosen, patients, _has_full_view(reader, chosen))


def _has_full_view(reader: User, patient: Patient) -> bool:
    return patient.user_id == reader.pk or bool(getattr(patient, "has_full_link", False))


def choose(request: HttpRequest, patient: Patient) -> None:
    """Show this patient's pages from now on."""
    request.session[CHOSEN] = str(patient.pk)


def phone_for(care: Care) -> str:
    """The number in the patient's record; empty for a parent where it may be the other one's. At most one query."""
    if care.patient is None or not care.has_full_view or not care.patient.phone:
        return ""
    others = RelatedPerson.objects.filter(patient=care.patient).exclude(user=care.reader)
    return care.patient.phone if care.is_own or not others.exists() else ""
