"""One run that sends to many patients while somebody changes their plans, told by the clock that only goes on."""

import random
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from patients.models import AnchorDate, Episode
from portal.smtp import Sender, SmtpSender
from reminders import actions, boarding, claiming, pipeline
from reminders.models import Reminder
from reminders.planning import plan_requested
from reminders.reconciler import reconcile_all
from tests.factories import NOW, make_clinic, make_staff, make_version
from tests.faults.scene import FaultyServer, admit

STEPS = {"bag": {"offset_value": -1, "late_policy": "send_now", "repeat_policy": "correct"}}
OLD_DAY = NOW.date() + timedelta(days=1)
NEW_DAY = NOW.date() + timedelta(days=20)
# Mails that the server takes for each change that is made meanwhile: of the changes after the run's
# begin somewhat less than half then come after the mail.
MAILS_A_CHANGE = 0.5


@dataclass(frozen=True)
class Change:
    """What was done for one patient, and the seconds from its begin until it stood in the database."""

    verb: str
    began_at: float
    stood_at: float


@dataclass
class Moments:
    """When each reminder was claimed, and when it was asked about last, by its key."""

    claimed_at: dict[UUID, float] = field(default_factory=dict)
    asked_at: dict[UUID, float] = field(default_factory=dict)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Look over the shoulder of every run from here on."""
        claim, board = claiming.claim, boarding.board

        def claim_(**options: Any) -> list[UUID]:
            ids = claim(**options)
            self.claimed_at |= dict.fromkeys(ids, time.monotonic())
            return ids

        def boarding_(messages: Mapping[UUID, UUID], *args: Any) -> Collection[UUID]:
            began_at = time.monotonic()
            aboard = board(messages, *args)
            self.asked_at |= dict.fromkeys(aboard, began_at)
            return aboard

        patch.setattr(pipeline, "claim", claim_)
        patch.setattr(boarding, "board", boarding_)


class Story:
    """One run: who was to be mailed, what was changed when, and which mails were asked about when.

    So that the changes come at every moment of a mail, the run begins after some of them, and from then
    on those who change and the mail server keep step with each other, more or less.
    """

    def __init__(
        self, number: int, seed: int, server: FaultyServer, patch: pytest.MonkeyPatch
    ) -> None:
        self.chance, self.server = random.Random(seed), server
        self.clinic = make_clinic(f"Clinic {seed}")
        self.staff = make_staff(self.clinic, "clerk")
        self.episodes = self._due(number, f"r{seed}-")
        self.changes: dict[UUID, Change] = {}
        self.moments = Moments()
        self.moments.watch(patch)
        self.connections = self.chance.choice([1, 2, 4, 24])
        patch.setattr(pipeline, "open_sender", self._open_sender)
        # Asking aside, or on the run's own connection.
        patch.setattr(pipeline, "MANY", self.chance.choice([4, 1_000]))
        patch.setattr(pipeline, "FIRST_BATCH", self.chance.choice([5, 50]))
        self.first, self.slack = self.chance.randint(0, number // 2), self.chance.randint(1, 3)
        self.may_begin, self.is_over = threading.Event(), threading.Event()

    def _due(self, number: int, name: str) -> Sequence[Episode]:
        episodes = admit(self.clinic, make_version(self.clinic, STEPS), number, name)
        AnchorDate.objects.bulk_create(
            AnchorDate(episode=episode, anchor="surgery", on=OLD_DAY) for episode in episodes
        )
        reconcile_all([episode.pk for episode in episodes], now=NOW)
        return episodes

    def _open_sender(self, **hooks: Any) -> Sender:
        return SmtpSender(most=self.connections, **hooks)

    def cancel(self, episode: Episode) -> None:
        actions.cancel_surgery(episode=episode, by=self.staff, now=NOW, reason="ill")

    def move(self, episode: Episode) -> None:
        actions.move_anchor(episode=episode, anchor="surgery", on=NEW_DAY, by=self.staff, now=NOW)

    def opt_out(self, episode: Episode) -> None:
        user = episode.patient.user
        assert user is not None
        actions.choose(user=user, category="preparation", is_on=False, by=user, now=NOW)

    def change_all(self) -> None:
        """Change everybody's plan, in any order, with pauses like people's, only shorter."""
        try:
            for episode in self.chance.sample(self.episodes, len(self.episodes)):
                self._keep_step()
                verb = self.chance.choice(["cancel", "move", "opt_out"])
                time.sleep(self.chance.choice([0, 0.001, 0.003, 0.01]))
                began_at = time.monotonic()
                getattr(self, verb)(Episode.objects.get(pk=episode.pk))
                self.changes[episode.pk] = Change(verb, began_at, time.monotonic())
        finally:
            self.may_begin.set()
            self.server.is_held = lambda: False
            connection.close()

    def _keep_step(self) -> None:
        """Wait for the mails where they are behind."""
        if len(self.changes) < self.first:
            return
        self.may_begin.set()
        while self.mailed < self.place - self.slack and not self.is_over.wait(0.005):
            pass

    def _is_ahead(self) -> bool:
        """Whether it is for the mail server to wait."""
        return self.mailed >= self.place + self.slack

    @property
    def place(self) -> float:
        """How many mails the server should have taken by now."""
        return MAILS_A_CHANGE * max(0, len(self.changes) - self.first)

    @property
    def mailed(self) -> int:
        """How many mails of the old day the server has taken."""
        return sum(b"Bag" in mail.raw for mail in list(self.server.delivered))

    def play(self) -> None:
        """Send and change at once, in two threads, then until nothing is left to do."""
        self.server.delay = self.chance.choice([0.001, 0.02, 0.1])
        self.server.is_held = self._is_ahead
        changing = threading.Thread(target=self.change_all)
        changing.start()
        self.may_begin.wait(300)
        try:
            pipeline.dispatch(now=NOW)
        finally:
            self.is_over.set()
            changing.join(300)
        self.server.delay = 0
        plan_requested(now=NOW)
        for minutes in range(1, 4):
            plan_requested(now=NOW + timedelta(minutes=minutes))
            pipeline.dispatch(now=NOW + timedelta(minutes=minutes))

    def moment_of(self, row: Reminder) -> str:
        """When the change of a reminder of the old day stood, in the life of its mail."""
        stood_at = self.changes[row.episode_id].stood_at
        if stood_at < self.moments.claimed_at.get(row.pk, stood_at + 1):
            return "before its run"
        if stood_at > self.server.taken_at.get(row.recipient.email, stood_at + 1):
            return "after the mail"
        return "on its way" if row.pk in self.moments.asked_at else "in its run"

    @property
    def reminders(self) -> list[Reminder]:
        """The reminders of the old day, as they ended."""
        rows = Reminder.objects.filter(episode__patient__clinic=self.clinic, correction=0)
        return list(rows.filter(step__key="bag").select_related("recipient"))
