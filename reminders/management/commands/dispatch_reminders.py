"""Plan and send reminders from this process, without a broker: for cron, for systemd, and in an emergency."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reminders.sweeper import Round, sweep, sweep_for


class Command(BaseCommand):
    """`manage.py dispatch_reminders`: once, or for a while. Harmless beside workers and other sweepers."""

    help = "Plans, sends and recovers reminders in this process, without Redis or Celery."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Once, or for how long."""
        how_long = parser.add_mutually_exclusive_group()
        how_long.add_argument("--once", action="store_true", help="One round; this is the default.")
        how_long.add_argument(
            "--for", type=float, metavar="SECONDS", dest="seconds", help="Rounds for so long."
        )
        parser.add_argument(
            "--pause", type=float, default=15, help="Seconds between rounds. Default: 15."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep. Raises CommandError, for the exit code, if a job failed; its fault is in the log."""
        if options["seconds"] is None:
            result = sweep()
        else:
            result = self._sweep_until_asked_to_end(options["seconds"], options["pause"])
        self.stdout.write(", ".join(f"{name}: {number}" for name, number in result.done.items()))
        if result.failed:
            raise CommandError("Failed: " + ", ".join(dict.fromkeys(result.failed)))

    def _sweep_until_asked_to_end(self, seconds: float, pause: float) -> Round:
        asked: list[int] = []

        def ask(number: int, _frame: FrameType | None) -> None:
            asked.append(number)

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return sweep_for(seconds, pause=pause, goes_on=lambda: not asked)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
