"""A visit to be moved, a smoker's slip, a parent of two, a plan that changed: on a phone, each to its end."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.actions import save_smoke_free_plan
from patients.models import Alert, Appointment, MoveRequest
from procedures.loading import load_catalogue
from reminders.actions import move_anchor
from reminders.reconciler import reconcile
from tests.browser import DESKTOP, PHONE, sign_in
from tests.factories import make_appointment, make_message, make_reminder
from tests.patients.consents import published
from tests.patients.test_guides import pages
from tests.people import make_people

pytestmark = pytest.mark.journey


@pytest.fixture
def clinic_of_today(transactional_db, site):
    """Everybody, today, with a visit of the patient and of each child in three weeks."""
    people = make_people(timezone.now())
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
    phone.get_by_role("button", name="Send my request").tap()
    phone.get_by_role("alert").wait_for()
    axe(phone)
    phone.get_by_label(re.compile("Why do you need another time")).fill("I have an exam.")
    phone.get_by_label(re.compile("When would suit you")).fill("After 3 pm")
    phone.get_by_role("button", name="Send my request").tap()
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


# The page as it came, without the one place that names every child a parent looks after.
WITHOUT_SWITCHER = """() => {
  const page = document.documentElement.cloneNode(true);
  page.querySelector(".sw-switcher").remove();
  return page.outerHTML;
}"""


def with_a_mail_each(people):
    """Plan each child's months, with one step of today that was mailed to the mother."""
    for episode in (people.child_episode, people.sibling_episode):
        reconcile(episode, now=timezone.now())
        row = make_reminder(
            episode, people.child_version.steps.get(key="pack-toys"), recipient=people.mother,
            local_date=today(), due_at=timezone.now(), valid_until=timezone.now() + timedelta(days=2),
        )  # fmt: skip
        subject = f"A mail about {episode.patient.given_name}"
        make_message(people.mother, people.clinic, [row], subject=subject, sent_at=timezone.now())


def test_a_mail_is_shown_as_high_as_its_words_however_the_phone_is_held(clinic_of_today, new_page):
    people = clinic_of_today
    # Given a mail that takes more lines on a phone held upright than on one held across.
    row = make_reminder(people.episode, people.adult_version.steps.get(key="insurer"))
    html = "<!doctype html><p>" + "Bring your letter. " * 400
    make_message(people.patient.user, people.clinic, [row], html=html, sent_at=timezone.now())
    phone = new_page(**PHONE)
    sign_in(phone, people.patient.user.email)
    phone.goto("/messages/")
    phone.get_by_role("link", name=re.compile("Your next step")).tap()
    phone.locator("iframe[data-fit][style]").wait_for()
    upright = phone.locator("iframe").bounding_box()["height"]
    # When it is turned, no empty space stays below the words; turned back, no word is cut.
    phone.set_viewport_size({"width": 844, "height": 390})
    phone.wait_for_function(
        "most => document.querySelector('iframe').offsetHeight < most", arg=upright * 0.7
    )
    phone.set_viewport_size(PHONE["viewport"])
    phone.wait_for_function(
        "least => document.querySelector('iframe').offsetHeight >= least", arg=upright
    )


def switch_to(page, name):
    page.locator(".sw-switcher summary").tap()
    page.locator(".sw-switcher").get_by_role("button", name=name).tap()
    page.locator(".sw-switcher summary").get_by_text(f"You are looking after {name}").wait_for()


def test_a_parent_goes_to_and_fro_between_two_children(clinic_of_today, new_page, axe):
    people = clinic_of_today
    with_a_mail_each(people)
    # Given a mother of two children, each with a plan, a visit and a mail.
    phone = new_page(**PHONE)
    sign_in(phone, people.mother.email)
    for path, words in (
        ("/today/", "Today for {}"),
        ("/plan/", "The plan for {}"),
        ("/messages/", "A mail about {}"),
        ("/appointments/", "Bring your letter"),
    ):
        phone.goto(path)
        # When she goes to the one and to the other, she stays on the page,
        for shown, other in ((people.sibling, people.child), (people.child, people.sibling)):
            switch_to(phone, shown.name)
            phone.wait_for_url(f"**{path}")
            # Then it tells of the one, and nowhere of the other.
            assert words.format(shown.given_name) in phone.locator("main").inner_text()
            document = phone.evaluate(WITHOUT_SWITCHER)
            assert other.given_name not in document
            assert str(other.pk) not in document
            axe(phone)


def test_a_childs_page_that_is_kept_open_leads_to_that_child(clinic_of_today, new_page, axe):
    people = clinic_of_today
    visit = Appointment.objects.get(episode=people.child_episode)
    phone = new_page(**PHONE)
    # Given a mother who last looked after the one child,
    sign_in(phone, people.mother.email)
    phone.goto("/today/")
    switch_to(phone, people.sibling.name)
    # When she opens a link about the other one's visit,
    phone.goto(reverse("patients:appointment", args=[visit.pk]))
    # Then the page says whose it is.
    phone.get_by_text(f"You are looking after {people.child.name}").wait_for()
    assert people.sibling.given_name not in phone.evaluate(WITHOUT_SWITCHER)
    axe(phone)


def test_what_changed_and_the_guide_to_it(clinic_of_today, new_page, axe):
    people = clinic_of_today
    pages(people.episode.procedure, "own-about", "own-ready")
    people.episode.anchor_dates.filter(anchor="surgery").update(on=today() + timedelta(days=56))
    reconcile(people.episode, now=timezone.now())
    # Given a patient whose surgery the clinic has moved by two weeks,
    move_anchor(
        episode=people.episode, anchor="surgery", on=today() + timedelta(days=70), by=people.clerk,
        now=timezone.now(),
    )  # fmt: skip
    phone = new_page(**PHONE)
    sign_in(phone, people.patient.user.email)
    # Then the plan says what changed, and where in the months it is.
    phone.goto("/plan/")
    changed = phone.get_by_role("region", name="What changed")
    changed.get_by_text("The day of surgery: moved from").wait_for()
    changed.get_by_text("These moved with it:").wait_for()
    assert phone.locator(".sw-months [aria-current=step]").inner_text() == "Before surgery"
    axe(phone)
    # When they open the guide, it is about their own operation, at its stage.
    phone.goto("/my-guide/")
    phone.get_by_text("For you now").wait_for()
    axe(phone)
    phone.get_by_role("link", name="Read it").tap()
    phone.wait_for_url("**/own-ready/")
    axe(phone)
