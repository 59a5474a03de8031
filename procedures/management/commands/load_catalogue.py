"""`manage.py load_catalogue`: brings the catalogue in the database up to the text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from procedures.loading import CATALOGUE, CatalogueError, LoadReport, load_catalogue, read_catalogue


class Command(BaseCommand):
    """Loads the catalogue; `--check` only reads it, `--dry-run` shows what a load would do."""

    help = "Load the catalogue's text files. Safe to repeat; what a clinic edited is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="folder", type=Path, default=CATALOGUE)
        parser.add_argument("--force", action="store_true", help="overwrite what a clinic edited")
        parser.add_argument(
            "--check", action="store_true", help="check the files, touch no database"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what a load would do")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and say what was done. Raises CommandError with every problem of the files."""
        try:
            report = self._run(options)
        except CatalogueError as error:
            raise CommandError(f"Nothing was loaded.\n{error}") from error
        if report is not None and options["verbosity"]:
            self._tell(report, forced=options["force"])

    def _run(self, options: dict[str, Any]) -> LoadReport | None:
        if options["check"]:
            read_catalogue(options["folder"])
            self.stdout.write("The catalogue's files are in order.")
            return None
        with transaction.atomic():
            report = load_catalogue(folder=options["folder"], force=options["force"])
            if options["dry_run"]:
                transaction.set_rollback(True)
        return report

    def _tell(self, report: LoadReport, *, forced: bool) -> None:
        counts = ", ".join(
            f"{report.counts[name]} {name}" for name in ("new", "changed", "unchanged")
        )
        self.stdout.write(f"Catalogue: {counts}.")
        for draft in report.drafts:
            self.stdout.write(f"Draft made: {draft}")
        for row in report.gone:
            self.stdout.write(f"No longer in the files, left as it is: {row}")
        if report.kept:
            self.stdout.write("Edited here and kept (--force would overwrite):")
        for edit in report.overwritten if forced else report.kept:
            self.stdout.write(f"  {edit}")
