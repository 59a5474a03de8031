"""Which records somebody may see, and which are open, live or due.

`visible_to(user)` is the one gate to patient data: staff see their clinics, patients themselves,
carers the patients their access is live for. Everyone else sees nothing.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q

from patients.names import as_date, fold_address, is_phone, phone_wanted, words_of
from portal import clock
from portal.local_day import LocalDay
from portal.models import Clinic
from portal.prepared import Blank, Prepared

if TYPE_CHECKING:
    from portal.models import User


def _visible(path: str, user: User) -> Q:
    """The condition that the patient to whom `path` leads from a row is current, and one that `user` may see.

    The row's own joins answer it; a list of all the patients whom a member of staff may see would be made for each
    page.
    """
    prefix = f"{path}__" if path else ""
    at_work = Q(**{f"{prefix}clinic__in": Clinic.objects.visible_to(user)})
    at_home = Q(**{f"{path or 'id'}__in": patients_lived_with(user)})
    return Q(**{f"{prefix}merged_into__isnull": True}) & (at_work | at_home)


class PatientQuerySet(models.QuerySet):
    """Patients by who is asking."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The patients `user` may see in any way; none for a stranger or a deactivated account."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(_visible("", user))

    def own(self, user: User | AnonymousUser | Reader) -> Self:
        """The patients whose web login this is: oneself, and those one cares for. Never by a staff role."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(id__in=patients_lived_with(user))

    def contactable(self) -> Self:
        """The patients about whom mail may be sent: alive and not restricted."""
        return self.current().filter(deceased_on__isnull=True, is_restricted=False)

    def current(self) -> Self:
        """The records that go on; not those that were merged into another."""
        return self.filter(merged_into__isnull=True)

    def opened_in_emergency(self, user: User | AnonymousUser, now: datetime) -> Self:
        """The patients of other clinics whose record `user` has opened, with a reason, for a time."""
        if not (user.is_authenticated and user.is_active and user.is_staff):
            return self.none()
        return self.current().filter(
            Exists(_emergencies().filter(patient=OuterRef("pk"), user=user, ends_at__gt=now))
        )

    def found_by(self, words: str) -> Self:
        """The patients that what somebody typed can mean: name, number, date of birth, phone or address.

        Words stand in any order, each at the beginning of a word under which the patient is found
        (`patients.names`); without any word, everybody.
        """
        words = words.strip()
        if born_on := as_date(words):
            return self.filter(birth_date=born_on)
        if is_phone(words):
            return self._under(phone_wanted(words)) | self._under("".join(words_of(words)))
        rows = self
        for part in words.split():
            rows = rows._meant_by(part)
        return rows

    def _meant_by(self, part: str) -> Self:
        born_on = as_date(part)
        if born_on:
            return self.filter(birth_date=born_on)
        if "@" in part:
            return self._under(fold_address(part))
        rows = self
        for word in words_of(part):
            rows = rows._under(word)
        return rows

    def _under(self, word: str) -> Self:
        from patients.models import PatientWord  # the model is built from this module

        return self.filter(id__in=PatientWord.objects.filter(word__begins=word).values("patient"))


def _emergencies() -> EmergencyAccessQuerySet:
    from patients.models import EmergencyAccess  # the model is built from this module

    return EmergencyAccess.objects.all()


# Nobody's key.
NOBODY = UUID(int=0)
USER = Blank("user", models.UUIDField())
NOW = Blank("now", models.DateTimeField())


class Reader:
    """Stands for the reader in a prepared query, until it is asked: `own(READER)`, then `asked_by(user)`."""

    pk = USER
    is_authenticated = is_active = True


READER = Reader()


def asked_by(user: User | AnonymousUser) -> dict[str, Any]:
    """The values of `READER`, for a prepared query. For a stranger or a closed account nothing is found."""
    is_somebody = user.is_authenticated and user.is_active
    return {"user": user.pk if is_somebody else NOBODY, "now": clock.now()}


def patients_lived_with(user: User | AnonymousUser | Reader) -> Prepared:
    """The keys of the patients that somebody is, or cares for today; for a condition such as `patient__in`."""
    now = NOW if isinstance(user, Reader) else clock.now()
    return Prepared(lived_with, models.UUIDField(), user=user.pk, now=now)


def lived_with() -> models.QuerySet:
    """The patients of `USER` at `NOW`, put together anew: for `Prepared`, and within other such queries.

    Two lists put together, for each of which there is an index; one condition with "or" would look at everybody.
    """
    from patients.models import Patient, RelatedPerson  # the models are built from this module

    oneself = Patient.objects.current().filter(user=USER).order_by().values("id")
    today = LocalDay(NOW, "patient__clinic__time_zone")
    links = RelatedPerson.objects.live(today).filter(user=USER, patient__merged_into__isnull=True)
    return oneself.union(links.order_by().values("patient"), all=True)


class _OfPatientQuerySet(models.QuerySet):
    """Rows that belong to a patient, over `patient_path`."""

    patient_path = "patient"

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The rows of the patients that `user` may see."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(_visible(self.patient_path, user))

    def own(self, user: User | AnonymousUser | Reader) -> Self:
        """The rows of the patients whose web login this is."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(**{f"{self.patient_path}__in": patients_lived_with(user)})


