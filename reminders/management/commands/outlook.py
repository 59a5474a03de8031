"""Show what would go in the next hour if sending were on. Names nobody."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from portal import clock
from portal.models import SendingSwitch
from reminders import reasons
from reminders.outlook import outlook


class Command(BaseCommand):
    """`manage.py outlook`: to be read before sending is switched on again."""

    help = "Prints how many mails would go in the next hour, of which kinds, and what is held back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How far to look."""
        parser.add_argument("--minutes", type=int, default=60, help="How far to look. Default: 60.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts."""
        found = outlook(now=clock.now(), within=timedelta(minutes=options["minutes"]))
        self.stdout.write(f"{SendingSwitch.current()}.")
        self.stdout.write(
            f"In the next {options['minutes']} minutes {found.waiting} reminders are due, "
            f"{found.overdue} of them already overdue; {len(found.going)} would go, in {found.mails} mails."
        )
        self._list("Would go", found.by_category, str)
        self._list("Held back", found.held_back, reasons.for_staff)

    def _list(self, title: str, counted: Counter[str], words: Any) -> None:
        for name, number in counted.most_common():
            self.stdout.write(f"  {title}: {number:>6}  {words(name)}")
