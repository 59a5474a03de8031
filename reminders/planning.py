"""Works through the requests for new plans that changes of records left behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded

from patients.models import PlanRequest
from reminders.reconciler import reconcile_all

logger = logging.getLogger(__name__)

# Episodes whose plans are written together; staff who want one of them wait for all.
TOGETHER = 50
BATCH = 4 * TOGETHER


def plan_requested(*, now: datetime, most: int = 2_000) -> int:
    """Plan up to `most` episodes that something changed for, oldest request first. `now` is UTC.

    Each episode has one turn in a run: one that cannot be planned is logged, keeps its request for the
    next run, and holds up no other. Returns how many were planned.
    """
    planned = 0
    seen: set[UUID] = set()
    while len(seen) < most:
        waiting = PlanRequest.objects.exclude(episode__in=seen).order_by("id")
        ids = list(dict.fromkeys(waiting.values_list("episode_id", flat=True)[:BATCH]))
        if not ids:
            break
        seen.update(ids)
        planned += sum(_plan(group, now) for group in _groups(ids, TOGETHER))
    return planned


def _plan(ids: Sequence[UUID], now: datetime) -> int:
    """Plan these together, or one by one where they cannot be. Returns how many were planned."""
    try:
        return len(reconcile_all(ids, now=now))
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        if len(ids) > 1:
            # Whatever is wrong with one of them, the others must not wait for it.
            return sum(_plan([each], now) for each in ids)
        logger.exception("episode %s cannot be planned", ids[0])
        return 0


def _groups(ids: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    """The ids in groups of at most `size`."""
    return (ids[first : first + size] for first in range(0, len(ids), size))
