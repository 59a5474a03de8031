"""The portal's own beat task: answering who asked for a new invitation. It may run twice, or late."""

from __future__ import annotations

from celery import shared_task

from portal import clock
from portal.actions import answer_invitation_requests
from portal.heartbeat import beat


@shared_task
def answer_requests() -> int:
    """Send new links to those who asked and were invited. Returns how many requests there were."""
    answered = answer_invitation_requests(now=clock.now())
    beat("answer_requests")
    return answered
