"""What the planner reads, made from rows: steps become rules, an episode becomes a case."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import Q, QuerySet, UUIDField

from patients.models import Episode, ImagingRequest, Patient
from portal.nesting import Nested, with_nested
from portal.prepared import Listed, planned_once
from procedures.models import NEEDS_FULL_VIEW, PathwayVersion, Step
from procedures.offsets import Offset
from reminders.planner import Case, Person, Repetition, Rule, Visit

XRAY_BOOKED = "xray_booked"
_IDS = Listed("ids", UUIDField())
_SEEN_TO = {ImagingRequest.Status.BOOKED, ImagingRequest.Status.DONE}

# All that `case_of`, and telling of visits that were called off, ask an episode for.
_RELATIONS = (
    Nested("anchor_dates", ("anchor", "on")),
    Nested(
        "appointments",
        ("id", "kind", "local_date", "starts_at", "status"),
        Q(status__in=("booked", "cancelled")),
    ),
    Nested(
        "imaging_requests",
        ("status", "step__id", "step__key", "step__ends_when"),
        Q(status__in=_SEEN_TO),
    ),
    Nested("holds", ("step_key", "category", "lifted_at"), Q(lifted_at__isnull=True)),
    Nested(
        "patient__related_people",
        (
            "scope",
            "starts_on",
            "ends_on",
            "ended_at",
            "user__id",
            "user__time_zone",
            "user__mail_at",
            "user__is_active",
        ),
        Q(ended_at__isnull=True),
    ),
)


def read_episodes(ids: Iterable[UUID]) -> list[Episode]:
    """These episodes with all that their plans depend on and nothing more, in one query."""
    return _episodes(ids=ids)


@planned_once
def _episodes() -> QuerySet[Episode, Episode]:
    """Put into SQL once: that takes longer than asking the database."""
    rows = Episode.objects.select_related("patient__clinic", "patient__user", "version")
    return with_nested(rows.filter(id__in=_IDS).order_by(), *_RELATIONS)


def rules_of(version: PathwayVersion) -> Sequence[Rule]:
    """The steps of a version as the planner wants them. Kept for an approved one, which never changes."""
    return _read_rules(version) if version.is_draft else _kept_rules(version)


@lru_cache(maxsize=500)
def _kept_rules(version: PathwayVersion) -> Sequence[Rule]:
    return _read_rules(version)


def _read_rules(version: PathwayVersion) -> Sequence[Rule]:
    return tuple(rule_of(step) for step in version.steps.all())


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
        needs_full_view=step.category in NEEDS_FULL_VIEW,
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
    """An episode as the planner wants it. Fetch it with `read_episodes` or `Episode.objects.for_planning()`.

    A patient about whom nobody may be written to, and a closed episode, have no people: nothing is planned.
    """
    case = sample_case(episode.patient, episode.anchors, now)
    if not (episode.is_open and episode.patient.is_contactable):
        return replace(case, people=())
    return replace(
        case,
        visits=tuple(_visits(episode)),
        ended_steps=frozenset(_ended_steps(episode)),
        holds=frozenset(hold.target for hold in episode.holds.all() if hold.lifted_at is None),
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
        zone = patient.user.time_zone or clinic_zone
        yield Person(patient.user.id, zone, is_patient=True, mail_at=patient.user.mail_at)
    if patient._state.adding and "related_people" not in _held(patient):
        return
    for link in patient.related_people.all():
        if link.ended_at is None and link.user.is_active:
            zone = link.user.time_zone or clinic_zone
            yield Person(
                link.user_id, zone, False, link.starts_on, link.ends_on, link.user.mail_at,
                has_full_view=link.scope == link.Scope.FULL,
            )  # fmt: skip


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
