"""What changes a patient's record. Each action is atomic, writes its audit row, and asks for a new plan.

Callers check who may (`permissions`); actions check what makes sense and raise ValidationError in
words for people. `now` is UTC.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.imaging import sync_imaging_requests
from patients.models import (
    AnchorDate,
    Appointment,
    Episode,
    ImagingRequest,
    Patient,
    PlanRequest,
    RelatedPerson,
    StepResponse,
)
from portal import audit
from portal.models import AuditEvent, Clinic, Location, User
from procedures.models import PathwayVersion, Step

Action = AuditEvent.Action


def request_plan(*episodes: Episode, reason: str, now: datetime) -> None:
    """Note that plans have to be worked out again. Call it inside the transaction of the change."""
    PlanRequest.objects.bulk_create(
        PlanRequest(episode=episode, reason=reason, requested_at=now) for episode in episodes
    )


def _record(action: str, verb: str, *, by: User | None, obj: Any, patient: Patient, **details: Any) -> None:
    audit.record(
        action, verb, by=by, obj=obj, clinic=patient.clinic, patient_id=patient.id, **details
    )


@transaction.atomic
def register_patient(
    *, clinic: Clinic, by: User | None, now: datetime, email: str = "", language: str = "", **fields: Any
) -> Patient:
    """Add a patient, with an account for the mail address where there is one.

    Raises ValidationError when the record number, or the address, is another patient's.
    """
    number = fields["record_number"]
    if Patient.objects.filter(clinic=clinic, record_number=number).exists():
        raise ValidationError(
            {"record_number": _("Another patient has the record number %(number)s.") % {"number": number}}
        )
    patient = Patient(clinic=clinic, created_at=now, **fields)
    if email:
        patient.user = account_for(email, name=patient.name, clinic=clinic, language=language)
        _refuse_shared_login(patient)
    patient.save()
    _record(Action.CREATE, "patient.register", by=by, obj=patient, patient=patient)
    return patient


def account_for(email: str, *, name: str, clinic: Clinic, language: str = "") -> User:
    """The account with this address, made without a password where there is none yet."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    return user or User.objects.create_user(email, name=name, language=language or clinic.language)


def _refuse_shared_login(patient: Patient) -> None:
    if Patient.objects.filter(user=patient.user).exclude(pk=patient.pk).exists():
        raise ValidationError(
            {"email": _("Another patient signs in with this address. Each patient needs an own one.")}
        )


@transaction.atomic
def update_patient(*, patient: Patient, by: User | None, now: datetime, **fields: Any) -> None:
    """Change what is recorded about a patient; open episodes are planned anew where anything changed."""
    before, after = audit.changes(patient, fields)
    if not after:
        return
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save(update_fields=list(fields))
    _record(Action.UPDATE, "patient.update", by=by, obj=patient, patient=patient, before=before, after=after)
    request_plan(*patient.episodes.open(), reason="patient.update", now=now)


@transaction.atomic
def set_email(*, patient: Patient, email: str, by: User | None, now: datetime) -> None:
    """Give the patient an own account, or the account another address. Raises ValidationError.

    An address that is somebody else's account is refused: nobody may come to another's mail that way.
    """
    email = email.strip().lower()
    other = User.objects.filter(email__iexact=email).exclude(pk=patient.user_id).first()
    if other is not None and patient.user_id is not None:
        raise ValidationError({"email": _("This address already belongs to another account.")})
    before = patient.user.email if patient.user else ""
    if before == email:
        return
    if patient.user is None:
        patient.user = account_for(email, name=patient.name, clinic=patient.clinic)
        _refuse_shared_login(patient)
        patient.save(update_fields=["user"])
    else:
        patient.user.email = email
        patient.user.save(update_fields=["email"])
    _record(
        Action.UPDATE, "patient.set_email", by=by, obj=patient, patient=patient,
        before={"email": before}, after={"email": email},
    )  # fmt: skip
    request_plan(*patient.episodes.open(), reason="patient.set_email", now=now)


