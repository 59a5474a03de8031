"""What changes about an episode: its dates, the version it follows, its end."""

from __future__ import annotations

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, request_plan, today_at
from patients.actions.visits import cancel_appointment
from patients.imaging import sync_imaging_requests
from patients.models import AnchorDate, Episode, ImagingRequest, Patient
from portal.models import User
from procedures.models import PathwayVersion, validate_anchor

# A date further away than this is a slip of the keyboard.
LIKELY_WITHIN_YEARS = 30


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

    Raises ValidationError for a pathway that is not approved, or is another clinic's, and for a
    date that cannot be meant.
    """
    if version.status != version.Status.ACTIVE or version.clinic_id != patient.clinic_id:
        raise ValidationError(_("Only an approved pathway of this clinic can be booked."))
    today = today_at(patient.clinic, now)
    dates = {"decision": decision_on or today, "surgery": surgery_on}
    for on in dates.values():
        _refuse_unlikely(on, today)
    episode = Episode.objects.create(
        patient=patient, procedure=version.pathway.procedure, version=version, side=side,
        surgeon=surgeon, created_at=now, status=_status_at(surgery_on, today),
    )  # fmt: skip
    AnchorDate.objects.bulk_create(
        AnchorDate(episode=episode, anchor=anchor, on=on, confirmed_by=by)
        for anchor, on in dates.items()
        if on is not None
    )
    record(
        Action.CREATE, "episode.open", by=by, obj=episode, patient=patient,
        after={anchor: str(on or "") for anchor, on in dates.items()},
    )  # fmt: skip
    sync_imaging_requests(episode)
    request_plan(episode, reason="episode.open", now=now)
    return episode


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
