"""The three jobs of the beat, done in this process: reminders flow with no broker, for cron or systemd.

Any number of sweepers may run beside any number of workers; the database decides who holds a row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import close_old_connections, connection

from portal import clock
from portal.heartbeat import beat
from reminders import counting, pipeline
from reminders.planning import plan_requested

logger = logging.getLogger(__name__)


def _recover(now: datetime) -> int:
    touched = sum(pipeline.recover(now=now))
    counting.count_decisions()
    return touched


# The heartbeats' names, and what each job does at a UTC moment; each returns how many rows it touched.
JOBS: dict[str, Callable[[datetime], int]] = {
    "plan": lambda now: plan_requested(now=now),
    "recover": _recover,
    "dispatch": lambda now: pipeline.dispatch(now=now).total,
}


@dataclass(slots=True)
class Round:
    """What one round did: how many rows each job touched, and which jobs failed."""

    done: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many rows were touched in all."""
        return sum(self.done.values())


def sweep() -> Round:
    """Plan, take back and send once. A job that fails is logged and keeps the others from nothing."""
    result = Round()
    for name, job in JOBS.items():
        try:
            result.done[name] = job(clock.now())
            beat(name)
        except Exception:
            logger.exception("the sweeper's job %s failed", name)
            result.failed.append(name)
            _forget_broken_connection()
    return result


def _forget_broken_connection() -> None:
    if not connection.in_atomic_block:
        close_old_connections()


def sweep_for(seconds: float, *, pause: float, goes_on: Callable[[], bool]) -> Round:
    """Sweep again and again for so many seconds, with a pause after a round that found nothing.

    Ends early, after the round in hand, once `goes_on` says no. Returns the sum of all rounds.
    """
    deadline = time.monotonic() + seconds
    everything = Round(dict.fromkeys(JOBS, 0))
    while goes_on() and time.monotonic() < deadline:
        result = sweep()
        everything.failed += result.failed
        for name, number in result.done.items():
            everything.done[name] += number
        if not result.done.get("dispatch"):
            _rest(min(pause, deadline - time.monotonic()), goes_on)
    return everything


def _rest(seconds: float, goes_on: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while goes_on() and time.monotonic() < until:
        time.sleep(max(0, min(0.2, until - time.monotonic())))
