"""Cancelling, moving and opting out against sending, in every order that chance finds.

A run sends many reminders while somebody changes things, one patient each. Seen from outside: when did each
change stand in the database, and when was each mail's last question begun? A mail that went although it
was asked about after the change stood is the fault looked for.
"""

import random
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from patients.models import Episode, PlanRequest
from reminders import actions, boarding, pipeline
from reminders.models import Reminder
from reminders.planning import plan_requested
from reminders.reconciler import reconcile
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_staff,
    make_version,
)

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
STEPS = {"bag": {"offset_value": -1, "late_policy": "send_now", "repeat_policy": "correct"}}
A_RUN = 40
NEW_DAY = NOW.date() + timedelta(days=20)


class Story:
    """One run: who was to be mailed, what was changed when, and which mails were asked about when."""

    def __init__(self, number, seed, monkeypatch):
        self.seed, self.chance = seed, random.Random(seed)
        self.clinic = make_clinic(f"Clinic {seed}")
        self.staff = make_staff(self.clinic, "clerk")
        self.version = make_version(self.clinic, STEPS)
        self.episodes = [self._due(place) for place in range(number)]
        self.done_at: dict = {}
        self.asked_at: dict = {}
        board = boarding.board

        def noted(pairs, *args):
            began_at = time.monotonic()
            aboard = board(pairs, *args)
            self.asked_at.update(dict.fromkeys(aboard, began_at))
            return aboard

        monkeypatch.setattr(boarding, "board", noted)

    def _due(self, place):
        patient = make_patient(self.clinic, email=f"r{self.seed}-{place}@example.com")
        episode = make_episode(patient, self.version, surgery_on=NOW.date() + timedelta(days=1))
        reconcile(episode, now=NOW)
        return episode

    def cancel(self, episode):
        actions.cancel_surgery(episode=episode, by=self.staff, now=NOW, reason="ill")

    def move(self, episode):
        actions.move_anchor(episode=episode, anchor="surgery", on=NEW_DAY, by=self.staff, now=NOW)

    def opt_out(self, episode):
        user = episode.patient.user
        actions.choose(user=user, category="preparation", is_on=False, by=user, now=NOW)

    def change_all(self):
        """Change everybody's plan, in any order, with pauses like people's, only shorter."""
        try:
            for episode in self.chance.sample(self.episodes, len(self.episodes)):
                verb = self.chance.choice(["cancel", "move", "opt_out"])
                time.sleep(self.chance.choice([0, 0.001, 0.01, 0.05]))
                getattr(self, verb)(Episode.objects.get(pk=episode.pk))
                self.done_at[episode.pk] = (verb, time.monotonic())
        finally:
            connection.close()

    def play(self):
        """Send and change at once, in two threads, then until nothing is left to do."""
        changing = threading.Thread(target=self.change_all)
        changing.start()
        time.sleep(self.chance.choice([0, 0, 0.05, 0.3]))
        pipeline.dispatch(now=NOW)
        changing.join(300)
        plan_requested(now=NOW)
        for minutes in range(1, 4):
            plan_requested(now=NOW + timedelta(minutes=minutes))
            pipeline.dispatch(now=NOW + timedelta(minutes=minutes))

    @property
    def too_late(self):
        """The mails that went although the change stood before they were asked about."""
        sent = Reminder.objects.filter(step__key="bag", correction=0, state="sent")
        return [
            (self.done_at[row.episode_id][0], row.recipient.email)
            for row in sent.filter(counted_from=str(NOW.date() + timedelta(days=1)))
            if row.pk in self.asked_at and self.asked_at[row.pk] > self.done_at[row.episode_id][1]
        ]


@pytest.fixture(autouse=True)
def still(stopped_clock):
    """The wall clock stands; the monotonic one, by which the story is told, does not."""


def mails(server, words):
    """How often each address got a mail whose subject has these words."""
    return Counter(mail.recipients[0] for mail in server.delivered if words in mail.subject)


def test_nothing_goes_after_the_change_stood_and_the_new_time_gets_one_mail(
    server, size, note, monkeypatch
):
    tried, told_before = Counter(), Counter()
    for seed in range(max(1, size.interleavings // A_RUN)):
        server.delivered.clear()
        server.delay = 0.001
        with monkeypatch.context() as patch:
            story = Story(A_RUN, seed, patch)
            story.play()
        first = mails(server, "Bag")
        assert story.too_late == []
        assert set(first.values()) <= {1}
        tried += Counter(verb for verb, _ in story.done_at.values())
        told_before += Counter(
            story.done_at[episode.pk][0]
            for episode in story.episodes
            if first[episode.patient.user.email]
        )

        server.delivered.clear()
        pipeline.dispatch(now=NOW + timedelta(days=19, hours=2))

        moved = {
            episode.patient.user.email: 1
            for episode in story.episodes
            if story.done_at[episode.pk][0] == "move"
        }
        assert mails(server, "Bag") == moved
        assert not PlanRequest.objects.exists()
        assert not Reminder.objects.filter(state="claimed").exists()
        Episode.objects.update(status="finished")
    note(f"{tried.total()} interleavings: {dict(tried)}; mailed before: {dict(told_before)}")
