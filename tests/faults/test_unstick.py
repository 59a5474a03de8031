"""A worker whose acknowledgement was lost takes tasks again (portal.unstick)."""

import os
import signal
import time

import pytest

from reminders.models import Reminder
from tests.faults.scene import drain, fill
from tests.processes import wait_until

# The broker's affair: a beat or a worker that has lost it asks the database nothing new.
pytestmark = [pytest.mark.fault, pytest.mark.once]


def test_a_worker_that_cannot_say_that_its_task_is_done_goes_on(
    crowd, server, redis_process, broker, note
):
    """The broker stands still while the only task is at work, and for longer than the socket's patience."""
    fill(1)
    server.delay = 1.5
    crowd.worker()
    crowd.beat()
    wait_until(lambda: Reminder.objects.filter(state="claimed").exists(), 60, "a task at work")
    os.kill(redis_process.pid, signal.SIGSTOP)
    try:
        drain(server, 60)
        time.sleep(6)
    finally:
        os.kill(redis_process.pid, signal.SIGCONT)
    server.delay = 0
    fill(5, "later")
    started = time.monotonic()

    drain(server, 60)

    log = (crowd.folder / "process-0.log").read_text()
    note(f"took tasks again after {time.monotonic() - started:.0f} s")
    assert "Couldn't ack" in log
    assert "the worker connects anew" in log
