"""From a bad night to a nurse who knows: a patient answers on a phone, is told what to do, and staff see it."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.models import Alert
from procedures.loading import load_catalogue
from tests.browser import DESKTOP, PHONE, sign_in
from tests.patients.check_ins import discharged
from tests.people import make_people

pytestmark = pytest.mark.journey


@pytest.fixture
def clinic_of_today(transactional_db, site):
    """Everybody, today, with the patient at home since four days."""
    people = make_people(timezone.now())
    load_catalogue()
    discharged(people)
    return people


def choose(page, question, answer):
    group = page.get_by_role("group", name=question)
    group.get_by_role("radio", name=answer, exact=True).tap()


def answer_all_but_the_pain(page):
    page.get_by_label("What is your temperature?").fill("38,4")
    choose(page, "Do your pain medicines help enough?", "Yes")
    choose(page, "How is the pain", "Less")
    for question in (
        "hot and shivery",
        "leak from your wound",
        "more red",
        "hard to breathe",
        "calf",
    ):
        choose(page, re.compile(question), "No")
    choose(page, re.compile("wound bleeding"), "No")
    choose(page, re.compile("numb"), "Only the skin near the cut")
    choose(page, re.compile("sick"), "No")
    choose(page, re.compile("mood"), "Mostly good")
    page.get_by_label("Anything else?").fill("Hot since <b>last night</b>.")


def the_patient_sends_a_check_in(page, axe, patient):
    # Given a patient with a fever, four days at home.
    sign_in(page, patient.user.email)
    page.goto("/check-in/")
    axe(page)
    # When they forget one question, nothing that they typed is lost.
    answer_all_but_the_pain(page)
    page.get_by_role("button", name="Send my answers").tap()
    page.get_by_role("link", name=re.compile("How much does your hip hurt")).wait_for()
    assert page.title().startswith("Error: ")
    assert page.get_by_label("What is your temperature?").input_value() == "38,4"
    axe(page)
    choose(page, re.compile("hip hurt"), "6")
    page.get_by_role("button", name="Send my answers").tap()
    # Then they are told at once what to do, and whom to call.
    page.get_by_role("heading", name="Call the clinic now, day or night").wait_for()
    told = page.locator("main").inner_text()
    for words in ("Fever", "020 7946 0001", "020 7946 0002", "In an emergency call 999.",
                  "not watched round the clock"):  # fmt: skip
        assert words in told
    assert "None of them is a warning sign" not in told
    axe(page)
    page.get_by_role("link", name="See earlier check-ins").tap()
    page.get_by_text("With a warning sign").wait_for()
    axe(page)


def a_nurse_acknowledges_and_resolves_it(page, axe, nurse):
    # Given a nurse who comes on duty.
    sign_in(page, nurse.email)
    page.goto("/admin/")
    alerts = page.get_by_role("region", name=re.compile("Alerts to acknowledge"))
    assert "Fever: 38.4 °C" in alerts.inner_text()
    axe(page)
    # When they open it, say that they are on it, and later what was done.
    alerts.get_by_role("link", name="Patricia O'Neill").click()
    page.get_by_role("button", name="Acknowledge: I am on it").wait_for()
    assert "Hot since <b>last night</b>." in page.locator("body").inner_text()
    axe(page)
    page.get_by_role("button", name="Acknowledge: I am on it").click()
    page.get_by_text("You have acknowledged the alert.").wait_for()
    page.get_by_role("button", name="Resolve the alert").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("What was done").fill("Came in, the wound is clean.")
    page.get_by_role("button", name="Resolve the alert").click()
    page.get_by_text("The alert is resolved.").wait_for()
    axe(page)
    # Then nothing waits any more, and the patient's page shows what was told.
    page.goto("/admin/")
    page.get_by_text("No alert waits for anybody.").wait_for()


def test_a_fever_reaches_a_nurse(clinic_of_today, new_page, axe):
    people = clinic_of_today
    the_patient_sends_a_check_in(new_page(**PHONE), axe, people.patient)
    assert Alert.objects.get().state == "new"
    desk = new_page(**DESKTOP)
    a_nurse_acknowledges_and_resolves_it(desk, axe, people.nurse)
    assert Alert.objects.get().state == "resolved"
    desk.goto(reverse("admin:patient_page", args=[people.patient.pk]))
    desk.get_by_role("heading", name="Check-ins").wait_for()
    axe(desk)
