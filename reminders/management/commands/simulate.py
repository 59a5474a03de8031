"""Show what a patient would get, and when, without writing anything."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from patients.models import Episode
from portal import clock
from portal.models import validate_time_zone
from procedures.models import Category, PathwayVersion, validate_anchor
from reminders.simulator import Pair, Row, compare, simulate
from reminders.whatif import AS_STORED, WhatIf, sample

YES_OR_NO = {"yes": True, "no": False}


class Command(BaseCommand):
    """`manage.py simulate`: an episode, or a sample patient of a pathway version, over any span."""

    help = "Prints what would be sent, when, and why not. Writes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom, which days, and what to imagine."""
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--episode", help="An episode's id.")
        whom.add_argument(
            "--sample", metavar="VERSION", help="A pathway version's id: an invented patient."
        )
        parser.add_argument(
            "--born", type=day, default=date(1990, 5, 17), help="The sample's birthday."
        )
        parser.add_argument("--first", type=day, help="The first local day. Default: today.")
        parser.add_argument("--days", type=int, default=365, help="How many days. Default: 365.")
        parser.add_argument("--surgery", type=day, help="Imagine surgery on this day.")
        parser.add_argument("--anchor", action="append", default=[], metavar="NAME=DAY",
                            help="Imagine any other date; with no day after the sign, none.")  # fmt: skip
        parser.add_argument("--smoker", choices=YES_OR_NO)
        parser.add_argument("--version-id", help="Imagine another pathway version.")
        parser.add_argument("--zone", default="", help="Imagine the readers in this time zone.")
        parser.add_argument("--without", action="append", default=[], choices=Category.values,
                            help="Imagine a category switched off.")  # fmt: skip
        parser.add_argument("--no-gates", action="store_true", help="Do not ask the gates.")
        parser.add_argument(
            "--compare", action="store_true", help="Side by side with what is stored."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table. Raises CommandError for an unknown id, zone or anchor."""
        now = clock.now()
        what_if = self._what_if(options)
        episode = self._episode(options)
        first = options["first"] or now.astimezone(episode.patient.clinic.zone).date()
        span: dict[str, Any] = {
            "first": first, "last": first + timedelta(days=options["days"]), "now": now,
            "with_gates": not options["no_gates"],
        }  # fmt: skip
        imagined = simulate(episode, what_if=what_if, **span)
        if options["compare"]:
            self._print_pairs(compare(simulate(episode, what_if=AS_STORED, **span), imagined))
        else:
            self._print_rows(imagined)

    def _episode(self, options: dict[str, Any]) -> Episode:
        if options["sample"]:
            version = found(
                PathwayVersion.objects.select_related("clinic", "pathway__procedure"),
                options["sample"],
            )
            return sample(version, {}, birth_date=options["born"])
        return found(Episode.objects.select_related("patient__clinic"), options["episode"])

    def _what_if(self, options: dict[str, Any]) -> WhatIf:
        anchors = dict(anchor(text) for text in options["anchor"])
        if options["surgery"]:
            anchors["surgery"] = options["surgery"]
        version = options["version_id"]
        if options["zone"]:
            checked(validate_time_zone, options["zone"])
        return WhatIf(
            anchors=anchors,
            uses_nicotine=YES_OR_NO.get(options["smoker"]),
            version=found(PathwayVersion.objects.all(), version) if version else None,
            zone=options["zone"],
            switched_off=frozenset(options["without"]),
        )

    def _print_rows(self, rows: Iterable[Row]) -> None:
        listed = list(rows)
        for row in listed:
            self.stdout.write(f"{line(row)}  {row.verdict}")
        self.stdout.write(f"{len(listed)} reminders.")

    def _print_pairs(self, pairs: Iterable[Pair]) -> None:
        listed = list(pairs)
        for pair in listed:
            left, right = (moment(row) for row in (pair.left, pair.right))
            row = pair.right or pair.left
            sign = "*" if pair.differs else " "
            self.stdout.write(f"{sign} {left:<28} {right:<28} {row.words.subject if row else ''}")
        self.stdout.write(
            f"{sum(pair.differs for pair in listed)} of {len(listed)} reminders differ."
        )


def line(row: Row) -> str:
    """A row as one line: when by the reader's clock, who, what about, and the subject."""
    return f"{row.at:%Y-%m-%d %H:%M %Z}  {row.recipient:<20.20}  {row.category:<17}  {row.words.subject:<40.40}"


def moment(row: Row | None) -> str:
    """When a row comes, and whether it goes."""
    return f"{row.at:%Y-%m-%d %H:%M} {row.outcome.label}" if row else "-"


def day(text: str) -> date:
    """A day as YYYY-MM-DD. Raises ValueError, which argparse puts into words."""
    return date.fromisoformat(text)


def anchor(text: str) -> tuple[str, date | None]:
    """An anchor and its day from `name=2026-05-04`, or no day from `name=`. Raises CommandError."""
    name, _, value = text.partition("=")
    checked(validate_anchor, name)
    try:
        return name, day(value) if value else None
    except ValueError as error:
        raise CommandError(f"{text!r} is not NAME=DAY, such as discharge=2026-05-04.") from error


def checked(validate: Any, value: str) -> None:
    """Raise CommandError for what a validator refuses."""
    try:
        validate(value)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error


def found(rows: Any, key: str) -> Any:
    """The row with this id. Raises CommandError."""
    try:
        return rows.get(pk=key)
    except (rows.model.DoesNotExist, ValidationError) as error:
        raise CommandError(f"There is no {rows.model._meta.verbose_name} {key}.") from error
