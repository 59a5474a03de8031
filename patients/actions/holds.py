"""What staff hold back from a plan, and let go on. `reminders.actions` has the plan follow at once."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, request_plan
from patients.models import Episode, Hold
from portal.models import User


@transaction.atomic
def place_hold(
    *,
    episode: Episode,
    by: User,
    now: datetime,
    reason: str,
    step_key: str = "",
    category: str = "",
) -> Hold:
    """Stop one step, one category, or with neither the whole plan. Raises ValidationError for the same again."""
    Episode.objects.select_for_update().get(pk=episode.pk)
    about = {"episode": episode, "step_key": step_key, "category": category}
    if Hold.objects.standing().filter(**about).exists():
        raise ValidationError(_("This is stopped already."))
    hold = Hold.objects.create(**about, by=by, placed_at=now, created_at=now, reason=reason)
    record(
        Action.UPDATE, "hold.place", by=by, obj=hold, patient=episode.patient,
        after={"target": hold.target}, reason=reason,
    )  # fmt: skip
    request_plan(episode, reason="hold.place", now=now)
    return hold


@transaction.atomic
def lift_hold(*, hold: Hold, by: User, now: datetime) -> bool:
    """Let a plan go on. False where somebody was faster."""
    lifted = Hold.objects.standing().filter(pk=hold.pk).update(lifted_at=now, lifted_by=by)
    if lifted:
        record(
            Action.UPDATE, "hold.lift", by=by, obj=hold, patient=hold.episode.patient,
            before={"target": hold.target},
        )  # fmt: skip
        request_plan(hold.episode, reason="hold.lift", now=now)
    return bool(lifted)