class RelatedPersonQuerySet(_OfPatientQuerySet):
    """Carers' links by who is asking and by day."""

    def live(self, on: date | LocalDay | Blank) -> Self:
        """The links whose access holds on the clinic's local day `on`."""
        return self.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gt=on), ended_at__isnull=True, starts_on__lte=on
        )


class EpisodeQuerySet(_OfPatientQuerySet):
    """Episodes by who is asking and by state."""

    def open(self) -> Self:
        """Episodes in which something may still happen."""
        return self.filter(status__in=("planned", "active"))

    def for_planning(self) -> Self:
        """Fetch with an episode all that its plan depends on, in a constant number of queries."""
        from patients.models import Hold, ImagingRequest, RelatedPerson  # built from this module

        return self.select_related("patient__clinic", "patient__user", "version").prefetch_related(
            "anchor_dates",
            "appointments",
            "version__steps",
            models.Prefetch("holds", Hold.objects.standing()),
            models.Prefetch("imaging_requests", ImagingRequest.objects.select_related("step")),
            models.Prefetch(
                "patient__related_people", RelatedPerson.objects.select_related("user")
            ),
        )


class AppointmentQuerySet(_OfPatientQuerySet):
    """Appointments by who is asking and by state."""

    patient_path = "episode__patient"

    def booked(self) -> Self:
        """Appointments that are to take place."""
        return self.filter(status="booked")


class ImagingRequestQuerySet(_OfPatientQuerySet):
    """X-ray requests by who is asking and by state."""

    patient_path = "episode__patient"

    def to_book(self) -> Self:
        """Requests that still need a booking."""
        return self.filter(status="draft")

    def without_result(self) -> Self:
        """X-rays that were taken and that nobody has written a result for."""
        return self.filter(status="completed", resulted_at__isnull=True)


class TaskQuerySet(models.QuerySet):
    """Tasks by who is asking and by state. Which kinds a role sees is in `patients.worklist`."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The tasks of the clinics that a member of staff works at."""
        return self.filter(clinic__in=Clinic.objects.visible_to(user))

    def open(self) -> Self:
        """Tasks that somebody still has to see to."""
        return self.filter(status__in=("requested", "in-progress"))

    def alerts_first(self) -> Self:
        """Warning signs before all else, then what presses, then what is due first."""
        rank = models.Case(models.When(kind="alert", then=0), default=1)
        return self.order_by(rank, "-is_pressing", "due_on", "id")

    def settled(self) -> Self:
        """Tasks that somebody resolved, or that closed by themselves."""
        return self.filter(status__in=("completed", "cancelled"))

    def watched(self) -> Self:
        """Tasks whose cause may still go away: open ones, and resolved ones with the cause still there."""
        return self.filter(
            Q(status__in=("requested", "in-progress")) | Q(status="completed", is_gone=False)
        )


class StepResponseQuerySet(_OfPatientQuerySet):
    """Answers and questions about steps by who is asking."""

    patient_path = "episode__patient"


