"""Read what mail servers sent back, from a mailbox folder: for deployments that send by plain SMTP."""

from __future__ import annotations

import mailbox
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import clock
from reminders import bounces
from reminders.notifications import reports_in


class Command(BaseCommand):
    """`manage.py read_bounces DIR`: a Maildir, or a folder of .eml files. Safe to run again and again."""

    help = "Reads delivery status notifications and complaints from a Maildir or a folder of .eml files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The folder."""
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        """Act on each report. Raises CommandError where the folder is missing."""
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        mails = reports = news = 0
        for raw in in_maildir(folder) if (folder / "new").is_dir() else in_files(folder):
            mails += 1
            for report in reports_in(raw):
                reports += 1
                news += bounces.take(report, now=clock.now())
        self.stdout.write(f"{mails} mails read, {reports} reports in them, {news} of them news.")


def in_files(folder: Path) -> Iterator[bytes]:
    """Every .eml file, in order of name. They stay as they are."""
    for file in sorted(folder.glob("*.eml")):
        yield file.read_bytes()


def in_maildir(folder: Path) -> Iterator[bytes]:
    """Every new mail of a Maildir. Each is moved to `cur`, as seen, once it was acted on."""
    box = mailbox.Maildir(folder, create=False)
    for key in sorted(box.keys()):
        mail = box.get_message(key)
        if mail.get_subdir() != "new":
            continue
        yield box.get_bytes(key)
        mail.set_subdir("cur")
        mail.add_flag("S")
        box[key] = mail
