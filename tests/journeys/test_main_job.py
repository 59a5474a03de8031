"""The main job, from booking to inbox: a clerk and a patient in browsers, a real worker, a real mail server.

Time passes by the demo's clock, which the test, the site and the worker share.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.utils import timezone

from patients.models import Episode, Patient
from portal import clock
from portal.models import Clinic
from procedures.demo import settle_demo_clinic
from procedures.models import PathwayVersion
from reminders import actions, tasks
from reminders.models import Message, Reminder
from tests.browser import sign_in
from tests.factories import PASSWORD, make_clinic, make_location, make_patient, make_staff
from tests.processes import wait_until

LONDON = ZoneInfo("Europe/London")
SMOKER = "nia@example.com"
OWN_PASSWORD = "amber kettle lighthouse 88"


@dataclass
class Story:
    """What the steps of the journey hand on to each other."""

    clinic: Clinic
    today: date
    surgery_on: date

    @property
    def smoker(self) -> Patient:
        """The patient whom the clerk adds."""
        return Patient.objects.get(user__email=SMOKER)

    @property
    def episode(self) -> Episode:
        """The smoker's episode."""
        return self.smoker.episodes.get()


@pytest.fixture
def story(settings, smtp_server, site, transactional_db) -> Story:
    """A clinic with approved pathways, a clerk and a manager, at ten in the morning."""
    settings.STEPWISE_DEMO = True
    settings.STAFF_SECOND_FACTOR = False
    tomorrow = timezone.now().astimezone(LONDON).date() + timedelta(days=1)
    clock.set_demo_offset(datetime.combine(tomorrow, time(10), LONDON) - timezone.now())
    clinic = make_clinic(is_demo=True)
    make_location(clinic)
    manager = make_staff(clinic, "manager", email="manager@example.com")
    make_staff(clinic, "clerk", email="clerk@example.com")
    call_command("load_catalogue", verbosity=0)
    settle_demo_clinic(clinic=clinic, by=manager, now=clock.now())
    yield Story(clinic, tomorrow, tomorrow + timedelta(weeks=8))
    clock.set_demo_offset(timedelta())


@pytest.fixture
def pass_time(story, start_worker) -> Callable[[timedelta], None]:
    """`pass_time(span)` moves the clock from one due moment to the next; the worker does the sending."""
    start_worker(env={"STEPWISE_DEMO": "true", "LOG_LEVEL": "INFO"})

    def go(span: timedelta) -> None:
        end = clock.now() + span
        while (moment := next_due(end)) is not None:
            clock.set_demo_offset(max(moment, clock.now()) - timezone.now())
            tasks.dispatch.delay()
            wait_until(lambda: next_due(clock.now()) is None, 60, f"what is due at {moment}")
        clock.set_demo_offset(end - timezone.now())

    return go


def next_due(end: datetime) -> datetime | None:
    """The moment of the next reminder that has not gone, before `end`."""
    waiting = Reminder.objects.filter(state__in=("planned", "retrying", "claimed"))
    rows = waiting.filter(due_at__lte=end).order_by("due_at")
    return rows.values_list("due_at", flat=True).first()


def change_to(page, email: str, password: str) -> None:
    page.context.clear_cookies()
    sign_in(page, email, password)


def add_the_smoker(page) -> None:
    page.get_by_role("link", name="Add a patient").click()
    for label, value in {
        "Record number": "N1", "Given name": "Nia", "Family name": "Rowanside",
        "Date of birth": "1990-03-04", "Email address": SMOKER,
    }.items():  # fmt: skip
        page.get_by_label(label).fill(value)
    page.get_by_label("Smokes or uses nicotine").check()
    page.get_by_label("Drives").check()
    page.get_by_role("button", name="Add the patient").click()


def fill_in_the_booking(page, surgery_on: date) -> None:
    page.get_by_role("link", name="Book an operation").first.click()
    pathway = page.locator("option", has_text="Periacetabular").first.get_attribute("value")
    page.get_by_label("Operation and pathway").select_option(pathway)
    page.get_by_label("left", exact=True).check()
    page.get_by_label("Day of surgery").fill(surgery_on.isoformat())
    page.get_by_role("button", name="Show the plan").click()


def in_plan(day: date, at: str, title: str) -> str:
    return f"{day:%a} {day.day} {day:%b}, {at} {title}"


def book_the_non_smoker(story: Story) -> Patient:
    patient = make_patient(story.clinic, email="noah@example.com", uses_nicotine=False)
    version = PathwayVersion.objects.approved().get(pathway__key="pao-adult", clinic=story.clinic)
    actions.book(
        patient=patient,
        version=version,
        side="right",
        surgery_on=story.surgery_on,
        by=None,
        now=clock.now(),
    )
    return patient


def categories_sent_to(patient: Patient) -> set[str]:
    rows = Reminder.objects.filter(episode__patient=patient, state="sent")
    return set(rows.values_list("category", flat=True))


def accept_the_invitation(phone, smtp_server) -> None:
    [invitation] = smtp_server.to(SMOKER)
    link = next(word for word in invitation.text.split() if "/invitation/" in word)
    phone.goto(link)
    phone.get_by_label("Day").fill("4")
    phone.get_by_label("Month").select_option("March")
    phone.get_by_label("Year").fill("1990")
    phone.get_by_role("button", name="Go on").click()
    phone.get_by_label("A password that I choose").check()
    phone.locator("input[type=password]").fill(OWN_PASSWORD)
    phone.locator("main form button[type=submit]").click()
    phone.wait_for_url("**/today/")


