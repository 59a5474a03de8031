"""What would go in the next hour, told before sending is switched on again, and nothing written."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from portal.models import SendingSwitch
from reminders import pipeline
from reminders.models import Decision, Preference
from reminders.outlook import outlook
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_step,
    make_version,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def paused(stopped_clock):
    """Sending is off. Due: two overdue for one person, one in half an hour, one that is switched off, one later."""
    SendingSwitch.objects.create(is_on=False, reason="Restored")
    clinic = make_clinic()
    version = make_version(clinic, {"bag": {}}, is_approved=False)
    walk = make_step(version, "walk", category="physiotherapy", position=2)
    pat, otto = (make_episode(make_patient(clinic), version) for _ in range(2))
    for _ in range(2):
        make_reminder(pat, due_at=NOW - timedelta(hours=1))
    make_reminder(otto, due_at=NOW + timedelta(minutes=30))
    Preference.objects.create(user=otto.patient.user, category="physiotherapy", is_on=False)
    make_reminder(otto, walk)
    make_reminder(otto, due_at=NOW + timedelta(hours=3))


def test_it_counts_what_would_go_and_what_not(paused, django_assert_num_queries):
    with django_assert_num_queries(10):
        found = outlook(now=NOW)

    assert (found.waiting, found.overdue, found.mails) == (4, 2, 2)
    assert found.by_category == {"preparation": 3}
    assert found.held_back == {"switched_off": 1}
    assert Decision.objects.count() == 0


def test_it_is_right(paused, smtp_server):
    foretold = len([each for each in outlook(now=NOW).going if each.at == NOW])
    SendingSwitch.objects.update(is_on=True)

    assert pipeline.dispatch(now=NOW).sent == foretold == 2


def test_the_command_names_nobody(paused):
    out = StringIO()
    call_command("outlook", stdout=out)

    assert out.getvalue().splitlines() == [
        "Sending is stopped.",
        "In the next 60 minutes 4 reminders are due, 2 of them already overdue; 3 would go, in 2 mails.",
        "  Would go:      3  preparation",
        "  Held back:      1  The recipient has switched this category off, and the step is not essential.",
    ]
