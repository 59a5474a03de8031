"""The settings of the processes under fault: ticks every second, short leases, short patience."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

from portal.settings import tick
from tests.settings import *  # noqa: F403

CELERY_BEAT_SCHEDULE = {
    name: tick(f"reminders.tasks.{name}", 1) for name in ("plan", "dispatch", "recover")
}
BEAT_LOCK_SECONDS = 2
LEASE_SECONDS = 15
# Seconds for one answer of the mail server; the tests' own server shares a process with the test.
EMAIL_TIMEOUT = int(os.environ.get("FAULTS_PATIENCE", "10"))


if "FAULTS_CLOCK" in os.environ:
    # The wall clock alone: a step does not touch the monotonic one, nor what the kernel waits for.
    _real_now = timezone.now

    def _stepped_now() -> datetime:
        return _real_now() + timedelta(seconds=float(Path(os.environ["FAULTS_CLOCK"]).read_text()))

    timezone.now = _stepped_now
