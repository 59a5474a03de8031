"""What every change of a record leaves behind: its audit row, tasks for people, and a note to work out plans again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from patients.actions.tasks import sync_tasks
from patients.models import ADULT_AT, Episode, Patient, PlanRequest
from portal import audit, clock
from portal.models import AuditEvent, Clinic, User
from procedures.offsets import Offset

Action = AuditEvent.Action

# Which worklists a change can touch, by its verb. What is not here follows with the next run of `sync_tasks`.
_VISITS = (
    "wish",
    "xray_to_book",
    "xray_missed",
    "xray_result",
    "visit_missed",
    "not_brought",
    "not_ready",
)
TOUCHED: dict[str, tuple[str, ...]] = {
    "alert.raise": ("alert",),
    "alert.acknowledge": ("alert",),
    "alert.resolve": ("alert",),
    "step.question": ("question",),
    "step.question.words": ("question",),
    "step.question.withdraw": ("question",),
    "question.reply": ("question",),
    "check_in.send": ("check_in_silent",),
    "appointment.book": _VISITS,
    "appointment.move": _VISITS,
    "appointment.cancel": _VISITS,
    "appointment.missed": _VISITS,
    "appointment.attended": _VISITS,
    "consent.given": ("consent_question", "not_ready"),
    "consent.not_yet": ("consent_question",),
    "consent.question": ("consent_question",),
    "consent.withdrawn": ("consent_question", "not_ready"),
    "move_request.ask": ("wish",),
    "move_request.withdraw": ("wish",),
    "move_request.answer": ("wish",),
    "imaging_request.result": ("xray_result",),
    "emergency.open": ("emergency",),
    "emergency.review": ("emergency",),
    "episode.set_anchor": ("smoker", "not_ready"),
    "episode.close": ("smoker", "not_ready", "check_in_silent", "unreachable", *_VISITS),
    "patient.update": ("smoker", "not_ready", "unreachable"),
    "patient.set_email": ("unreachable", "not_ready"),
    "carer.link": ("unreachable", "not_ready", "access_review"),
    "carer.end": ("unreachable", "not_ready", "access_end", "access_review"),
    "carer.renew": ("access_end", "access_review"),
    "carer.ask_to_end": ("access_end",),
    "carer.withdraw_asking": ("access_end",),
    "patient.mark_deceased": (),
}


def request_plan(*episodes: Episode, reason: str, now: datetime) -> None:
    """Note that plans have to be worked out again. Call it inside the transaction of the change."""
    PlanRequest.objects.bulk_create(
        PlanRequest(episode=episode, reason=reason, requested_at=now) for episode in episodes
    )


def request_plans_of_clinic(clinic: Clinic, now: datetime) -> None:
    """Note it for every open episode of a clinic: its zone or its sending window changed."""
    episodes = Episode.objects.open().filter(patient__clinic=clinic)
    request_plan(*episodes, reason="clinic.timing", now=now)


def request_plans_of_person(user: User, now: datetime) -> None:
    """Note it for whoever somebody is, or cares for: their account was closed, or opened again."""
    cared_for = Q(
        patient__related_people__user=user, patient__related_people__ended_at__isnull=True
    )
    episodes = Episode.objects.open().filter(Q(patient__user=user) | cared_for).distinct()
    request_plan(*episodes, reason="user.set_active", now=now)


# For so long after an 18th birthday it is noted anew each day: a tick may be lost.
JUST_GROWN_UP = timedelta(days=3)


def request_plans_of_the_grown_up(now: datetime) -> int:
    """Note it for patients without a day of surgery who have just come of age. Returns for how many episodes.

    Until that day is known, what is meant for children or for adults hangs on their age of today.
    """
    long_ago, today = Offset(-ADULT_AT, "years"), now.date()
    born = (long_ago.added_to(today - JUST_GROWN_UP), long_ago.added_to(today))
    undated = Episode.objects.open().exclude(anchor_dates__anchor="surgery")
    episodes = undated.filter(patient__birth_date__range=born)
    request_plan(*episodes, reason="patient.grown_up", now=now)
    return len(episodes)


def record(
    action: str,
    verb: str,
    *,
    by: User | None,
    obj: Any,
    patient: Patient,
    tasks_wait: bool = False,
    **details: Any,
) -> None:
    """Add the audit row of a change that is written, and bring the worklists up to date that it touches.

    Where `tasks_wait`, they follow with the next run of `sync_tasks`: for many changes at once.
    """
    audit.record(
        action, verb, by=by, obj=obj, clinic=patient.clinic, patient_id=patient.id, **details
    )
    if verb in TOUCHED and not tasks_wait:
        sync_tasks(now=clock.now(), kinds=TOUCHED[verb], patient=patient)


def today_at(clinic: Clinic, now: datetime) -> date:
    """The clinic's local day at `now`."""
    return now.astimezone(clinic.zone).date()
