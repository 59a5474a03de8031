"""What changes about an episode: its dates, the version it follows, its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, request_plan, today_at
from patients.actions.visits import cancel_appointment
from patients.imaging import make_imaging_requests, sync_imaging_requests
from patients.models import AnchorDate, Episode, ImagingRequest, Patient
from portal import audit
from portal.models import Clinic, User
from procedures.models import PathwayVersion, validate_anchor

# A date further away than this is a slip of the keyboard.
LIKELY_WITHIN_YEARS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """An operation that somebody is to have. Dates are local days of the clinic."""

    patient: Patient
    version: PathwayVersion
    side: str
    surgery_on: date | None
    surgeon: User | None = None
    decision_on: date | None = None

    @property
    def procedure_id(self) -> UUID:
        """What is to be done."""
        return self.version.pathway.procedure_id


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

    Raises ValidationError for a pathway that is not approved, or is another clinic's, and for a
    date that cannot be meant.
    """
    booking = Booking(
        patient=patient, version=version, side=side, surgery_on=surgery_on, surgeon=surgeon, decision_on=decision_on
    )  # fmt: skip
    return open_episodes(clinic=patient.clinic, bookings=[booking], by=by, now=now)[0]


@transaction.atomic
def open_episodes(
    *, clinic: Clinic, bookings: Sequence[Booking], by: User | None, now: datetime
) -> list[Episode]:
    """Book many procedures for patients of one clinic, in a constant number of queries. Raises as `open_episode`."""
    today = today_at(clinic, now)
    opened = {_episode_of(each, clinic, today, now): _dates_of(each, today) for each in bookings}
    episodes = Episode.objects.bulk_create(opened)
    AnchorDate.objects.bulk_create(
        AnchorDate(episode=episode, anchor=anchor, on=on, confirmed_by=by)
        for episode, dates in opened.items()
        for anchor, on in dates.items()
    )
    make_imaging_requests(opened)
    changes = [_opening(episode, dates) for episode, dates in opened.items()]
    audit.record_all(Action.CREATE, "episode.open", changes, by=by, clinic=clinic)
    request_plan(*episodes, reason="episode.open", now=now)
    return episodes


def _episode_of(booking: Booking, clinic: Clinic, today: date, now: datetime) -> Episode:
    version = booking.version
    if version.status != version.Status.ACTIVE or version.clinic_id != clinic.pk:
        raise ValidationError(_("Only an approved pathway of this clinic can be booked."))
    return Episode(
        patient=booking.patient, procedure=version.pathway.procedure, version=version, side=booking.side,
        surgeon=booking.surgeon, created_at=now, status=_status_at(booking.surgery_on, today),
    )  # fmt: skip


def _dates_of(booking: Booking, today: date) -> dict[str, date]:
    """The dates of a booking that are known. Raises ValidationError for one that cannot be meant."""
    dates = {"decision": booking.decision_on or today, "surgery": booking.surgery_on}
    for on in dates.values():
        _refuse_unlikely(on, today)
    return {anchor: on for anchor, on in dates.items() if on is not None}


def _opening(episode: Episode, dates: Mapping[str, date]) -> audit.Change:
    after = {anchor: str(dates.get(anchor, "")) for anchor in ("decision", "surgery")}
    return audit.Change(episode, episode.patient_id, after=after)


@transaction.atomic
def set_anchor(
    *,
    episode: Episode,
    anchor: str,
    on: date | None,
    by: User | None,
    now: datetime,
    reason: str = "",
) -> date | None:
    """Set, move or clear one date that offsets are counted from. Returns the date it had before.

    `on` is a local day of the clinic. Raises ValidationError for a closed episode, for what is no
    such date, for a discharge before surgery and for a day that cannot be meant.
    """
    _refuse_unknown(anchor)
    episode = Episode.objects.select_for_update().get(pk=episode.pk)
    if not episode.is_open:
        raise ValidationError(_("This episode is closed; its dates cannot be changed."))
    today = today_at(episode.patient.clinic, now)
    _refuse_unlikely(on, today)
    before = episode.anchors.get(anchor)
    _refuse_impossible_order(episode, anchor, on)
    if on is None:
        episode.anchor_dates.filter(anchor=anchor).delete()
    else:
        AnchorDate.objects.update_or_create(
            episode=episode, anchor=anchor, defaults={"on": on, "confirmed_by": by}
        )
    if anchor == "surgery":
        episode.status = _status_at(on, today)
        episode.save(update_fields=["status"])
    record(
        Action.UPDATE, "episode.set_anchor", by=by, obj=episode, patient=episode.patient,
        before={anchor: str(before or "")}, after={anchor: str(on or "")}, reason=reason,
    )  # fmt: skip
    sync_imaging_requests(Episode.objects.get(pk=episode.pk))
    request_plan(episode, reason=f"anchor.{anchor}", now=now)
    return before


def _refuse_unknown(anchor: str) -> None:
    validate_anchor(anchor)
    if anchor == "appointment":
        raise ValidationError(_("An appointment has its own date."))


def _refuse_unlikely(on: date | None, today: date) -> None:
    if on is not None and abs(on.year - today.year) > LIKELY_WITHIN_YEARS:
        raise ValidationError(_("Please check the year: %(year)s.") % {"year": on.year})


def _refuse_impossible_order(episode: Episode, anchor: str, on: date | None) -> None:
    dates = {**episode.anchors, anchor: on}
    surgery, discharge = dates.get("surgery"), dates.get("discharge")
    if surgery and discharge and discharge < surgery:
        raise ValidationError(_("Discharge cannot be before the day of surgery."))


def _status_at(surgery_on: date | None, today: date) -> str:
    is_under_way = surgery_on is not None and surgery_on <= today
    return Episode.Status.ACTIVE if is_under_way else Episode.Status.PLANNED


@transaction.atomic
def follow_version(
    *, episode: Episode, version: PathwayVersion, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Let an episode follow another version of its pathway from now on; what was sent stays as it is.

    Raises ValidationError for a closed episode, and for a version that is not approved or belongs
    to another pathway or clinic.
    """
    episode = Episode.objects.select_for_update().get(pk=episode.pk)
    before = episode.version
    if not episode.is_open:
        raise ValidationError(_("This episode is closed; its plan cannot be changed."))
    if version.status != version.Status.ACTIVE or (version.pathway_id, version.clinic_id) != (
        before.pathway_id,
        before.clinic_id,
    ):
        raise ValidationError(_("Only an approved version of the same pathway can be followed."))
    episode.version = version
    episode.save(update_fields=["version"])
    record(
        Action.UPDATE, "episode.follow_version", by=by, obj=episode, patient=episode.patient,
        before={"version": before.number}, after={"version": version.number}, reason=reason,
    )  # fmt: skip
    sync_imaging_requests(episode)
    request_plan(episode, reason="episode.follow_version", now=now)


@transaction.atomic
def close_episode(
    *, episode: Episode, status: str, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Finish or cancel an episode: its visits that lie ahead are cancelled, and it asks for no X-ray any more."""
    if not Episode.objects.open().filter(pk=episode.pk).update(status=status):
        return
    before, episode.status = episode.status, status
    for appointment in episode.appointments.booked().filter(starts_at__gt=now):
        cancel_appointment(appointment=appointment, by=by, now=now, reason=reason)
    episode.imaging_requests.to_book().update(status=ImagingRequest.Status.WITHDRAWN)
    record(
        Action.UPDATE, "episode.close", by=by, obj=episode, patient=episode.patient,
        before={"status": before}, after={"status": status}, reason=reason,
    )  # fmt: skip
    request_plan(episode, reason="episode.close", now=now)
