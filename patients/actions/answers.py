"""What somebody answers to a step of the plan: done, or a question."""

from __future__ import annotations

from copy import copy
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

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
    """Take back an answer given by mistake. A question that the clinic has answered stays, with its answer."""
    rows = StepResponse.objects.filter(
        episode=episode, step=step, occurrence=occurrence, answer=answer, replied_at=None
    )
    for response in rows:
        gone = copy(response)
        response.delete()
        record(
            Action.DELETE, f"step.{answer}.withdraw", by=by, obj=gone, patient=episode.patient,
            before={"step": step.key, "occurrence": occurrence},
        )  # fmt: skip


@transaction.atomic
def word_question(
    *, episode: Episode, step: Step, occurrence: int, note: str, by: User, now: datetime
) -> bool:
    """Keep what a question about a step is, in the words of whoever asked; who has not asked yet asks with it.

    False where somebody else asked, or the clinic has answered already. Raises ValidationError without words.
    """
    note = note.strip()
    if not note:
        raise ValidationError(_("Write your question."))
    asked = answer_step(
        episode=episode, step=step, occurrence=occurrence, answer=StepResponse.Answer.QUESTION, by=by,
        now=now, note=note,
    )  # fmt: skip
    waiting = StepResponse.objects.filter(pk=asked.pk, by=by, replied_at=None)
    if waiting.exclude(note=note).update(note=note):
        record(
            Action.UPDATE, "step.question.words", by=by, obj=asked, patient=episode.patient,
            before={"note": asked.note}, after={"note": note},
        )  # fmt: skip
    return waiting.exists()


@transaction.atomic
def reply_to_question(*, response: StepResponse, reply: str, by: User, now: datetime) -> bool:
    """Answer a question about a step; it counts as seen to. False where somebody was faster.

    Raises ValidationError without words.
    """
    if not reply.strip():
        raise ValidationError({"reply": _("Write an answer.")})
    waiting = StepResponse.objects.filter(
        pk=response.pk, answer=StepResponse.Answer.QUESTION, replied_at=None
    )
    changed = waiting.update(reply=reply.strip(), replied_by=by, replied_at=now)
    if changed:
        record(
            Action.UPDATE, "question.reply", by=by, obj=response, patient=response.episode.patient,
            after={"reply": reply.strip()},
        )  # fmt: skip
    return bool(changed)
