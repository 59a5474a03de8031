"""The beat's tasks. Each calls one function and may run twice, late, or not at all: the next tick makes it good."""

from __future__ import annotations

from celery import shared_task

from portal import clock
from portal.heartbeat import beat
from reminders import balance, counting, pipeline
from reminders.planning import plan_requested


@shared_task
def plan() -> int:
    """Work out the plans of the episodes that changed. Returns how many there were."""
    planned = plan_requested(now=clock.now())
    beat("plan")
    return planned


@shared_task
def dispatch() -> int:
    """Send what is due. Returns how many reminders were looked at."""
    tally = pipeline.dispatch(now=clock.now())
    beat("dispatch")
    return tally.total


@shared_task
def recover() -> int:
    """Take back what dead workers held and mark what is too old. Returns how many reminders that were."""
    taken_back, missed = pipeline.recover(now=clock.now())
    counting.count_decisions()
    beat("recover")
    return taken_back + missed


@shared_task
def check_balance() -> int:
    """Look for reminders that nobody can account for. Returns on how many days there are some."""
    gaps = balance.check(now=clock.now())
    beat("check_balance")
    return len(gaps)
