"""What changes about appointments: booked, moved, called off, missed, attended."""

from __future__ import annotations

from datetime import date, datetime, time

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, request_plan
from patients.imaging import sync_imaging_requests
from patients.models import Appointment, Episode, ImagingRequest, MoveRequest
from portal.models import Location, User


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
    """Book a visit at the clinic's local date and time. With an X-ray request, the request counts as booked.

    Raises ValidationError for a closed episode, another clinic's place, and an X-ray request that is
    another episode's or needs no booking any more.
    """
    _refuse_unfit(episode, location, imaging_request)
    appointment = Appointment(
        episode=episode, kind=kind, local_date=on, local_time=at, minutes=minutes, location=location,
        note=note, time_zone=episode.patient.clinic.time_zone, created_at=now, changed_at=now,
    )  # fmt: skip
    appointment.starts_at = appointment.derive_starts_at()
    appointment.save()
    if imaging_request is not None:
        _take(imaging_request, appointment)
    record(
        Action.CREATE, "appointment.book", by=by, obj=appointment, patient=episode.patient,
        after={"kind": kind, "on": str(on), "at": str(at)},
    )  # fmt: skip
    request_plan(episode, reason="appointment.book", now=now)
    return appointment


def _refuse_unfit(
    episode: Episode, location: Location | None, imaging_request: ImagingRequest | None
) -> None:
    if not episode.is_open:
        raise ValidationError(_("This episode is closed; nothing can be booked for it."))
    if location is not None and location.clinic_id != episode.patient.clinic_id:
        raise ValidationError({"location": _("This place belongs to another clinic.")})
    if imaging_request is not None and imaging_request.episode_id != episode.pk:
        raise ValidationError(_("This X-ray belongs to another episode."))


def _take(imaging_request: ImagingRequest, appointment: Appointment) -> None:
    """Count the request as booked, unless somebody else was quicker."""
    taken = (
        ImagingRequest.objects.to_book()
        .filter(pk=imaging_request.pk)
        .update(appointment=appointment, status=ImagingRequest.Status.BOOKED)
    )
    if not taken:
        raise ValidationError(_("This X-ray is booked already, or not needed any more."))
    imaging_request.appointment = appointment
    imaging_request.status = ImagingRequest.Status.BOOKED


@transaction.atomic
def move_appointment(
    *,
    appointment: Appointment,
    on: date,
    at: time,
    by: User | None,
    now: datetime,
    reason: str = "",
    reply: str = "",
) -> None:
    """Give a visit another local date and time; calendars get the change by the higher SEQUENCE.

    Whoever comes has to confirm anew. An open wish for another time counts as granted, with `reply`.
    Raises ValidationError for a visit that is not booked any more.
    """
    _lock_booked(appointment)
    before = {"on": str(appointment.local_date), "at": str(appointment.local_time)}
    appointment.local_date, appointment.local_time = on, at
    appointment.starts_at = appointment.derive_starts_at()
    appointment.sequence += 1
    appointment.changed_at, appointment.confirmed_at, appointment.confirmed_by = now, None, None
    appointment.save(
        update_fields=[
            "local_date", "local_time", "starts_at", "sequence", "changed_at", "confirmed_at", "confirmed_by",
        ]
    )  # fmt: skip
    close_wishes(appointment, MoveRequest.Status.MOVED, by=by, now=now, reply=reply)
    record(
        Action.UPDATE, "appointment.move", by=by, obj=appointment, patient=appointment.episode.patient,
        before=before, after={"on": str(on), "at": str(at)}, reason=reason,
    )  # fmt: skip
    request_plan(appointment.episode, reason="appointment.move", now=now)


def close_wishes(
    appointment: Appointment, status: str, *, by: User | None, now: datetime, reply: str = ""
) -> bool:
    """Close the open wish for another time, if there is one. Call it inside the transaction of the change."""
    wishes = MoveRequest.objects.open().filter(appointment=appointment)
    return bool(wishes.update(status=status, answered_at=now, answered_by=by, reply=reply.strip()))


def _lock_booked(appointment: Appointment) -> None:
    """Lock the visit as it stands and take over its state. Raises ValidationError unless it is booked."""
    stored = Appointment.objects.select_for_update().get(pk=appointment.pk)
    if stored.status != Appointment.Status.BOOKED:
        raise ValidationError(_("This visit is not booked any more."))
    appointment.status, appointment.sequence = stored.status, stored.sequence


@transaction.atomic
def cancel_appointment(
    *, appointment: Appointment, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Call a visit off. An X-ray that was booked with it is back on the worklist."""
    _end_appointment(
        appointment, Appointment.Status.CANCELLED, "appointment.cancel", by, now, reason
    )


@transaction.atomic
def mark_missed(*, appointment: Appointment, by: User, now: datetime, reason: str = "") -> None:
    """Record that nobody came; for a child, was not brought. The X-ray is back on the worklist; no mail is sent."""
    _end_appointment(appointment, Appointment.Status.NO_SHOW, "appointment.missed", by, now, reason)


def _end_appointment(
    appointment: Appointment, status: str, verb: str, by: User | None, now: datetime, reason: str
) -> None:
    _lock_booked(appointment)
    before, appointment.status = appointment.status, status
    appointment.sequence += 1
    appointment.changed_at = now
    appointment.save(update_fields=["status", "sequence", "changed_at"])
    close_wishes(appointment, MoveRequest.Status.OVERTAKEN, by=by, now=now)
    ImagingRequest.objects.filter(appointment=appointment).update(
        appointment=None, status=ImagingRequest.Status.DUE
    )
    # The dates may have moved while it was booked.
    sync_imaging_requests(Episode.objects.get(pk=appointment.episode_id))
    record(
        Action.UPDATE, verb, by=by, obj=appointment, patient=appointment.episode.patient,
        before={"status": before}, after={"status": status}, reason=reason,
    )  # fmt: skip
    request_plan(appointment.episode, reason=verb, now=now)


@transaction.atomic
def mark_attended(*, appointment: Appointment, by: User, now: datetime) -> None:
    """Record that the visit took place. An X-ray booked with it counts as done."""
    _lock_booked(appointment)
    appointment.status, appointment.changed_at = Appointment.Status.FULFILLED, now
    appointment.save(update_fields=["status", "changed_at"])
    close_wishes(appointment, MoveRequest.Status.OVERTAKEN, by=by, now=now)
    ImagingRequest.objects.filter(appointment=appointment).update(status=ImagingRequest.Status.DONE)
    record(
        Action.UPDATE, "appointment.attended", by=by, obj=appointment,
        patient=appointment.episode.patient, after={"status": appointment.status},
    )  # fmt: skip
    request_plan(appointment.episode, reason="appointment.attended", now=now)
