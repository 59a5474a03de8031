"""Copy the database to a file, while everything runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.backup import BackupError, back_up


class Command(BaseCommand):
    """`manage.py backup FILE`."""

    help = "Writes the whole database to a file that only this user can read. Keep it where records are kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the copy. Raises CommandError with one sentence."""
        file: Path = options["file"]
        try:
            back_up(file)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The database is in {file} ({file.stat().st_size:,} bytes).")
