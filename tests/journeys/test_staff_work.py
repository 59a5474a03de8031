"""A day of staff: a step kept when surgery moves, exercises read, the X-ray list worked, a task settled."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.actions import sync_tasks
from patients.models import Appointment, ExerciseLog, ImagingRequest, Prescription, Task
from reminders.models import Reminder
from reminders.reconciler import reconcile
from tests.browser import DESKTOP, sign_in
from tests.factories import make_appointment
from tests.patients.alerts import raise_alert
from tests.patients.exercises import make_exercise, prescribed
from tests.people import make_people

pytestmark = pytest.mark.journey

TABLET = {"viewport": {"width": 820, "height": 1180}}


@pytest.fixture
def clinic_of_today(transactional_db, site):
    """Everybody, today, with their plans."""
    people = make_people(timezone.now())
    for episode in people.episodes:
        reconcile(episode, now=people.now)
    return people


@pytest.mark.parametrize("screen", [DESKTOP, TABLET], ids=["desktop", "tablet"])
def test_a_manager_moves_surgery_and_keeps_one_step_on_its_day(
    clinic_of_today, new_page, axe, screen
):
    # Given a patient with a plan.
    people, page = clinic_of_today, new_page(**screen)
    old = Reminder.objects.get(episode=people.episode, step_key="pack-bag").due_at
    sign_in(page, people.manager.email)
    page.goto(reverse("admin:patient_page", args=[people.patient.pk]))
    axe(page)
    # When the manager moves surgery by a week and keeps one step where it is.
    page.get_by_role("link", name="Move surgery").click()
    page.get_by_label("Day", exact=True).fill(str(people.surgery_on + timedelta(days=7)))
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_label("What happens to it: Pack bag").select_option("Keep it on its old day")
    axe(page)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("The date is entered and the plan follows it.").wait_for()
    # Then that step stays, the others follow, and one message tells of the new day.
    kept = Reminder.objects.get(episode=people.episode, step_key="pack-bag")
    assert (kept.due_at, kept.is_pinned) == (old, True)
    assert Reminder.objects.filter(kind="surgery_moved", episode=people.episode).count() == 1
    axe(page)


def test_a_nurse_sees_a_red_flag_on_today_and_acknowledges_it(clinic_of_today, new_page, axe):
    # Given a red flag.
    people, page = clinic_of_today, new_page(**TABLET)
    alert = raise_alert(people.episode, by=people.carer)
    sync_tasks(now=people.now)
    # When the nurse opens Today and acknowledges it.
    sign_in(page, people.nurse.email)
    page.goto("/admin/")
    card = page.get_by_role("region", name=re.compile("Alerts to acknowledge"))
    axe(page)
    card.get_by_role("link", name="Patricia O'Neill").click()
    page.get_by_role("button", name="Acknowledge: I am on it").click()
    page.get_by_text("You have acknowledged the alert.").wait_for()
    # Then nothing waits any more.
    page.goto("/admin/")
    page.get_by_text("No alert waits for anybody.").wait_for()
    assert Task.objects.get(subject=str(alert.pk)).status == "cancelled"
    axe(page)


def test_a_physiotherapist_prescribes_and_reads_how_it_goes(clinic_of_today, new_page, axe):
    # Given a patient who did an exercise that hurt.
    people, page = clinic_of_today, new_page(**DESKTOP)
    bridge = make_exercise("bridge")
    row = prescribed(people)
    ExerciseLog.objects.create(
        prescription=row, on=people.now.date(), round=1, pain_after=8, by=people.carer, logged_at=people.now
    )  # fmt: skip
    # When the physiotherapist looks at everybody, and prescribes another one.
    sign_in(page, people.physiotherapist.email)
    page.goto(reverse("admin:caseload"))
    page.get_by_text("8 / 10").wait_for()
    axe(page)
    page.get_by_role("link", name="Patricia O'Neill").click()
    page.goto(reverse("admin:episode_prescribe", args=[people.episode.pk]))
    page.get_by_label("Exercise").select_option(str(bridge.pk))
    for field, value in (("Sets", "2"), ("Repetitions", "10"), ("Times a day", "1")):
        page.get_by_label(field).fill(value)
    axe(page)
    page.get_by_role("button", name="Prescribe").click()
    page.get_by_text("The exercise is prescribed.").wait_for()
    # Then it stands in the patient's programme.
    assert Prescription.objects.filter(episode=people.episode, exercise__key="bridge").exists()
    axe(page)


def test_a_radiographer_works_the_list_from_booking_to_release(clinic_of_today, new_page, axe):
    # Given two X-rays that are due, and one that was taken.
    people, page = clinic_of_today, new_page(**TABLET)
    today = people.now.date()
    wanted = ImagingRequest.objects.filter(episode__in=[people.episode, people.other_episode])
    wanted.update(window_from=today, window_until=today.replace(year=today.year + 1))
    taken = people.child_episode.imaging_requests.get()
    visit = make_appointment(people.child_episode, on=today, status="fulfilled")
    ImagingRequest.objects.filter(pk=taken.pk).update(status="completed", appointment=visit)
    # When the radiographer books a day's list.
    sign_in(page, people.radiographer.email)
    page.goto(reverse("admin:xrays"))
    axe(page)
    page.get_by_role("link", name="Book a day's list").click()
    page.get_by_label("Time of the first").fill("09:00")
    for box in page.get_by_role("checkbox").all():
        box.check()
    axe(page)
    page.get_by_role("button", name="Show the times").click()
    page.get_by_text("Nothing is booked yet.").wait_for()
    assert not Appointment.objects.filter(kind="xray", status="booked").exists()
    axe(page)
    page.get_by_role("button", name="Book them").click()
    page.get_by_text("2 X-rays are booked.").wait_for()
    # And writes what the other one shows, and lets the family read it.
    page.get_by_role("link", name=re.compile("Write the result.*Kim")).click()
    page.get_by_label("Result").fill("The bone has healed.")
    page.get_by_label("Let the patient read it now").check()
    page.get_by_role("button", name="Save the result").click()
    page.get_by_text("the patient can read it").wait_for()
    axe(page)
    # Then both stand at their times, and the result is released.
    booked = Appointment.objects.filter(kind="xray", status="booked").order_by("starts_at")
    assert [f"{row.local_time:%H:%M}" for row in booked] == ["09:00", "09:15"]
    assert ImagingRequest.objects.get(pk=taken.pk).released_at is not None


def test_somebody_claims_a_task_and_settles_it(clinic_of_today, new_page, axe):
    # Given an X-ray that nobody booked in time.
    people, page = clinic_of_today, new_page(**TABLET)
    ImagingRequest.objects.filter(episode=people.episode).update(
        window_from=people.now.date(), window_until=people.now.date()
    )
    sync_tasks(now=people.now, kinds=["xray_to_book"])
    # When the clerk claims it and says what was done.
    sign_in(page, people.clerk.email)
    page.goto(f"{reverse('admin:worklist')}?kind=xray_to_book")
    page.get_by_role("button", name=re.compile("Claim.*Patricia")).click()
    page.get_by_text("It is yours now.").wait_for()
    axe(page)
    page.get_by_role("link", name=re.compile("Resolve.*Patricia")).click()
    page.get_by_label("What was done").fill("Booked at the other hospital.")
    axe(page)
    page.get_by_role("button", name="Resolve", exact=True).click()
    # Then the list is empty.
    page.get_by_text("No X-ray waits for a booking.").wait_for()
    axe(page)
