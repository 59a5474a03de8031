"""What somebody answers to a step of the plan: done, or a question."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from patients.actions.notes import Action, record
from patients.models import Episode, StepResponse
from portal.models import User
from procedures.models import Step


@transaction.atomic
def answer_step(
    *,
    episode: Episode,
    step: Step,
    occurrence: int,
    answer: str,
    by: User,
    now: datetime,
    note: str = "",
) -> StepResponse:
    """Keep that somebody did a step, or has a question about it. The same answer twice is kept once."""
    response, is_new = StepResponse.objects.get_or_create(
        episode=episode, step=step, occurrence=occurrence, answer=answer,
        defaults={"by": by, "note": note, "answered_at": now},
    )  # fmt: skip
    if is_new:
        record(
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
        record(
            Action.DELETE, f"step.{answer}.withdraw", by=by, obj=response, patient=episode.patient,
            before={"step": step.key, "occurrence": occurrence},
        )  # fmt: skip
        response.delete()