class NoteQuerySet(_OfPatientQuerySet):
    """Notes of staff by who is asking."""


class HoldQuerySet(_OfPatientQuerySet):
    """Holds on plans by who is asking and by state."""

    patient_path = "episode__patient"

    def standing(self) -> Self:
        """Holds that nobody has lifted."""
        return self.filter(lifted_at__isnull=True)


class _FinalQuerySet(_OfPatientQuerySet):
    """Rows of a patient that are neither changed nor removed in bulk: each kind says so in its own words."""

    def update(self, **values: Any) -> int:
        """Raise what this kind says to a change."""
        raise self._final()

    def delete(self) -> tuple[int, dict[str, int]]:
        """Raise what this kind says to a change."""
        raise self._final()

    @staticmethod
    def _final() -> TypeError:
        raise NotImplementedError


class CheckInQuerySet(_FinalQuerySet):
    """Check-ins by who is asking. What was sent is neither changed nor removed in bulk."""

    patient_path = "episode__patient"

    @staticmethod
    def _final() -> TypeError:
        from patients.models import CheckInIsFinal  # the model is built from this module

        return CheckInIsFinal()


class AlertQuerySet(_OfPatientQuerySet):
    """Alerts by who is asking and by state."""

    def open(self) -> Self:
        """Alerts that nobody has resolved yet."""
        return self.filter(resolved_at__isnull=True)

    def new(self) -> Self:
        """Open alerts that nobody has acknowledged yet."""
        return self.open().filter(acknowledged_at__isnull=True)

    def most_pressing_first(self) -> Self:
        """Emergencies before urgent ones, and what waits longest first."""
        rank = models.Case(
            models.When(severity="emergency", then=0),
            models.When(severity="urgent", then=1),
            default=2,
            output_field=models.SmallIntegerField(),
        )
        return self.order_by(rank, "raised_at", "id")


class PrescriptionQuerySet(_OfPatientQuerySet):
    """Prescribed exercises by who is asking and by day."""

    patient_path = "episode__patient"

    def standing(self) -> Self:
        """Prescriptions that nobody has ended."""
        return self.filter(ended_at__isnull=True)

    def running(self, on: date | Blank) -> Self:
        """Prescriptions that are to be done on the clinic's local day `on`."""
        return self.standing().filter(
            Q(last_on__isnull=True) | Q(last_on__gte=on), starts_on__lte=on
        )


class ExerciseLogQuerySet(_OfPatientQuerySet):
    """Rounds of exercises that were done, by who is asking."""

    patient_path = "prescription__episode__patient"


class _OfClinicQuerySet(models.QuerySet):
    """Rows that belong to a clinic and to no single patient."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The rows of the clinics where somebody works."""
        return self.filter(clinic__in=Clinic.objects.visible_to(user))


class ImportBatchQuerySet(_OfClinicQuerySet):
    """Imported lists by who is asking and by state."""

    def moving(self) -> Self:
        """Lists at which the machine is at work."""
        return self.filter(status__in=("matching", "committing", "undoing"))


class EmergencyAccessQuerySet(_OfClinicQuerySet):
    """Records opened in an emergency, by the patients' clinic."""

    def unseen(self) -> Self:
        """Those that no manager has looked at yet."""
        return self.filter(seen_at__isnull=True)


class SlipQuerySet(_OfPatientQuerySet):
    """Slips of somebody who stopped smoking, by who is asking."""

    patient_path = "episode__patient"

    def standing(self) -> Self:
        """Slips that nobody has taken back."""
        return self.filter(withdrawn_at__isnull=True)


class MoveRequestQuerySet(_OfPatientQuerySet):
    """Requests to move a visit, by who is asking and by state."""

    patient_path = "appointment__episode__patient"

    def open(self) -> Self:
        """Requests that wait for the clinic."""
        return self.filter(status="open")


class ConsentDecisionQuerySet(_FinalQuerySet):
    """Decisions about consents, by who is asking. What was decided is neither changed nor removed in bulk."""

    patient_path = "episode__patient"

    @staticmethod
    def _final() -> TypeError:
        from patients.models import ConsentIsFinal  # the model is built from this module

        return ConsentIsFinal()
