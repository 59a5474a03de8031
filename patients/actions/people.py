"""What changes about patients and their carers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.access import last_day_for
from patients.actions.finding import keep_account_findable, keep_findable, make_findable
from patients.actions.notes import Action, record, request_plan, today_at
from patients.actions.visits import cancel_appointment
from patients.imaging import sync_imaging_requests
from patients.models import Appointment, ImagingRequest, Patient, RelatedPerson
from portal import audit
from portal.models import Clinic, User


@transaction.atomic
def register_patient(
    *,
    clinic: Clinic,
    by: User | None,
    now: datetime,
    email: str = "",
    language: str = "",
    **fields: Any,
) -> Patient:
    """Add a patient, with an account for the mail address where there is one.

    Raises ValidationError when the record number, or the address, is another patient's.
    """
    patient = Patient(clinic=clinic, created_at=now, **fields)
    if email:
        patient.user = _account_to_be(email, patient, language)
    register_patients(clinic=clinic, patients=[patient], by=by)
    return patient


@transaction.atomic
def register_patients(*, clinic: Clinic, patients: Sequence[Patient], by: User | None) -> None:
    """Store patients of one clinic who were made up to now in memory alone, with their logins that are new too.

    Raises ValidationError where a record number, or a login, is another patient's.
    """
    _refuse_known_numbers(clinic, [patient.record_number for patient in patients])
    accounts = [patient.user for patient in patients if patient.user is not None]
    _refuse_shared_logins([user for user in accounts if not user._state.adding])
    User.objects.bulk_create(user for user in accounts if user._state.adding)
    Patient.objects.bulk_create(patients)
    make_findable(*patients)
    changes = [audit.Change(patient, patient.pk) for patient in patients]
    audit.record_all(Action.CREATE, "patient.register", changes, by=by, clinic=clinic)


def _refuse_known_numbers(clinic: Clinic, numbers: Sequence[str]) -> None:
    known = Patient.objects.filter(clinic=clinic, record_number__in=numbers)
    number = known.order_by().values_list("record_number", flat=True).first()
    if number is not None:
        words = _("Another patient has the record number %(number)s.")
        raise ValidationError({"record_number": words % {"number": number}})


def account_for(email: str, *, name: str, clinic: Clinic, language: str = "") -> User:
    """The account with this address, made without a password where there is none yet."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    return user or User.objects.create_user(email, name=name, language=language or clinic.language)


