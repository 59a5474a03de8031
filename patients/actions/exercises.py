"""Prescribing exercises, and keeping what of them was done. Each action is atomic and audited.

Callers check who may (`permissions`); `now` is UTC. Actions raise ValidationError in words for people.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, today_at
from patients.models import Episode, ExerciseLog, Prescription
from portal.models import User
from procedures.models import Audience, Exercise


@transaction.atomic
def prescribe(
    *,
    episode: Episode,
    exercise: Exercise,
    sets: int,
    repetitions: int,
    times_a_day: int,
    starts_on: date,
    by: User,
    now: datetime,
    last_on: date | None = None,
    note: str = "",
) -> Prescription:
    """Prescribe an exercise; where it stands already, the new dose takes the place of the old one."""
    _refuse_closed(episode)
    if last_on is not None and last_on < starts_on:
        raise ValidationError({"last_on": _("The last day lies before the first.")})
    Episode.objects.select_for_update().get(pk=episode.pk)
    for standing in Prescription.objects.standing().filter(episode=episode, exercise=exercise):
        end_prescription(prescription=standing, by=by, now=now)
    prescription = Prescription.objects.create(
        episode=episode, exercise=exercise, sets=sets, repetitions=repetitions, times_a_day=times_a_day,
        starts_on=starts_on, last_on=last_on, note=note.strip(), prescribed_by=by,
    )  # fmt: skip
    _record(Action.CREATE, "prescription.add", prescription, by, after=_dose(prescription))
    return prescription


def _refuse_closed(episode: Episode) -> None:
    if not episode.is_open or episode.patient.deceased_on:
        raise ValidationError(_("This episode is closed."))


def _dose(row: Prescription) -> dict[str, Any]:
    return {
        "exercise": row.exercise.key, "sets": row.sets, "repetitions": row.repetitions,
        "times_a_day": row.times_a_day, "starts_on": str(row.starts_on),
        "last_on": str(row.last_on or ""), "note": row.note,
    }  # fmt: skip


def _record(action: str, verb: str, row: Prescription, by: User, **details: Any) -> None:
    record(action, verb, by=by, obj=row, patient=row.episode.patient, **details)


@transaction.atomic
def copy_programme(
    *, source: Episode, target: Episode, by: User, now: datetime
) -> list[Prescription]:
    """Prescribe what another patient of the clinic does today, from today on and without an end.

    Notes stay behind, for they speak of somebody else. What the target does already, and what is for
    another age, is left out.
    """
    if source.patient.clinic_id != target.patient.clinic_id:
        raise ValidationError(_("The programme belongs to a patient of another clinic."))
    today = today_at(target.patient.clinic, now)
    has = set(target.prescriptions.standing().values_list("exercise_id", flat=True))
    rows = source.prescriptions.running(today).select_related("exercise")
    return [
        prescribe(
            episode=target, exercise=row.exercise, sets=row.sets, repetitions=row.repetitions,
            times_a_day=row.times_a_day, starts_on=today, by=by, now=now,
        )
        for row in rows
        if row.exercise_id not in has and row.exercise.audience in audiences_of(target, today)
    ]  # fmt: skip


def audiences_of(episode: Episode, today: date) -> set[str]:
    """Whose exercises suit the patient, by the age that the pathway goes by."""
    is_child = episode.patient.is_child_on(episode.surgery_on or today)
    return {Audience.ANY, Audience.CHILD if is_child else Audience.ADULT}


@transaction.atomic
def end_prescription(*, prescription: Prescription, by: User, now: datetime) -> bool:
    """End it: it is not to be done any more, from today on. False where it was ended before."""
    rows = Prescription.objects.standing().filter(pk=prescription.pk)
    if not rows.update(ended_at=now):
        return False
    _record(Action.UPDATE, "prescription.end", prescription, by, before=_dose(prescription))
    return True


@transaction.atomic
def log_exercise(
    *,
    prescription: Prescription,
    round: int,  # noqa: A002 -- the field's own name
    by: User,
    now: datetime,
    pain_before: int | None = None,
    pain_after: int | None = None,
) -> ExerciseLog:
    """Keep that a round was done today. Told again it stays one round, and pain that is told is added."""
    _refuse_closed(prescription.episode)
    today = today_at(prescription.episode.patient.clinic, now)
    if not prescription.is_for(today) or not 1 <= round <= prescription.times_a_day:
        raise ValidationError(_("This exercise is not on today's list."))
    pain = {"pain_before": pain_before, "pain_after": pain_after}
    told = {name: value for name, value in pain.items() if value is not None}
    log, is_new = ExerciseLog.objects.get_or_create(
        prescription=prescription, on=today, round=round,
        defaults={"by": by, "logged_at": now, **told},
    )  # fmt: skip
    before = {name: getattr(log, name) for name in told}
    if is_new or before != told:
        _keep(log, told, is_new=is_new, by=by)
    return log


def _keep(log: ExerciseLog, told: dict[str, int], *, is_new: bool, by: User) -> None:
    for name, value in told.items():
        setattr(log, name, value)
    log.save(update_fields=list(told))
    record(
        Action.CREATE if is_new else Action.UPDATE, "exercise.log", by=by, obj=log,
        patient=log.prescription.episode.patient, after={**_round(log), **told},
    )  # fmt: skip


def _round(log: ExerciseLog) -> dict[str, Any]:
    return {"exercise": log.prescription.exercise.key, "on": str(log.on), "round": log.round}


@transaction.atomic
def undo_exercise(
    *,
    prescription: Prescription,
    round: int,  # noqa: A002 -- the field's own name
    by: User,
    now: datetime,
) -> bool:
    """Take back a round that was ticked off today by mistake. False where there is none."""
    today = today_at(prescription.episode.patient.clinic, now)
    logs = ExerciseLog.objects.select_for_update().filter(
        prescription=prescription, on=today, round=round
    )
    found = logs.first()
    if found is None:
        return False
    record(
        Action.DELETE, "exercise.undo", by=by, obj=found, patient=prescription.episode.patient,
        before=_round(found),
    )  # fmt: skip
    found.delete()
    return True
