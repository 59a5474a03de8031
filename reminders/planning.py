"""Works through the requests for new plans that changes of records left behind."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded

from patients.models import Episode, PlanRequest
from reminders.reconciler import reconcile

logger = logging.getLogger(__name__)

BATCH = 200


def plan_requested(*, now: datetime, most: int = 2_000) -> int:
    """Plan up to `most` episodes that something changed for, oldest request first. `now` is UTC.

    Each episode is its own transaction, and has one turn in a run: one that cannot be planned is
    logged, keeps its request for the next run, and holds up no other. Returns how many were planned.
    """
    planned = 0
    seen: set[UUID] = set()
    while len(seen) < most:
        waiting = PlanRequest.objects.exclude(episode__in=seen).order_by("id")
        ids = list(dict.fromkeys(waiting.values_list("episode_id", flat=True)[:BATCH]))
        if not ids:
            break
        seen.update(ids)
        planned += sum(_is_planned(episode, now) for episode in Episode.objects.filter(id__in=ids))
    return planned


def _is_planned(episode: Episode, now: datetime) -> bool:
    try:
        reconcile(episode, now=now)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        # Whatever is wrong with this one, the others must not wait for it.
        logger.exception("episode %s cannot be planned", episode.id)
        return False
    return True
