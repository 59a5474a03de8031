"""The portal's own beat tasks: new invitations, and the chain over the audit trail. Each may run twice, or late."""

from __future__ import annotations

from celery import shared_task

from portal import chain, clock, sign_ins
from portal.actions import answer_invitation_requests
from portal.heartbeat import beat
from portal.login_codes import answer_code_requests
from portal.models import AuditCheck
from portal.password_requests import answer_password_requests


@shared_task
def answer_requests() -> int:
    """Mail what was asked for: codes first, for somebody sits waiting. Returns how many requests there were."""
    now = clock.now()
    answered = answer_code_requests(now=now)
    answered += answer_invitation_requests(now=now) + answer_password_requests(now=now)
    beat("answer_requests")
    return answered


# Links checked in one task: some tens of seconds, well inside a task's time.
CHECKED_IN_A_TASK = 200_000


@shared_task
def seal_audit() -> int:
    """Take new audit events into the chain. Returns how many."""
    sealed = chain.seal(now=clock.now())
    beat("seal_audit")
    return sealed


@shared_task
def check_audit() -> int:
    """Carry on with the checks that were asked for. Returns how many came to their end."""
    waiting = AuditCheck.objects.filter(finished_at=None).order_by("created_at")[:5]
    return sum(chain.carry_on(row, now=clock.now(), most=CHECKED_IN_A_TASK) for row in waiting)


@shared_task
def check_audit_daily() -> None:
    """Ask for a check of the whole chain, so that nobody has to remember it; and forget old sign-ins."""
    now = clock.now()
    sign_ins.forget_old(now=now)
    AuditCheck.objects.create(created_at=now)
