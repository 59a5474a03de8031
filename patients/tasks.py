"""The beat task of the records: telling whoever is on call that an alert waits. It may run twice, or late."""

from __future__ import annotations

from celery import shared_task

from patients.actions import escalate_alerts
from portal import clock
from portal.heartbeat import beat


@shared_task
def escalate() -> int:
    """Tell the addresses on call of alerts that nobody has acknowledged in time. Returns how many."""
    told = escalate_alerts(now=clock.now())
    beat("escalate")
    return told
