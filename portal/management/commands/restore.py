"""Put a copy of the database back. All sending is off afterwards."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.backup import RESTORED, BackupError, restore


class Command(BaseCommand):
    """`manage.py restore FILE --yes`."""

    help = "Replaces everything in the database by a backup, and leaves all sending switched off."
    # The database may be empty, or not the one that the code expects.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and that it is meant."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--yes", action="store_true", help="What is in the database now may be lost."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Put it back. Raises CommandError with one sentence."""
        if not options["yes"]:
            raise CommandError(
                "This replaces everything in the database. If that is meant, add --yes."
            )
        try:
            restore(options["file"])
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(RESTORED)
        self.stdout.write("If the copy is of an older version, run `manage.py migrate` now.")
