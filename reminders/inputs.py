"""What the planner reads, made from rows: steps become rules, an episode becomes a case."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from patients.models import Episode, ImagingRequest, Patient
from procedures.models import PathwayVersion, Step
from procedures.offsets import Offset
from reminders.planner import Case, Person, Repetition, Rule, Visit

XRAY_BOOKED = "xray_booked"
_SEEN_TO = {ImagingRequest.Status.BOOKED, ImagingRequest.Status.DONE}


def rules_of(version: PathwayVersion) -> list[Rule]:
    """The steps of a version as the planner wants them. One query."""
    return [rule_of(step) for step in version.steps.all()]


def rule_of(step: Step) -> Rule:
    """One step as the planner wants it."""
    return Rule(
        id=step.id,
        key=step.key,
        category=step.category,
        anchor=step.anchor,
        offset=Offset(step.offset_value, step.offset_unit),
        at=step.at,
        valid_for=step.valid_for,
        appointment_kind=step.appointment_kind,
        repetition=_repetition(step),
        condition=step.condition,
        recipients=step.recipients,
        late_policy=step.late_policy,
        repeat_policy=step.repeat_policy,
        is_essential=step.is_essential,
    )


def _repetition(step: Step) -> Repetition | None:
    if step.repeat_every_days is None:
        return None
    until = None
    if step.repeat_until_value is not None:
        until = Offset(step.repeat_until_value, step.repeat_until_unit)
    return Repetition(
        every_days=step.repeat_every_days,
        count=step.repeat_count,
        until_anchor=step.repeat_until_anchor or step.anchor,
        until=until,
        weekdays=tuple(step.repeat_weekdays),
    )


def case_of(episode: Episode, now: datetime) -> Case:
    """An episode as the planner wants it. Fetch it with `Episode.objects.for_planning()`.

    A patient about whom nobody may be written to, and a closed episode, have no people: nothing is planned.
    """
    case = sample_case(episode.patient, episode.anchors, now)
    if not (episode.is_open and episode.patient.is_contactable):
        return replace(case, people=())
    return replace(
        case, visits=tuple(_visits(episode)), ended_steps=frozenset(_ended_steps(episode))
    )


def sample_case(patient: Patient, anchors: Mapping[str, date], now: datetime) -> Case:
    """A case for a patient and dates that need not be stored: what a preview is made of."""
    clinic = patient.clinic
    on = anchors.get("surgery") or now.astimezone(clinic.zone).date()
    return Case(
        anchors=dict(anchors),
        attributes=patient.attributes(on),
        people=tuple(_people(patient)),
        adult_on=patient.adult_on,
        window=(clinic.sending_from, clinic.sending_until),
        zone=clinic.time_zone,
    )


def _people(patient: Patient) -> Iterable[Person]:
    clinic_zone = patient.clinic.time_zone
    if patient.user is not None and patient.user.is_active:
        yield Person(patient.user.id, patient.user.time_zone or clinic_zone, is_patient=True)
    if patient._state.adding and "related_people" not in _held(patient):
        return
    for link in patient.related_people.all():
        if link.ended_at is None and link.user.is_active:
            zone = link.user.time_zone or clinic_zone
            yield Person(link.user_id, zone, False, link.starts_on, link.ends_on)


def _held(patient: Patient) -> Collection[str]:
    """The relations that are at hand without asking the database."""
    return patient.__dict__.get("_prefetched_objects_cache", {}).keys()


def _visits(episode: Episode) -> Iterable[Visit]:
    for row in episode.appointments.all():
        if row.status == row.Status.BOOKED:
            yield Visit(row.id, row.kind, row.local_date, row.starts_at)


def _ended_steps(episode: Episode) -> Iterable[str]:
    """The steps that ask for an X-ray to be booked, once it is."""
    for request in episode.imaging_requests.all():
        if request.status in _SEEN_TO and request.step.ends_when == XRAY_BOOKED:
            yield request.step.key
