"""From an invitation to a red flag; access that ends while somebody reads; stopping mail; being interrupted."""

import re

import pytest
from django.utils import timezone

from patients.actions import end_carer
from patients.models import Alert, RelatedPerson
from portal import actions
from portal.models import User
from procedures.loading import load_catalogue
from reminders import unsubscribe
from reminders.models import Preference
from tests.browser import DESKTOP, PHONE, sign_in
from tests.factories import PASSWORD
from tests.patients.check_ins import discharged
from tests.people import make_people

pytestmark = pytest.mark.journey
OWN_PASSWORD = "amber kettle lighthouse 88"
DRAFTS = "Object.keys(sessionStorage).filter((key) => key.startsWith('stepwise-draft'))"


@pytest.fixture
def clinic_of_today(transactional_db, site):
    """Everybody, today."""
    return make_people(timezone.now())


def fill_day(page, day, month, year):
    page.get_by_label("Day", exact=True).first.fill(day)
    page.get_by_label("Month", exact=True).first.select_option(month)
    page.get_by_label("Year", exact=True).first.fill(year)


def choose(page, question, answer):
    group = page.get_by_role("group", name=question)
    group.get_by_role("radio", name=answer, exact=True).tap()


def answer_with_a_leaking_wound(page):
    page.get_by_label("What is your temperature?").fill("36.8")
    choose(page, "Do your pain medicines help enough?", "Yes")
    choose(page, "How is the pain", "Less")
    choose(page, re.compile("leak from your wound"), "Yes")
    for question in (
        "hot and shivery",
        "more red",
        "wound bleeding",
        "hard to breathe",
        "calf",
        "sick",
    ):
        # Which of them are asked hangs on how long ago the operation was.
        if page.get_by_role("group", name=re.compile(question)).count():
            choose(page, re.compile(question), "No")
    choose(page, re.compile("numb"), "Only the skin near the cut")
    choose(page, re.compile("mood"), "Mostly good")
    choose(page, re.compile("hip hurt"), "3")


def test_from_the_invitation_to_a_red_flag(clinic_of_today, smtp_server, phone, axe):
    # Given a patient at home who has never signed in, and an invitation in their inbox.
    people = clinic_of_today
    load_catalogue()
    discharged(people)
    user = people.patient.user
    user.set_unusable_password()
    user.save()
    actions.invite(user=user, clinic=people.clinic, by=people.clerk, now=timezone.now())
    [mail] = smtp_server.to(user.email)
    link = next(word for word in mail.text.split() if "/invitation/" in word)
    # When a program has opened the link before them, they can still use it.
    phone.goto(link)
    phone.goto(link)
    axe(phone)
    # When they slip, they are told, and what they typed is kept.
    fill_day(phone, "18", "May", "1990")
    phone.get_by_role("button", name="Go on").tap()
    phone.get_by_role("alert").get_by_text("You can try 4 more times.").wait_for()
    assert phone.get_by_label("Day", exact=True).input_value() == "18"
    axe(phone)
    fill_day(phone, "17", "May", "1990")
    phone.get_by_role("button", name="Go on").tap()
    phone.get_by_label("A password that I choose").check()
    axe(phone)
    phone.locator("input[type=password]").fill(OWN_PASSWORD)
    phone.get_by_role("button", name="Save and sign in").tap()
    phone.wait_for_url("**/today/")
    axe(phone)
    # When they answer the check-in with a leaking wound, they are told at once whom to call.
    phone.goto("/check-in/")
    answer_with_a_leaking_wound(phone)
    phone.get_by_role("button", name="Send my answers").tap()
    phone.get_by_text("not watched round the clock").first.wait_for()
    assert "020 7946 0001" in phone.locator("main").inner_text()
    axe(phone)
    assert Alert.objects.get().state == "new"


def test_access_that_ends_while_a_carer_reads(clinic_of_today, new_page, axe):
    # Given a carer who reads the patient's day on a phone.
    people = clinic_of_today
    page = new_page(**PHONE)
    sign_in(page, people.carer.email)
    page.goto("/today/")
    page.get_by_role("heading", name="Today for Patricia").wait_for()
    # When the clinic ends the access,
    link = RelatedPerson.objects.get(user=people.carer)
    end_carer(link=link, by=people.clerk, now=timezone.now())
    # Then the next press of a button shows nothing of the record, and says what to do.
    for path in ("/today/", "/plan/", "/appointments/", "/messages/", "/who-can-see/"):
        page.goto(path)
        text = page.locator("body").inner_text()
        assert "Patricia" not in text
        assert "O'Neill" not in text
        axe(page)