def preview_the_move(page, story: Story, new_day: date) -> None:
    page.goto(f"/admin/patient/{story.smoker.pk}/")
    page.get_by_role("link", name="Move surgery").first.click()
    page.get_by_label("Day", exact=True).fill(new_day.isoformat())
    page.get_by_role("button", name="Show what changes").click()


def assert_each_went_once_at_its_local_time(patient: Patient, smtp_server) -> None:
    assert patient.user
    sent = Reminder.objects.filter(episode__patient=patient, state="sent", kind="step")
    for day, at, sent_at in sent.values_list("local_date", "local_time", "message__sent_at"):
        assert sent_at
        late = sent_at - datetime.combine(day, at, LONDON)
        assert timedelta(0) <= late < timedelta(minutes=5), (day, at, late)
    keys = Counter(sent.values_list("step_key", "occurrence", "correction"))
    assert set(keys.values()) == {1}
    on_the_wire = Counter(mail.message["Message-ID"] for mail in smtp_server.to(patient.user.email))
    stored = Message.objects.filter(recipient=patient.user, state="sent")
    assert (
        dict.fromkeys(stored.values_list("message_id", flat=True), 1).items() <= on_the_wire.items()
    )
    assert set(on_the_wire.values()) == {1}


def test_from_booking_to_inbox_and_through_a_move_of_surgery(
    story, pass_time, smtp_server, page, phone, axe
):
    # Given a clerk who books a smoker eight weeks ahead.
    change_to(page, "clerk@example.com", PASSWORD)
    add_the_smoker(page)
    fill_in_the_booking(page, story.surgery_on)

    # Then the plan is on the page before anything is stored, on the right dates.
    plan = " ".join(page.locator("body").inner_text().split())
    for before, at, title in (
        (timedelta(weeks=6), "09:00", "Today is the day to stop smoking"),
        (timedelta(weeks=5), "09:00", "Your weekly smoke-free check"),
        (timedelta(days=5), "16:00", "Pack your bag"),
        (timedelta(days=1), "15:00", "All set for tomorrow?"),
        (timedelta(days=-1), "09:00", "Getting up with your physiotherapist"),
        (timedelta(weeks=-6), "09:30", "Your first X-ray is due"),
    ):
        assert in_plan(story.surgery_on - before, at, title) in plan
    assert Reminder.objects.count() == 0
    axe(page)
    page.get_by_role("button", name="Book it").click()
    page.wait_for_url("**/admin/patient/**")
    planned = Reminder.objects.filter(episode=story.episode, state="planned").count()
    assert planned > 30

    # When the patient opens the invitation on a phone and chooses a password,
    other = book_the_non_smoker(story)
    accept_the_invitation(phone, smtp_server)

    # Then they see the same plan.
    phone.goto("/plan/")
    assert "Today is the day to stop smoking" in phone.inner_text("main")
    window = story.surgery_on + timedelta(weeks=6)
    assert f"Between {window:%a} {window.day} {window:%b %Y}" in phone.inner_text("main")
    axe(phone)

    # When three weeks pass, the right mails are in the inbox, and none on smoking for the other.
    pass_time(timedelta(weeks=3, hours=2))
    assert "smoking_cessation" in categories_sent_to(story.smoker)
    assert "smoking_cessation" not in categories_sent_to(other)
    assert "preparation" in categories_sent_to(other)
    assert_each_went_once_at_its_local_time(story.smoker, smtp_server)
    subjects = [mail.subject for mail in smtp_server.to(SMOKER)]
    assert not any(
        "osteotomy" in subject.lower() or "smok" in subject.lower() for subject in subjects
    )

    # When surgery moves by two weeks, the clerk sees what moves, and only then it does.
    before = dict(
        Reminder.objects.filter(episode=story.episode, state="sent").values_list("id", "due_at")
    )
    new_day = story.surgery_on + timedelta(weeks=2)
    change_to(page, "clerk@example.com", PASSWORD)
    preview_the_move(page, story, new_day)
    assert story.episode.surgery_on == story.surgery_on
    axe(page)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/admin/patient/**")
    assert story.episode.surgery_on == new_day

    # Then what was sent stays, nothing is repeated, and one mail tells of the move.
    pass_time(new_day - clock.now().astimezone(LONDON).date() + timedelta(days=2))
    after = dict(Reminder.objects.filter(id__in=before).values_list("id", "due_at"))
    assert after == before
    assert_each_went_once_at_its_local_time(story.smoker, smtp_server)
    moved = [mail for mail in smtp_server.to(SMOKER) if "date has changed" in mail.subject.lower()]
    assert len(moved) == 1
    eve = Reminder.objects.get(episode=story.episode, step_key="day-before", state="sent")
    assert eve.local_date == new_day - timedelta(days=1)

    # And the patient finds every mail in their login, as it was sent, the older ones a page further.
    change_to(phone, SMOKER, OWN_PASSWORD)
    phone.goto("/messages/")
    axe(phone)
    phone.get_by_role("link", name="Older").click()
    phone.wait_for_url("**/messages/?page=2")
    assert "Your date has changed" in phone.inner_text("main")
    axe(phone)
