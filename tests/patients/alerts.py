"""What waits for a person: an alert as a check-in would raise it, a question, a task."""

from datetime import date
from typing import Any
from uuid import uuid4

from patients.models import Alert, CheckIn, Episode, StepResponse, Task
from portal.models import User
from procedures.models import Questionnaire


def raise_alert(episode: Episode, *, by: User, severity: str = "urgent", **fields: Any) -> Alert:
    """An alert that nobody has acknowledged."""
    questions, _is_new = Questionnaire.objects.get_or_create(
        key="q",
        defaults={
            "audience": "any", "anchor": "discharge", "from_value": 0, "from_unit": "days",
            "until_value": 1, "until_unit": "weeks",
        },
    )  # fmt: skip
    check_in = CheckIn.objects.create(
        episode=episode, questionnaire=questions, questionnaire_version=1, answers=[], flags=[],
        by=by, local_date=date(2026, 3, 2), ticket=uuid4().hex,
    )  # fmt: skip
    return Alert.objects.create(
        patient=episode.patient, episode=episode, check_in=check_in, rule_key="fever", sign="fever",
        severity=severity, summary="Fever", **fields,
    )  # fmt: skip


def make_question(episode: Episode, note: str = "May I swim?", **fields: Any) -> StepResponse:
    """A question about the first step of an episode's pathway."""
    defaults: dict[str, Any] = {
        "step": episode.version.steps.first(),
        "occurrence": 0,
        "answer": "question",
        "by": episode.patient.user,
        "note": note,
    }
    return StepResponse.objects.create(episode=episode, **(defaults | fields))


def make_task(episode: Episode, **fields: Any) -> Task:
    """A task about an X-ray that nobody has booked: everybody who cares for patients sees it."""
    defaults: dict[str, Any] = {
        "kind": "xray_to_book",
        "subject": str(uuid4()),
        "patient": episode.patient,
        "clinic": episode.patient.clinic,
        "due_on": date(2026, 3, 2),
        "facts": {"until": "2026-03-09", "is_over": False},
    }
    return Task.objects.create(**(defaults | fields))