@transaction.atomic
def mark_deceased(*, patient: Patient, on: date, by: User, now: datetime) -> None:
    """Record that the patient died on `on`, a local day. Everything that is planned stops, visits and X-rays too."""
    patient.deceased_on = on
    patient.save(update_fields=["deceased_on"])
    visits = Appointment.objects.booked().filter(episode__patient=patient, starts_at__gt=now)
    for appointment in visits.select_related("episode__patient__clinic"):
        cancel_appointment(appointment=appointment, by=by, now=now)
    due = ImagingRequest.objects.to_book().filter(episode__patient=patient)
    due.update(status=ImagingRequest.Status.WITHDRAWN)
    _record(
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
    """Give a parent or carer access to one patient. Raises ValidationError when they have it already."""
    user = account_for(email, name=name, clinic=patient.clinic)
    today = now.astimezone(patient.clinic.zone).date()
    if RelatedPerson.objects.filter(patient=patient, user=user, ended_at__isnull=True).exists():
        raise ValidationError({"email": _("This person already has access to the record.")})
    link = RelatedPerson.objects.create(
        patient=patient, user=user, relationship=relationship, scope=scope,
        starts_on=today, ends_on=ends_on, created_at=now,
    )  # fmt: skip
    _record(
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
    _record(Action.UPDATE, "carer.end", by=by, obj=link, patient=link.patient, reason=reason)
    request_plan(*link.patient.episodes.open(), reason="carer.end", now=now)


@transaction.atomic
def open_episode(
    *,
    patient: Patient,
    version: PathwayVersion,
    side: str,
    surgery_on: date | None,
    by: User | None,
    now: datetime,
    surgeon: User | None = None,
    decision_on: date | None = None,
) -> Episode:
    """Book a procedure for a patient. Dates are local days of the clinic.

    Raises ValidationError for a pathway that is not approved, or is another clinic's.
    """
    if version.status != version.Status.ACTIVE or version.clinic_id != patient.clinic_id:
        raise ValidationError(_("Only an approved pathway of this clinic can be booked."))
    episode = Episode.objects.create(
        patient=patient, procedure=version.pathway.procedure, version=version, side=side,
        surgeon=surgeon, created_at=now,
    )  # fmt: skip
    today = now.astimezone(patient.clinic.zone).date()
    dates = {"decision": decision_on or today, "surgery": surgery_on}
    AnchorDate.objects.bulk_create(
        AnchorDate(episode=episode, anchor=anchor, on=on, confirmed_by=by)
        for anchor, on in dates.items()
        if on is not None
    )
    _record(
        Action.CREATE, "episode.open", by=by, obj=episode, patient=patient,
        after={anchor: str(on or "") for anchor, on in dates.items()},
    )  # fmt: skip
    sync_imaging_requests(episode)
    request_plan(episode, reason="episode.open", now=now)
    return episode


@transaction.atomic
def set_anchor(
    *, episode: Episode, anchor: str, on: date | None, by: User | None, now: datetime, reason: str = ""
) -> date | None:
    """Set, move or clear one date that offsets are counted from. Returns the date it had before.

    `on` is a local day of the clinic. Raises ValidationError for a closed episode and for a
    discharge before surgery.
    """
    episode = Episode.objects.select_for_update().get(pk=episode.pk)
    if not episode.is_open:
        raise ValidationError(_("This episode is closed; its dates cannot be changed."))
    before = episode.anchors.get(anchor)
    _refuse_impossible_order(episode, anchor, on)
    if on is None:
        episode.anchor_dates.filter(anchor=anchor).delete()
    else:
        AnchorDate.objects.update_or_create(
            episode=episode, anchor=anchor, defaults={"on": on, "confirmed_by": by}
        )
    if anchor == "surgery" and on and on <= now.astimezone(episode.patient.clinic.zone).date():
        episode.status = Episode.Status.ACTIVE
        episode.save(update_fields=["status"])
    _record(
        Action.UPDATE, "episode.set_anchor", by=by, obj=episode, patient=episode.patient,
        before={anchor: str(before or "")}, after={anchor: str(on or "")}, reason=reason,
    )  # fmt: skip
    sync_imaging_requests(Episode.objects.get(pk=episode.pk))
    request_plan(episode, reason=f"anchor.{anchor}", now=now)
    return before


def _refuse_impossible_order(episode: Episode, anchor: str, on: date | None) -> None:
    dates = {**episode.anchors, anchor: on}
    surgery, discharge = dates.get("surgery"), dates.get("discharge")
    if surgery and discharge and discharge < surgery:
        raise ValidationError(_("Discharge cannot be before the day of surgery."))


@transaction.atomic
def close_episode(
    *, episode: Episode, status: str, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Finish or cancel an episode. What was booked for it and lies ahead is cancelled with it."""
    if not Episode.objects.open().filter(pk=episode.pk).update(status=status):
        return
    before, episode.status = episode.status, status
    if status == Episode.Status.CANCELLED:
        for appointment in episode.appointments.booked().filter(starts_at__gt=now):
            cancel_appointment(appointment=appointment, by=by, now=now, reason=reason)
        episode.imaging_requests.to_book().update(status=ImagingRequest.Status.WITHDRAWN)
    _record(
        Action.UPDATE, "episode.close", by=by, obj=episode, patient=episode.patient,
        before={"status": before}, after={"status": status}, reason=reason,
    )  # fmt: skip
    request_plan(episode, reason="episode.close", now=now)


@transaction.atomic
def book_appointment(
    *,
    episode: Episode,
    kind: str,
    on: date,
    at: time,
    by: User | None,
    now: datetime,
    location: Location | None = None,
    minutes: int = 30,
    note: str = "",
    imaging_request: ImagingRequest | None = None,
) -> Appointment:
    """Book a visit at the clinic's local date and time. With an X-ray request, the request counts as booked."""
    appointment = Appointment(
        episode=episode, kind=kind, local_date=on, local_time=at, minutes=minutes, location=location,
        note=note, time_zone=episode.patient.clinic.time_zone, created_at=now,
    )  # fmt: skip
    appointment.starts_at = appointment.derive_starts_at()
    appointment.save()
    if imaging_request is not None:
        imaging_request.appointment = appointment
        imaging_request.status = ImagingRequest.Status.BOOKED
        imaging_request.save(update_fields=["appointment", "status"])
    _record(
        Action.CREATE, "appointment.book", by=by, obj=appointment, patient=episode.patient,
        after={"kind": kind, "on": str(on), "at": str(at)},
    )  # fmt: skip
    request_plan(episode, reason="appointment.book", now=now)
    return appointment


@transaction.atomic
def move_appointment(
    *, appointment: Appointment, on: date, at: time, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Give a visit another local date and time; calendars get the change by the higher SEQUENCE."""
    before = {"on": str(appointment.local_date), "at": str(appointment.local_time)}
    appointment.local_date, appointment.local_time = on, at
    appointment.starts_at = appointment.derive_starts_at()
    appointment.status = Appointment.Status.BOOKED
    appointment.sequence += 1
    appointment.save(update_fields=["local_date", "local_time", "starts_at", "status", "sequence"])
    _record(
        Action.UPDATE, "appointment.move", by=by, obj=appointment, patient=appointment.episode.patient,
        before=before, after={"on": str(on), "at": str(at)}, reason=reason,
    )  # fmt: skip
    request_plan(appointment.episode, reason="appointment.move", now=now)


@transaction.atomic
def cancel_appointment(
    *, appointment: Appointment, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Call a visit off. An X-ray that was booked with it is back on the worklist."""
    _end_appointment(appointment, Appointment.Status.CANCELLED, "appointment.cancel", by, now, reason)


@transaction.atomic
def mark_missed(*, appointment: Appointment, by: User, now: datetime, reason: str = "") -> None:
    """Record that nobody came; for a child, was not brought. The X-ray is back on the worklist; no mail is sent."""
    _end_appointment(appointment, Appointment.Status.NO_SHOW, "appointment.missed", by, now, reason)


def _end_appointment(
    appointment: Appointment, status: str, verb: str, by: User | None, now: datetime, reason: str
) -> None:
    before, appointment.status = appointment.status, status
    appointment.sequence += 1
    appointment.save(update_fields=["status", "sequence"])
    ImagingRequest.objects.filter(appointment=appointment).update(
        appointment=None, status=ImagingRequest.Status.DUE
    )
    _record(
        Action.UPDATE, verb, by=by, obj=appointment, patient=appointment.episode.patient,
        before={"status": before}, after={"status": status}, reason=reason,
    )  # fmt: skip
    request_plan(appointment.episode, reason=verb, now=now)


@transaction.atomic
def mark_attended(*, appointment: Appointment, by: User, now: datetime) -> None:
    """Record that the visit took place. An X-ray booked with it counts as done."""
    appointment.status = Appointment.Status.FULFILLED
    appointment.save(update_fields=["status"])
    ImagingRequest.objects.filter(appointment=appointment).update(status=ImagingRequest.Status.DONE)
    _record(
        Action.UPDATE, "appointment.attended", by=by, obj=appointment,
        patient=appointment.episode.patient, after={"status": appointment.status},
    )  # fmt: skip
    request_plan(appointment.episode, reason="appointment.attended", now=now)


@transaction.atomic
def answer_step(
    *, episode: Episode, step: Step, occurrence: int, answer: str, by: User, now: datetime, note: str = ""
) -> StepResponse:
    """Keep that somebody did a step, or has a question about it. The same answer twice is kept once."""
    response, is_new = StepResponse.objects.get_or_create(
        episode=episode, step=step, occurrence=occurrence, answer=answer,
        defaults={"by": by, "note": note, "answered_at": now},
    )  # fmt: skip
    if is_new:
        _record(
            Action.CREATE, f"step.{answer}", by=by, obj=response, patient=episode.patient,
            after={"step": step.key, "occurrence": occurrence},
        )  # fmt: skip
    return response


@transaction.atomic
def withdraw_answer(
    *, episode: Episode, step: Step, occurrence: int, answer: str, by: User
) -> None:
    """Take back an answer given by mistake."""
    rows = StepResponse.objects.filter(
        episode=episode, step=step, occurrence=occurrence, answer=answer
    )
    for response in rows:
        _record(
            Action.DELETE, f"step.{answer}.withdraw", by=by, obj=response, patient=episode.patient,
            before={"step": step.key, "occurrence": occurrence},
        )  # fmt: skip
        response.delete()
