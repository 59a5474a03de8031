"""What somebody would get, and when, for any span and any what-ifs. Time is played in memory; nothing is written.

The same planner, diff, gates and words as in earnest, asked at the moments at which the pipeline
would ask them. A sample patient need not be stored.
"""

from __future__ import annotations

import heapq
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from patients.models import Episode
from portal.models import Clinic
from procedures.models import Step
from reminders import emails, gates, reasons
from reminders.diff import Change, Diff, Item
from reminders.inputs import case_of, rules_of
from reminders.models import Decision, Reminder
from reminders.planner import Desired, Key
from reminders.reconciler import preview
from reminders.whatif import AS_STORED, WhatIf, imagined, readers

Outcome = Decision.Outcome
ALREADY_SENT = "already_sent"
_OUTCOMES = {
    "sent": Outcome.SEND, "claimed": Outcome.SEND, "failed": Outcome.FAIL, "skipped": Outcome.SKIP,
    "cancelled": Outcome.CANCEL, "missed": Outcome.MISS,
}  # fmt: skip
_TO_COME = frozenset({Change.NEW, Change.MOVED, Change.KEPT})


@dataclass(frozen=True, slots=True)
class Words:
    """What a reminder says, in its reader's language; empty where it is not put into words."""

    subject: str = ""
    title: str = ""
    todo: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a simulation. `at` is local to the recipient, with its zone."""

    key: Key
    at: datetime
    recipient: str
    category: str
    words: Words
    outcome: Decision.Outcome
    gate: str
    value: str = ""
    correction: int = 0

    @property
    def goes(self) -> bool:
        """Whether a mail would carry it, or has carried it."""
        return self.outcome == Outcome.SEND

    @property
    def verdict(self) -> str:
        """What becomes of it, in words for staff."""
        return f"{self.outcome.label}: {reasons.for_staff(self.gate, self.value)}"


@dataclass(frozen=True, slots=True)
class Pair:
    """The same reminder in two simulations; None where one of them has it not."""

    key: Key
    left: Row | None
    right: Row | None

    @property
    def differs(self) -> bool:
        """Whether it comes at another moment, with other words or another verdict."""
        if self.left is None or self.right is None:
            return True
        return _told(self.left) != _told(self.right)


def _told(row: Row) -> tuple[Any, ...]:
    return (row.at, row.words, row.outcome, row.gate)


def simulate(
    episode: Episode,
    *,
    first: date,
    last: date,
    now: datetime,
    what_if: WhatIf = AS_STORED,
    with_gates: bool = True,
) -> list[Row]:
    """What an episode brings from `first` to `last` (local days of the clinic, both included).

    A span that begins before `now` (UTC) is planned as of its beginning. Without gates, everything
    that is not left out by the plan goes at its own moment. Writes nothing.
    """
    scene = Scene(episode, what_if)
    begins = datetime.combine(first, time(), scene.clinic.zone).astimezone(now.tzinfo)
    asked_at = min(now, begins)
    case = case_of(scene.episode, asked_at)
    diff = preview(scene.episode, now=asked_at, case=case, rules=rules_of(scene.episode.version))
    rows = [*_decided(diff, scene), *_played(diff, scene, asked_at, with_gates=with_gates)]
    shown = [row for row in rows if first <= row.at.date() <= last]
    return sorted(shown, key=lambda row: (row.at, row.key.step, row.key.occurrence, row.recipient))


def compare(left: Iterable[Row], right: Iterable[Row]) -> list[Pair]:
    """Two simulations side by side, by reminder, in the order of the earlier of both moments."""
    of_left = {(row.key, row.correction): row for row in left}
    of_right = {(row.key, row.correction): row for row in right}
    keys = dict.fromkeys([*of_left, *of_right])
    pairs = [Pair(key[0], of_left.get(key), of_right.get(key)) for key in keys]
    return sorted(pairs, key=lambda pair: min(row.at for row in (pair.left, pair.right) if row))


class Scene:
    """An episode as imagined, with all that its reminders need: steps, readers, visits."""

    def __init__(self, episode: Episode, what_if: WhatIf) -> None:
        self.episode = imagined(episode, what_if)
        self.clinic: Clinic = self.episode.patient.clinic
        self.writer = emails.Writer()
        steps = self.episode.version.steps.prefetch_related("texts", "slots__values")
        self.steps: dict[uuid.UUID, Step] = {step.id: step for step in steps}
        self.visits = {row.id: row for row in self.episode.appointments.all()}
        self.readers = {user.id: user for user in readers(self.episode.patient)}
        self.switched_off = {(who, what) for who in self.readers for what in what_if.switched_off}

    def live_links(self, moment: datetime) -> frozenset[tuple[uuid.UUID, uuid.UUID]]:
        """The carers whose access holds at a UTC moment."""
        patient, today = self.episode.patient, moment.astimezone(self.clinic.zone).date()
        links = [link for link in patient.related_people.all() if link.is_live(today)]
        return frozenset((link.user_id, patient.id) for link in links)

    def reminder(self, wanted: Desired, correction: int) -> Reminder:
        """A reminder as it would be stored."""
        key, intent = wanted.key, wanted.intent
        visit = self.visits.get(key.appointment_id) if key.appointment_id else None
        return Reminder(
            episode=self.episode, appointment=visit, step=self.steps[wanted.rule.id],
            step_key=key.step, occurrence=key.occurrence, correction=correction,
            recipient=self.readers[key.recipient_id], category=wanted.rule.category,
            is_essential=wanted.rule.is_essential, local_date=intent.local_date,
            local_time=intent.local_time, time_zone=intent.zone, due_at=wanted.due_at,
            valid_until=wanted.valid_until,
        )  # fmt: skip

    def row(self, reminder: Reminder, at: datetime, verdict: gates.Verdict) -> Row:
        """A line about a reminder at a UTC moment; one that cannot be put into words fails."""
        words, verdict = self._in_words(reminder, verdict)
        key = Key(
            reminder.step_key, reminder.occurrence, reminder.recipient_id, reminder.appointment_id
        )
        return Row(
            key=key, at=at.astimezone(ZoneInfo(reminder.time_zone)), recipient=str(reminder.recipient),
            category=reminder.category, words=words, outcome=verdict.outcome, gate=verdict.gate,
            value=verdict.value,
            correction=reminder.correction,
        )  # fmt: skip

    def _in_words(self, reminder: Reminder, verdict: gates.Verdict) -> tuple[Words, gates.Verdict]:
        try:
            item = self.writer.item(reminder)
        except emails.Unwritable as error:
            if verdict.outcome != Outcome.SEND:
                return Words(), verdict
            return Words(), gates.Verdict(Outcome.FAIL, "text_incomplete", str(error))
        return Words(item.subject, item.title, item.todo, item.body_text), verdict


def _decided(diff: Diff, scene: Scene) -> Iterator[Row]:
    """What the plan itself has settled: sent before, laid aside, or too late to be sent."""
    for item in diff.items:
        wanted = item.desired
        if wanted is None or _is_to_come(item):
            continue
        reminder = scene.reminder(wanted, item.correction)
        moment = item.existing.intent.moment if item.existing else wanted.intent.moment
        yield scene.row(reminder, moment, _settled(item))


def _is_to_come(item: Item) -> bool:
    is_open = item.existing is None or item.existing.state in {"planned", "retrying"}
    return item.change in _TO_COME and (is_open or item.change is not Change.KEPT)


def _settled(item: Item) -> gates.Verdict:
    if item.change is Change.TOO_LATE and item.desired is not None:
        return gates.Verdict(Outcome.SKIP, item.desired.skipped)
    state = item.existing.state if item.existing else "sent"
    reason = item.existing.reason if item.existing else ""
    return gates.Verdict(_OUTCOMES[state], reason or ALREADY_SENT)


def _played(diff: Diff, scene: Scene, asked_at: datetime, *, with_gates: bool) -> Iterator[Row]:
    coming = [
        scene.reminder(item.desired, item.correction)
        for item in diff.items
        if item.desired is not None and _is_to_come(item)
    ]
    if with_gates:
        yield from Playback(scene, coming, asked_at).rows()
    else:
        for reminder in coming:
            yield scene.row(reminder, reminder.due_at, gates.Verdict(Outcome.SEND, "all_gates"))


class Playback:
    """Goes from moment to moment through what is to come, and asks the gates at each."""

    def __init__(self, scene: Scene, coming: list[Reminder], asked_at: datetime) -> None:
        self.scene = scene
        self.around = gates.Surroundings.of(coming, asked_at)
        self.sent: Counter[tuple[uuid.UUID, date]] = Counter(self.around.sent)
        self._numbers = count()
        self._waiting: list[tuple[datetime, int, Reminder]] = []
        for reminder in coming:
            self._put(reminder, reminder.due_at)

    def rows(self) -> Iterator[Row]:
        """A line for each reminder, once it goes or is given up; what waits is asked again later."""
        while self._waiting:
            moment, batch = self._next_batch()
            verdicts = self._verdicts(batch, moment)
            self._count_mails(verdicts, moment)
            for reminder, verdict in verdicts:
                if verdict.until is not None and verdict.until > moment:
                    self._put(reminder, verdict.until)
                else:
                    yield self.scene.row(reminder, moment, verdict)

    def _put(self, reminder: Reminder, at: datetime) -> None:
        heapq.heappush(self._waiting, (at, next(self._numbers), reminder))

    def _next_batch(self) -> tuple[datetime, list[Reminder]]:
        moment, batch = self._waiting[0][0], []
        while self._waiting and self._waiting[0][0] == moment:
            batch.append(heapq.heappop(self._waiting)[2])
        return moment, batch

    def _verdicts(
        self, batch: list[Reminder], moment: datetime
    ) -> list[tuple[Reminder, gates.Verdict]]:
        here = replace(
            self.around, now=moment, sent=self.sent, live_links=self.scene.live_links(moment),
            switched_off=self.around.switched_off | self.scene.switched_off,
        )  # fmt: skip
        return [(reminder, gates.decide(reminder, here)) for reminder in batch]

    def _count_mails(
        self, verdicts: list[tuple[Reminder, gates.Verdict]], moment: datetime
    ) -> None:
        """What goes to one person at one moment is one mail of that person's day."""
        going = [row for row, verdict in verdicts if verdict.outcome == Outcome.SEND]
        for person, zone in {(row.recipient_id, row.reader_zone) for row in going}:
            self.sent[person, moment.astimezone(zone).date()] += 1
