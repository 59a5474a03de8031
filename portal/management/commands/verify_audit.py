"""`manage.py verify_audit`: whether a row of the audit trail was altered or removed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import chain, clock

MEANINGS = {
    "altered": "event {event} was altered after it was sealed (place {place})",
    "missing": "event {event} is gone (place {place})",
    "gap": "places from {place} on are gone",
    "cut": "the chain was cut off: there was more from place {place} on",
    "rewritten": "place {place} differs from what was noted outside the database",
}


class Command(BaseCommand):
    """Walks the whole chain. The exit code is 0 only if nothing is wrong."""

    help = "Checks that no row of the audit trail was altered or removed."

    def add_arguments(self, parser: CommandParser) -> None:
        """A head that was noted elsewhere, on paper or in a log that the machine cannot change."""
        parser.add_argument(
            "--head",
            action="append",
            default=[],
            metavar="PLACE:HASH",
            help="a head noted earlier; the chain must still hold it (can be given several times)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal what is new, walk, and say what is wrong. Raises CommandError if anything is."""
        chain.seal(now=clock.now())
        known = chain.noted_heads() | dict(map(_head, options["head"]))
        wrong, reached, last = 0, 0, chain.BEGINNING
        for stretch in chain.check(known=known):
            reached, last = stretch.reached, stretch.hash
            for fault in stretch.faults:
                wrong += 1
                self.stderr.write(
                    MEANINGS[fault.kind].format(event=fault.event_id, place=fault.position)
                )
        self.stdout.write(f"{reached} events in the chain; its head is {reached}:{last}")
        if wrong:
            raise CommandError(f"{wrong} faults in the audit trail.")
        self.stdout.write("Nothing was altered or removed.")


def _head(text: str) -> tuple[int, str]:
    place, _colon, value = text.partition(":")
    if not place.isdigit() or len(value) != len(chain.BEGINNING):
        raise CommandError("A head is written as PLACE:HASH, as this command prints it.")
    return int(place), value
