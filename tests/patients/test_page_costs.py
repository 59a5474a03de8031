"""What a patient's pages cost: at most fifteen queries, and the same for one row as for thirty."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import make_appointment, make_carer, make_message, make_reminder
from tests.patients.check_ins import discharged, send
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
    "reminders:reminder_settings": 6,
    "patients:appointments": 8,
    "patients:calendar_feed": 5,
    "patients:check_in": 10,
    "patients:check_in_history": 6,
    "patients:exercises": 6,
    "patients:consents": 7,
    "patients:xrays": 8,
    "patients:smoke_free": 10,
    "patients:smoke_free_plan": 8,
    "patients:who_can_see": 6,
    "patients:contact_phone": 4,
    "patients:contact_email": 4,
}
# The same for one row of each, and for the calendar file of one visit.
OF_ONE_ROW = {
    "patients:appointment": 6,
    "patients:appointment_calendar": 4,
    "patients:check_in_result": 5,
    "patients:consent": 7,
    "patients:exercise": 7,
    "reminders:message": 10,
    "reminders:message_html": 5,
    "reminders:why": 14,
}
# Files with everything there is: one question or two for each kind of thing, whatever their number.
FILES = {"html": 28, "pdf": 28, "json": 28, "fhir": 18}
AT_MOST, MOST_BYTES = 15, 60_000
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


def questions(browser, path: str, most_bytes: int = MOST_BYTES) -> list[str]:
    browser.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = browser.get(path)
    assert answer.status_code == 200, path
    assert len(answer.content) <= most_bytes, path
    return [row["sql"] for row in asked if not row["sql"].startswith(NO_QUESTION)]


def rows_of(people) -> dict[str, list[object]]:
    """One row of each kind that has a page of its own: what its address is made of."""
    visit = people.episode.appointments.exclude(move_requests__status="open").first()
    visit = visit or people.episode.appointments.first()
    mail = people.patient.user.messages.first()
    return {
        "patients:appointment": [visit.pk],
        "patients:appointment_calendar": [visit.pk],
        "patients:check_in_result": [people.episode.check_ins.first().pk],
        "patients:consent": [people.episode.pk, "consent-0"],
        "patients:exercise": [people.episode.prescriptions.first().pk],
        "reminders:message": [mail.pk],
        "reminders:message_html": [mail.pk],
        "reminders:why": [mail.reminders.get().pk],
    }


@pytest.fixture
def counted(people, sign_in, questionnaires):
    """`counted(rows)` is what each page asks with so many rows."""
    discharged(people)
    browser = sign_in(people.patient.user)

    def count(rows: int) -> dict[str, int]:
        fill(people, rows)
        return {name: len(questions(browser, reverse(name))) for name in QUERIES}

    return count


@pytest.fixture
def counted_rows(people, sign_in, questionnaires):
    """`counted_rows(rows)` is what one row's page asks where there are so many."""
    discharged(people)
    browser = sign_in(people.patient.user)

    def count(rows: int) -> dict[str, int]:
        fill(people, rows)
        send(browser, people.episode)
        return {
            name: len(questions(browser, reverse(name, args=args)))
            for name, args in rows_of(people).items()
        }

    return count


@pytest.mark.parametrize("rows", [1, 30])
def test_a_page_asks_the_same_for_one_row_as_for_thirty(counted, rows):
    assert counted(rows) == QUERIES


@pytest.mark.parametrize("rows", [1, 30])
def test_the_page_of_one_row_asks_the_same_however_many_there_are(counted_rows, rows):
    assert counted_rows(rows) == OF_ONE_ROW


@pytest.mark.parametrize("rows", [1, 30])
def test_a_file_with_everything_asks_the_same_for_one_row_as_for_thirty(people, sign_in, rows):
    fill(people, rows)
    browser = sign_in(people.patient.user)

    found = {
        form: len(questions(browser, reverse("reminders:my_data_file", args=[form]), 10**6))
        for form in FILES
    }

    assert found == FILES


def test_no_page_asks_more_than_it_may():
    assert max([*QUERIES.values(), *OF_ONE_ROW.values()]) <= AT_MOST
