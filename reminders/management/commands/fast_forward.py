"""Move the demo's clock, letting every reminder on the way go out at its own moment."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal import clock
from reminders.demo.playback import play, sent_since
from reminders.models import Message

LONGEST = 3660


class Command(BaseCommand):
    """`manage.py fast_forward --days 14`: two weeks of the demo in a minute."""

    help = "Move the demo's clock by some days; what falls due on the way is sent, in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the number of days."""
        parser.add_argument("--days", type=int, required=True, help="how many days, 1 to 3660")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play the days. Raises CommandError outside demo settings and for a number of days out of range."""
        if not settings.STEPWISE_DEMO:
            raise CommandError("Only a demo's clock can be moved. Set STEPWISE_DEMO=1.")
        days = options["days"]
        if not 1 <= days <= LONGEST:
            raise CommandError(f"Give a number of days from 1 to {LONGEST}.")
        begin = clock.now()
        end = begin + timedelta(days=days)
        sent = 0
        for moment in play([], since=begin, until=end):
            # The web server and the worker follow along.
            clock.set_demo_offset(moment - timezone.now())
            for message in sent_since(moment):
                sent += 1
                self._show(message)
        clock.set_demo_offset(end - timezone.now())
        self.stdout.write(
            f"{sent} mails in {days} days. It is now {end:%A %d %B %Y, %H:%M} UTC in the demo."
        )

    def _show(self, message: Message) -> None:
        zone = message.recipient.time_zone or message.clinic.time_zone
        local = message.sent_at.astimezone(ZoneInfo(zone)) if message.sent_at else ""
        self.stdout.write(f"{local:%Y-%m-%d %H:%M}  {message.to_address:<36} {message.subject}")
