"""The chain over the audit trail: each event's hash covers the event and the hash before it.

Events are sealed in batches, some seconds after they were written, so that requests neither wait
for each other nor for the head of the chain. Where the chain ends is also noted outside the
database, in the log and in a file: cutting off its end, or writing it anew, disagrees with that.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from portal.models import AuditCheck, AuditEvent, AuditHead, AuditLink

logger = logging.getLogger(__name__)

SEALED_AT_ONCE = 2_000
CHECKED_AT_ONCE = 5_000
# How many keys a transaction that commits late may lie behind the last sealed one.
LOOKS_BACK = 20_000
NOTED_EVERY = timedelta(minutes=5)
BEGINNING = "0" * 64
_COVERED = (
    "id", "recorded_at", "action", "verb", "actor_id", "actor_label", "clinic_id", "patient_id", "object_type",
    "object_id", "before", "after", "reason", "address",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was sealed. `kind` is altered, missing, gap, cut or rewritten."""

    kind: str
    position: int
    event_id: int | None = None

    def as_list(self) -> list[Any]:
        """For JSON."""
        return [self.kind, self.position, self.event_id]


def hash_of(event: AuditEvent, position: int, before: str) -> str:
    """The SHA-256 of an event at its place, over the hash before it."""
    values = {name: getattr(event, name) for name in _COVERED}
    values["recorded_at"] = event.recorded_at.isoformat()
    text = json.dumps([position, before, values], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(*, now: datetime, most: int = 50_000) -> int:
    """Take up to `most` events that are not in the chain yet into it, oldest first. Returns how many. `now` is UTC."""
    sealed = 0
    while sealed < most:
        step = _seal_some(now)
        sealed += step
        if step < SEALED_AT_ONCE:
            break
    return sealed


@transaction.atomic
def _seal_some(now: datetime) -> int:
    AuditHead.objects.get_or_create(pk=1)
    # Who holds this row seals; anybody else waits here, and then finds the new head.
    head = AuditHead.objects.select_for_update().get(pk=1)
    loose = AuditEvent.objects.filter(
        ~Exists(AuditLink.objects.filter(event_id=OuterRef("pk"))),
        pk__gt=head.last_event_id - LOOKS_BACK,
    )
    links = []
    for event in loose.order_by("pk")[:SEALED_AT_ONCE]:
        head.position += 1
        head.hash = hash_of(event, head.position, head.hash)
        head.last_event_id = max(head.last_event_id, event.pk)
        links.append(AuditLink(position=head.position, event_id=event.pk, hash=head.hash))
    if links:
        AuditLink.objects.bulk_create(links)
        head.sealed_at = now
        _note(head, now)
        head.save()
    return len(links)


def _note(head: AuditHead, now: datetime) -> None:
    """Say outside the database where the chain ends, once the transaction has come through."""
    if head.noted_at and timedelta(0) <= now - head.noted_at < NOTED_EVERY:
        return
    head.noted_at = now
    note = f"{now:%Y-%m-%dT%H:%M:%SZ} {head.position} {head.hash}\n"
    transaction.on_commit(lambda: _write_note(note))


def _write_note(note: str) -> None:
    logger.info("audit chain: %s", note.strip())
    handle = os.open(notes_file(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "a") as file:
        file.write(note)


def notes_file() -> Path:
    """The file of heads. Only ever added to; copy it away from the machine to be safe from its administrator."""
    return Path(settings.VAR_DIR) / "audit-heads.log"


def noted_heads() -> dict[int, str]:
    """Every head that was noted outside the database, by its position. A line that a crash cut short is left out."""
    try:
        lines = notes_file().read_text().splitlines()
    except FileNotFoundError:
        return {}
    parts = (line.split() for line in lines)
    return {int(each[1]): each[2] for each in parts if len(each) == 3 and len(each[2]) == 64}


@dataclass(frozen=True, slots=True)
class Stretch:
    """How far a walk along the chain has come, the hash there, and what it found since the last stretch."""

    reached: int
    hash: str
    faults: list[Fault]
    is_end: bool = False


def check(
    *, after: int = 0, before: str = BEGINNING, known: dict[int, str] | None = None
) -> Iterator[Stretch]:
    """Walk the chain from behind position `after`, whose hash is `before`, in stretches.

    `known` are heads that were noted outside the database; without it, those of the file.
    """
    known = noted_heads() if known is None else known
    while links := list(AuditLink.objects.filter(position__gt=after)[:CHECKED_AT_ONCE]):
        faults: list[Fault] = []
        events = AuditEvent.objects.in_bulk([link.event_id for link in links])
        for link in links:
            if link.position != after + 1:
                faults.append(Fault("gap", after + 1))
            faults += _faults_of(link, events.get(link.event_id), before, known)
            after, before = link.position, link.hash
        yield Stretch(after, before, faults)
    yield Stretch(after, before, _cut_off(after, known), is_end=True)


def _faults_of(
    link: AuditLink, event: AuditEvent | None, before: str, known: dict[int, str]
) -> list[Fault]:
    faults = []
    if event is None:
        faults.append(Fault("missing", link.position, link.event_id))
    elif hash_of(event, link.position, before) != link.hash:
        faults.append(Fault("altered", link.position, link.event_id))
    if known.get(link.position, link.hash) != link.hash:
        faults.append(Fault("rewritten", link.position, link.event_id))
    return faults


def _cut_off(end: int, known: dict[int, str]) -> list[Fault]:
    """What is known to have been there, and is not."""
    head = AuditHead.objects.filter(pk=1).first()
    furthest = max([head.position if head else 0, *known])
    return [Fault("cut", end + 1)] if furthest > end else []


# Faults that one check keeps; a trail with more is spoiled, and its first faults say where.
FAULTS_KEPT = 200


def carry_on(asked: AuditCheck, *, now: datetime, most: int) -> bool:
    """Check about `most` more links for a check that was asked for. Returns whether it is finished. `now` is UTC."""
    goal = asked.reached + most
    for stretch in check(after=asked.reached, before=asked.reached_hash):
        asked.reached, asked.reached_hash = stretch.reached, stretch.hash
        found = [fault.as_list() for fault in stretch.faults]
        asked.faults = [*asked.faults, *found][:FAULTS_KEPT]
        if stretch.is_end:
            asked.finished_at = now
        if stretch.reached >= goal:
            break
    asked.save()
    return asked.finished_at is not None