def _account_to_be(email: str, patient: Patient, language: str) -> User:
    """The same for somebody who is added in this moment; a new one is stored with the patient."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    language = language or patient.clinic.language
    return user or User.objects.build_user(email, name=patient.name, language=language)


def birth_dates_of(user: User) -> list[date]:
    """The dates of birth that the holder of a login knows: their own, and those of the people they care for."""
    return list(Patient.objects.own(user).values_list("birth_date", flat=True))


def _refuse_shared_logins(users: Sequence[User]) -> None:
    if users and Patient.objects.filter(user__in=users).exists():
        raise ValidationError(
            {
                "email": _(
                    "Another patient signs in with this address. Each patient needs an own one."
                )
            }
        )


@transaction.atomic
def update_patient(
    *, patient: Patient, by: User | None, now: datetime, tasks_wait: bool = False, **fields: Any
) -> None:
    """Change what is recorded about a patient; open episodes are planned anew where anything changed.

    For `tasks_wait` see `notes.record`.
    """
    before, after = audit.changes(patient, fields)
    if not after:
        return
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save(update_fields=list(fields))
    keep_findable(patient)
    record(
        Action.UPDATE,
        "patient.update",
        by=by,
        obj=patient,
        patient=patient,
        tasks_wait=tasks_wait,
        before=before,
        after=after,
    )
    episodes = list(patient.episodes.open())
    for episode in episodes:
        # Whether an X-ray is asked for can hang on what changed.
        sync_imaging_requests(episode)
    request_plan(*episodes, reason="patient.update", now=now)


@transaction.atomic
def set_email(
    *, patient: Patient, email: str, by: User | None, now: datetime, tasks_wait: bool = False
) -> None:
    """Give the patient an own account, or the account another address. Raises ValidationError.

    An address that is somebody else's account is refused: nobody may come to another's mail that way.
    """
    email = email.strip().lower()
    holder = User.objects.filter(email__iexact=email).first()
    if holder is not None and patient.user is not None and holder != patient.user:
        raise ValidationError({"email": _("This address already belongs to another account.")})
    before = patient.user.email if patient.user else ""
    if before == email:
        return
    if patient.user is None:
        patient.user = account_for(email, name=patient.name, clinic=patient.clinic)
        _refuse_shared_logins([patient.user])
        patient.save(update_fields=["user"])
    else:
        patient.user.email = email
        patient.user.save(update_fields=["email"])
    keep_account_findable(patient.user)
    record(
        Action.UPDATE, "patient.set_email", by=by, obj=patient, patient=patient, tasks_wait=tasks_wait,
        before={"email": before}, after={"email": email},
    )  # fmt: skip
    request_plan(*patient.episodes.open(), reason="patient.set_email", now=now)


@transaction.atomic
def mark_deceased(*, patient: Patient, on: date, by: User, now: datetime) -> None:
    """Record that the patient died on `on`, a local day. Everything that is planned stops, visits and X-rays too.

    Raises ValidationError for a day that is still to come.
    """
    if on > today_at(patient.clinic, now):
        raise ValidationError({"on": _("This day is still to come.")})
    patient.deceased_on = on
    patient.save(update_fields=["deceased_on"])
    visits = Appointment.objects.booked().filter(episode__patient=patient, starts_at__gt=now)
    for appointment in visits.select_related("episode__patient__clinic"):
        cancel_appointment(appointment=appointment, by=by, now=now)
    due = ImagingRequest.objects.to_book().filter(episode__patient=patient)
    due.update(status=ImagingRequest.Status.WITHDRAWN)
    record(
        Action.UPDATE, "patient.mark_deceased", by=by, obj=patient, patient=patient,
        after={"deceased_on": str(on)},
    )  # fmt: skip
    request_plan(*patient.episodes.open(), reason="patient.deceased", now=now)


@transaction.atomic
def link_carer(
    *,
    patient: Patient,
    email: str,
    name: str,
    relationship: str,
    by: User | None,
    now: datetime,
    scope: str = RelatedPerson.Scope.FULL,
    ends_on: date | None = None,
) -> RelatedPerson:
    """Give a parent or carer access to one patient; to a child's record at most until the 16th birthday.

    Raises ValidationError when they have it already, or are the patient.
    """
    user = account_for(email, name=name, clinic=patient.clinic)
    today = today_at(patient.clinic, now)
    if user.pk == patient.user_id:
        raise ValidationError({"email": _("This is the patient’s own address.")})
    links = RelatedPerson.objects.filter(patient=patient, user=user)
    # Access that ran out by its date is over; it must not stand in the way of new access.
    links.filter(ended_at__isnull=True, ends_on__lte=today).update(ended_at=now)
    if links.filter(ended_at__isnull=True).exists():
        raise ValidationError({"email": _("This person already has access to the record.")})
    by_itself = last_day_for(patient, today)
    ends_on = min(filter(None, (ends_on, by_itself)), default=None)
    link = RelatedPerson.objects.create(
        patient=patient, user=user, relationship=relationship, scope=scope,
        starts_on=today, ends_on=ends_on, created_at=now,
    )  # fmt: skip
    keep_findable(patient)
    record(
        Action.CREATE, "carer.link", by=by, obj=link, patient=patient,
        after={"user": str(user.pk), "scope": scope, "ends_on": str(ends_on or "")},
    )  # fmt: skip
    request_plan(*patient.episodes.open(), reason="carer.link", now=now)
    return link


@transaction.atomic
def end_carer(*, link: RelatedPerson, by: User, now: datetime, reason: str = "") -> None:
    """End a carer's access from this moment on. Ending it twice changes nothing."""
    if not RelatedPerson.objects.filter(pk=link.pk, ended_at__isnull=True).update(ended_at=now):
        return
    link.ended_at = now
    keep_findable(link.patient)
    record(Action.UPDATE, "carer.end", by=by, obj=link, patient=link.patient, reason=reason)
    request_plan(*link.patient.episodes.open(), reason="carer.end", now=now)
