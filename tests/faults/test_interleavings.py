"""Cancelling, moving and opting out against sending, in every order that chance finds.

A run sends many reminders while somebody changes things, one patient each. Seen from outside: when did each
change stand in the database, and when was each mail's last question begun? A mail that went although it
was asked about after the change stood is the fault looked for.
"""

from collections import Counter
from datetime import timedelta

import pytest

from patients.models import Episode, PlanRequest
from reminders import pipeline
from reminders.models import Reminder
from tests.factories import NOW
from tests.faults.story import Story

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
A_RUN = 40
# So many changes must have come at each of these moments of a mail, in percent, where there were many.
AT_LEAST = {"before its run": 15, "in its run": 10, "after the mail": 15}
MANY = 1_000


@pytest.fixture(autouse=True)
def still(stopped_clock):
    """The wall clock stands; the monotonic one, by which the story is told, does not."""


def mails(server, words):
    """How often each address got a mail whose subject has these words."""
    return Counter(mail.recipients[0] for mail in server.delivered if words in mail.subject)


def too_late(story, rows):
    """What was changed for the mails that went although the change stood before they were asked about."""
    asked_at = story.moments.asked_at
    return [
        (story.changes[row.episode_id].verb, row.recipient.email)
        for row in rows
        if asked_at.get(row.pk, 0) > story.changes[row.episode_id].stood_at
    ]


def test_nothing_goes_after_the_change_stood_and_the_new_time_gets_one_mail(
    server, size, note, monkeypatch
):
    tried, told_before, came = Counter(), Counter(), Counter()
    stories = max(1, size.interleavings // A_RUN)
    for seed in range(size.first_story, size.first_story + stories):
        server.delivered.clear()
        with monkeypatch.context() as patch:
            story = Story(A_RUN, seed, server, patch)
            story.play()
        rows = story.reminders
        first = mails(server, "Bag")
        assert too_late(story, rows) == []
        assert set(first.values()) <= {1}
        tried += Counter(change.verb for change in story.changes.values())
        told_before += Counter(
            story.changes[row.episode_id].verb for row in rows if first[row.recipient.email]
        )
        came += Counter(story.moment_of(row) for row in rows)

        server.delivered.clear()
        pipeline.dispatch(now=NOW + timedelta(days=19, hours=2))

        moved = {
            row.recipient.email: 1 for row in rows if story.changes[row.episode_id].verb == "move"
        }
        assert mails(server, "Bag") == moved
        assert not PlanRequest.objects.exists()
        assert not Reminder.objects.filter(state="claimed").exists()
        Episode.objects.filter(patient__clinic=story.clinic).update(status="finished")
    note(
        f"{tried.total()} interleavings: {dict(tried)}; changes came {dict(came)}; "
        f"mailed before: {dict(told_before)}"
    )
    if tried.total() >= MANY:
        assert {
            when: came[when]
            for when, least in AT_LEAST.items()
            if 100 * came[when] < least * tried.total()
        } == {}
