"""The settings of the processes under fault: ticks every second, short leases, short patience."""

import os

from portal.settings import tick
from tests.settings import *  # noqa: F403

CELERY_BEAT_SCHEDULE = {
    name: tick(f"reminders.tasks.{name}", 1) for name in ("plan", "dispatch", "recover")
}
BEAT_LOCK_SECONDS = 2
LEASE_SECONDS = 15
# Seconds for one answer of the mail server; the tests' own server shares a process with the test.
EMAIL_TIMEOUT = int(os.environ.get("FAULTS_PATIENCE", "10"))