def test_stopping_mail_and_thinking_better_of_it(clinic_of_today, phone, axe):
    # Given the link at the end of a mail, opened on a phone where nobody is signed in.
    user = clinic_of_today.patient.user
    phone.goto(unsubscribe.link(user.pk, "preparation"))
    assert not Preference.objects.exists()
    axe(phone)
    # When the reader stops these mails, and thinks better of it,
    phone.get_by_role("button", name="Yes, stop these mails").tap()
    phone.get_by_role("heading", name="These mails have stopped").wait_for()
    assert Preference.objects.get().is_on is False
    axe(phone)
    phone.get_by_role("button", name="Undo: send them again").tap()
    phone.get_by_role("heading", name="These mails come again").wait_for()
    assert Preference.objects.get().is_on is True
    # Or pauses all of them instead, and takes that back too.
    phone.goto(unsubscribe.link(user.pk, "preparation") + "more/")
    axe(phone)
    today = timezone.now().date()
    last = phone.locator("[name=ends_on_day], [name=ends_on_month], [name=ends_on_year]")
    last.nth(0).fill(str(today.day))
    last.nth(1).select_option(str(today.month))
    last.nth(2).fill(str(today.year))
    phone.get_by_role("button", name="Pause my mails").tap()
    phone.get_by_text("Your settings are saved.").wait_for()
    assert User.objects.get(pk=user.pk).is_paused(today)
    axe(phone)
    phone.get_by_role("button", name="Undo the change").tap()
    phone.get_by_role("button", name="Undo the change").wait_for(state="detached")
    assert not User.objects.get(pk=user.pk).is_paused(today)


def test_somebody_is_called_away_from_a_form(clinic_of_today, new_page, axe):
    # Given a patient who writes on a desk's computer, and whose clock we can wind on.
    people = clinic_of_today
    load_catalogue()
    discharged(people)
    page = new_page(**DESKTOP)
    sign_in(page, people.patient.user.email)
    page.clock.install()
    page.goto("/check-in/")
    page.get_by_label("Anything else?").fill("I was going to say")
    page.wait_for_function(f"{DRAFTS}.length > 0")
    # Then what the tab keeps cannot be read there.
    kept = page.evaluate("JSON.stringify(sessionStorage)")
    assert "going to say" not in kept
    # When nothing happens for a long while, they are asked; and asked again after staying.
    page.clock.fast_forward(29 * 60 * 1000)
    page.get_by_role("dialog").wait_for()
    axe(page)
    page.get_by_role("button", name="Stay signed in").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    page.clock.fast_forward(31 * 60 * 1000)
    # Then the page signs them out, and brings them back to what they wrote.
    page.wait_for_url("**/accounts/login/**")
    page.get_by_text("you were signed out").wait_for()
    page.get_by_label("Email").fill(people.patient.user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/check-in/")
    page.get_by_text("We kept what you typed").wait_for()
    assert page.get_by_label("Anything else?").input_value() == "I was going to say"
    axe(page)
    # When they throw it away, it is gone.
    page.get_by_role("button", name="Throw it away").click()
    assert page.get_by_label("Anything else?").input_value() == ""
    assert page.evaluate(DRAFTS) == []


def test_a_phone_without_a_network(clinic_of_today, new_page, axe):
    # Given a patient whose phone has shown today's list.
    people = clinic_of_today
    page = new_page(**PHONE)
    sign_in(page, people.patient.user.email)
    page.wait_for_url("**/today/")
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("navigator.serviceWorker.controller")
    page.goto("/today/")
    page.wait_for_function(
        "caches.open('stepwise-seen').then((cache) => cache.match('/today/')).then(Boolean)"
    )
    # When the network is gone,
    page.context.set_offline(True)
    page.goto("/plan/")
    # Then they see whom to call, and the list as it was.
    page.get_by_role("heading", name="There is no network just now").wait_for()
    page.get_by_text("Last seen").wait_for()
    text = page.locator("main").inner_text()
    assert "What to do today" in text
    assert "020 7946 0001" in text
    axe(page)
    # When they are back and sign out, nothing stays behind.
    page.context.set_offline(False)
    page.goto("/today/")
    page.locator("header summary").last.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "today" not in url)
    assert page.evaluate("caches.has('stepwise-seen')") is False
