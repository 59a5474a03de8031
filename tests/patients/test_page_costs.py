"""What a patient's pages cost: at most fifteen queries, and the same for one row as for thirty."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import make_appointment, make_carer, make_message, make_reminder
from tests.patients.check_ins import discharged
from tests.patients.consents import published
from tests.patients.exercises import prescribed
from tests.patients.wishes import wished

pytestmark = pytest.mark.django_db

# What each page asks, whatever the number of rows.
QUERIES = {
    "reminders:today": 14,
    "reminders:plan": 13,
    "reminders:messages": 12,
    "reminders:my_data": 4,
    "reminders:reminder_settings": 8,
    "patients:appointments": 7,
    "patients:calendar_feed": 5,
    "patients:check_in": 10,
    "patients:check_in_history": 6,
    "patients:exercises": 6,
    "patients:consents": 7,
    "patients:xrays": 8,
    "patients:smoke_free": 10,
    "patients:smoke_free_plan": 8,
    "patients:who_can_see": 7,
    "patients:contact_phone": 4,
    "patients:contact_email": 4,
}
AT_MOST = 15
# Keeping a reader's look in the trail sets a savepoint, which asks the database for no row.
NO_QUESTION = ("SAVEPOINT", "RELEASE SAVEPOINT")


def fill(people, count: int) -> None:
    """Give the patient so many visits, wishes, reminders, mails, exercises, consents and carers."""
    steps = list(people.adult_version.steps.exclude(category="xray")[:4])
    for number in range(count):
        visit = make_appointment(
            people.episode, on=date(2026, 6, 1) + timedelta(days=number), location=people.location
        )
        wished(people, visit)
        step = steps[number % len(steps)]
        make_reminder(people.episode, step)
        make_reminder(people.episode, step, state="missed", reason="too_old")
        make_message(people.patient.user, people.clinic, [make_reminder(people.episode, step)])
        prescribed(people, f"exercise-{number}")
        published(people, f"consent-{number}")
        make_carer(people.patient)


def questions(browser, path: str) -> list[str]:
    browser.get(path)
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(path).status_code == 200
    return [row["sql"] for row in asked if not row["sql"].startswith(NO_QUESTION)]


@pytest.fixture
def counted(people, sign_in, questionnaires):
    """`counted(rows)` is what each page asks with so many rows."""
    discharged(people)
    browser = sign_in(people.patient.user)

    def count(rows: int) -> dict[str, int]:
        fill(people, rows)
        return {name: len(questions(browser, reverse(name))) for name in QUERIES}

    return count


@pytest.mark.parametrize("rows", [1, 30])
def test_a_page_asks_the_same_for_one_row_as_for_thirty(counted, rows):
    assert counted(rows) == QUERIES


def test_no_page_asks_more_than_it_may():
    assert max(QUERIES.values()) <= AT_MOST
