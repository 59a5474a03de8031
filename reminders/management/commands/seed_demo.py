"""Fill the demo clinic with invented patients at every stage, through the actions staff use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from patients.models import Patient
from portal import clock
from portal.models import Clinic
from reminders.demo import seeding
from reminders.models import Message


class Command(BaseCommand):
    """`manage.py seed_demo`: safe to repeat; a demo that was filled only in part is begun again."""

    help = "Fill the demo clinic with invented patients. Refuses outside demo settings."

    def handle(self, *args: Any, **options: Any) -> None:
        """Fill the demo. Raises CommandError outside demo settings, or over data that is not a demo's."""
        if not settings.STEPWISE_DEMO:
            raise CommandError(
                "Only a demo can be filled with invented patients. Set STEPWISE_DEMO=1."
            )
        if seeding.is_filled():
            self.stdout.write("The demo is filled already.")
            return
        if Clinic.objects.filter(is_demo=False).exists():
            raise CommandError(
                "There is a real clinic in this database. The demo needs one of its own."
            )
        if Clinic.objects.exists():
            self.stdout.write("The demo was filled only in part; it is emptied and begun again.")
            call_command("flush", interactive=False, verbosity=0)
        say = self.stdout.write if options["verbosity"] else (lambda line: None)
        seeding.fill(clock.now(), say)
        patients, mails = Patient.objects.count(), Message.objects.count()
        self.stdout.write(f"{patients} invented patients, {mails} mails sent so far.")
