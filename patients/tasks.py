"""The beat tasks of the records: alerts that wait, access that ends, lists brought in, worklists.

Each may run twice, or late.
"""

from __future__ import annotations

import time

from celery import shared_task

from patients.actions import (
    count_tasks,
    escalate_alerts,
    imports,
    plan_access_notices,
    request_plans_of_the_grown_up,
    send_access_notices,
    sync_tasks,
)
from patients.models import ImportBatch
from portal import clock
from portal.heartbeat import beat


@shared_task
def escalate() -> int:
    """Tell the addresses on call of alerts that nobody has acknowledged in time. Returns how many."""
    told = escalate_alerts(now=clock.now())
    beat("escalate")
    return told


# Seconds after which a task leaves the rest of a list to the next tick, well before it would be stopped.
A_TURN = 60


@shared_task
def work_on_imports() -> int:
    """Carry on with the lists that are being compared, entered or taken back. Returns how many there were."""
    end = time.monotonic() + A_TURN
    waiting = list(ImportBatch.objects.moving().order_by("created_at"))
    for batch in waiting:
        imports.work(batch=batch, now=clock.now(), until=lambda: time.monotonic() > end)
    return len(waiting)


@shared_task
def empty_imports() -> int:
    """Delete the rows of lists that have lain long enough. Returns of how many lists."""
    return imports.empty_old(now=clock.now())


@shared_task
def plan_for_adults() -> int:
    """Have plans worked out again that hang on an age which somebody has just reached. Returns of how many episodes."""
    return request_plans_of_the_grown_up(now=clock.now())


@shared_task
def tell_of_access() -> int:
    """Tell carers and young people of access that ends or is looked at again. Returns how many mails went."""
    plan_access_notices(now=clock.now())
    told = send_access_notices(now=clock.now())
    beat("tell_of_access")
    return told


@shared_task
def sync_worklists() -> int:
    """Open and close tasks as their causes come and go, and count them. Returns how many changed."""
    now = clock.now()
    changed = sync_tasks(now=now)
    count_tasks(now=now)
    beat("sync_worklists")
    return changed
