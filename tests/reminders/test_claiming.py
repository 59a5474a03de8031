"""What one claim takes: the oldest, and with it whatever else is due for the same people."""

from datetime import timedelta

import pytest

from reminders.claiming import claim
from reminders.models import Reminder
from tests.factories import NOW, make_episode, make_patient, make_reminder

pytestmark = pytest.mark.django_db
BATCH = 2


@pytest.fixture
def due(people):
    """`due(a, b, …)`: patients with so many reminders each, falling due in turns, the first patient's first."""

    def make(*numbers):
        rows = {}
        for place, number in enumerate(numbers):
            patient = make_patient(people.clinic, email=f"reader-{place}@example.com")
            episode = make_episode(patient, people.adult_version)
            for hour in range(number):
                moment = NOW - timedelta(days=1) + timedelta(hours=hour, minutes=place)
                rows[make_reminder(episode, due_at=moment).pk] = place
        return rows

    return make


def test_a_claim_takes_a_row_once(due):
    due(1, 1, 1)

    taken = claim(token="a", now=NOW), claim(token="b", now=NOW)

    assert [len(ids) for ids in taken] == [3, 0]
    assert set(Reminder.objects.values_list("state", "claimed_by", "attempts")) == {
        ("claimed", "a", 1)
    }


def test_all_that_is_due_for_somebody_is_taken_with_the_first_of_it(due):
    of_whom = due(4, 3, 1)

    ids = claim(token="t", now=NOW, batch=BATCH)

    assert sorted(of_whom[key] for key in ids) == [0] * 4 + [1] * 3


def test_nobodys_share_is_cut_where_all_of_it_together_is_too_much(due):
    """After an outage much is due for each: two people with five each are more than eight."""
    of_whom = due(5, 5, 5)

    taken = [claim(token=token, now=NOW, batch=BATCH) for token in "abc"]

    assert [{of_whom[key] for key in ids} for ids in taken] == [{0}, {1}, {2}]
    assert [len(ids) for ids in taken] == [5, 5, 5]


def test_who_has_more_than_a_claim_holds_is_served_all_the_same(due):
    due(11)

    assert len(claim(token="t", now=NOW, batch=BATCH)) == 11
