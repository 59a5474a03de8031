"""A visit that is asked to be moved, and a smoker's slip: on a phone, each to its end."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.actions import save_smoke_free_plan
from patients.models import Alert, Appointment, MoveRequest
from procedures.loading import load_catalogue
from tests.browser import DESKTOP, PHONE
from tests.factories import PASSWORD, make_appointment
from tests.patients.consents import published
from tests.people import build_people

pytestmark = pytest.mark.journey


@pytest.fixture
def clinic_of_today(transactional_db, site):
    """Everybody, today, with a visit of the patient and of each child in three weeks."""
    people = build_people(timezone.now())
    load_catalogue()
    for number, episode in enumerate(
        (people.episode, people.child_episode, people.sibling_episode)
    ):
        make_appointment(
            episode, on=today() + timedelta(days=21 + number), kind="clinic",
            location=people.location, note="Bring your letter",
        )  # fmt: skip
    published(people)
    return people


def today():
    return timezone.now().date()


def sign_in(page, email):
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "login" not in url)


def test_a_wish_for_another_time_reaches_a_clerk_and_comes_back(clinic_of_today, new_page, axe):
    people = clinic_of_today
    phone = new_page(**PHONE)
    # Given a patient who cannot come at the time that is booked.
    sign_in(phone, people.patient.user.email)
    phone.goto("/appointments/")
    axe(phone)
    phone.get_by_role("link", name=re.compile("Details, or another time")).tap()
    phone.wait_for_url(re.compile("/appointments/[0-9a-f-]{36}/$"))
    axe(phone)
    # When they ask for another time, nothing is cancelled.
    phone.get_by_role("link", name="Ask for another time").tap()
    phone.get_by_role("button", name="Send my wish").tap()
    phone.get_by_role("alert").wait_for()
    axe(phone)
    phone.get_by_label(re.compile("Why do you need another time")).fill("I have an exam.")
    phone.get_by_label(re.compile("When would suit you")).fill("After 3 pm")
    phone.get_by_role("button", name="Send my wish").tap()
    phone.get_by_text("You asked for another time.").wait_for()
    axe(phone)
    assert Appointment.objects.get(episode=people.episode).status == "booked"
    # Then a clerk finds it on the first page, and moves the visit with a word.
    desk = new_page(**DESKTOP)
    sign_in(desk, people.clerk.email)
    desk.goto("/admin/")
    desk.get_by_role("link", name="Patricia O'Neill").first.wait_for()
    desk.goto(reverse("admin:wish_answer", args=[MoveRequest.objects.get().pk]))
    axe(desk)
    desk.locator("input[name=at]").fill("15:30")
    desk.get_by_label("Reply to the patient").fill("Gladly, see you then.")
    desk.get_by_role("button", name="Answer").click()
    desk.get_by_text("The patient is told.").wait_for()
    assert MoveRequest.objects.get().status == "moved"
    # And the patient reads the answer, and confirms the new time.
    phone.goto("/appointments/")
    phone.get_by_text("Gladly, see you then.").wait_for()
    phone.get_by_role("button", name=re.compile("I am coming")).tap()
    phone.get_by_text("Confirmed: you are coming").wait_for()
    axe(phone)


def test_a_smokers_slip_is_told_without_shame_and_reaches_the_team(clinic_of_today, new_page, axe):
    people = clinic_of_today
    save_smoke_free_plan(
        episode=people.episode, quit_on=today() - timedelta(days=9),
        by=people.patient.user, now=timezone.now(),
    )  # fmt: skip
    people.episode.anchor_dates.filter(anchor="surgery").update(on=today() + timedelta(days=20))
    phone = new_page(**PHONE)
    # Given a smoker who has been smoke-free for nine days, with surgery near.
    sign_in(phone, people.patient.user.email)
    phone.goto("/smoke-free/")
    phone.get_by_text("days smoke-free").wait_for()
    axe(phone)
    # When they slip and tell so.
    phone.get_by_text("Tell of a slip").tap()
    axe(phone)
    phone.get_by_label(re.compile("What led to it")).fill("A bad day.")
    phone.get_by_role("button", name="Start again from now").tap()
    # Then nobody scolds: the count starts again, what was reached stays, and the team knows.
    phone.get_by_text("Thank you for being honest.").wait_for()
    phone.get_by_text("we have told your team").wait_for()
    told = phone.locator("main").inner_text()
    assert "9 days. A slip does not take them away." in told
    assert "reached, and it stays reached" in told
    axe(phone)
    assert Alert.objects.get().summary == "Smoked 20 days before surgery"
    desk = new_page(**DESKTOP)
    sign_in(desk, people.nurse.email)
    desk.goto(reverse("admin:alert_page", args=[Alert.objects.get().pk]))
    desk.get_by_text("A bad day.").wait_for()
    axe(desk)
