"""One statement for many rows with a value each, on whichever database this is."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reminders.bulk import update_each
from reminders.models import Message, Reminder
from tests.factories import NOW, make_message, make_reminder

pytestmark = pytest.mark.django_db
ODD = "it's “250” %s \\ $1 {} \n é"


def test_each_row_gets_its_own_value(people):
    rows = [
        make_message(people.mother, people.clinic, state="retrying", sent_at=None) for _ in range(3)
    ]
    answers = {row.pk: f"{number} {ODD}" for number, row in enumerate(rows)}

    changed = update_each(
        Message,
        "last_response",
        answers,
        also={"state": "sent", "sent_at": NOW},
        where={"state": ("retrying", "sending")},
    )

    assert changed == 3
    assert dict(Message.objects.values_list("pk", "last_response")) == answers
    assert set(Message.objects.values_list("state", "sent_at")) == {("sent", NOW)}


def test_rows_that_are_not_as_asked_stay_as_they_are(people):
    sent = make_message(people.mother, people.clinic)
    failed = make_message(people.mother, people.clinic, state="failed", sent_at=None)
    values = {sent.pk: "new", failed.pk: "new", uuid.uuid4(): "new"}

    assert update_each(Message, "last_response", values, also={}, where={"state": "sent"}) == 1

    assert set(Message.objects.values_list("state", "last_response")) == {
        ("sent", "new"),
        ("failed", ""),
    }


def test_a_foreign_key_is_set_by_its_key(people):
    row = make_reminder(people.episode)
    Reminder.objects.filter(pk=row.pk).update(state="claimed", lease_until=NOW, claimed_by="t")
    message = make_message(people.patient.user, people.clinic)

    update_each(
        Reminder,
        "message",
        {row.pk: message.pk},
        also={"lease_until": NOW + timedelta(minutes=5)},
        where={"claimed_by": "t", "state": "claimed"},
    )

    row.refresh_from_db()
    assert (row.message, row.lease_until) == (message, NOW + timedelta(minutes=5))


def test_no_values_cost_no_statement(db):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert update_each(Message, "last_response", {}, also={}, where={}) == 0
    assert len(queries) == 0
