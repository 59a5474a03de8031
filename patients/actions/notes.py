"""What every change of a record leaves behind: its audit row, and a note that plans have to be worked out again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from patients.models import Episode, Patient, PlanRequest
from portal import audit
from portal.models import AuditEvent, Clinic, User

Action = AuditEvent.Action


def request_plan(*episodes: Episode, reason: str, now: datetime) -> None:
    """Note that plans have to be worked out again. Call it inside the transaction of the change."""
    PlanRequest.objects.bulk_create(
        PlanRequest(episode=episode, reason=reason, requested_at=now) for episode in episodes
    )


def request_plans_of_clinic(clinic: Clinic, now: datetime) -> None:
    """Note it for every open episode of a clinic: its zone or its sending window changed."""
    episodes = Episode.objects.open().filter(patient__clinic=clinic)
    request_plan(*episodes, reason="clinic.timing", now=now)


def record(
    action: str, verb: str, *, by: User | None, obj: Any, patient: Patient, **details: Any
) -> None:
    audit.record(
        action, verb, by=by, obj=obj, clinic=patient.clinic, patient_id=patient.id, **details
    )


def today_at(clinic: Clinic, now: datetime) -> date:
    """The clinic's local day at `now`."""
    return now.astimezone(clinic.zone).date()
