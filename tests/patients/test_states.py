"""Records at their edges: none, two operations, over, called off, died, and access that ended in the middle."""

import pytest
from django.urls import reverse

from patients.actions import end_carer, mark_deceased
from patients.models import Episode, StepResponse
from tests.factories import NOW, make_appointment, make_episode, make_patient, make_reminder
from tests.patients.exercises import prescribed

pytestmark = pytest.mark.django_db
PAGES = (
    "reminders:today", "reminders:plan", "patients:appointments", "reminders:messages",
    "patients:check_in", "patients:check_in_history", "patients:exercises", "patients:smoke_free",
    "patients:xrays", "patients:consents", "patients:calendar_feed", "patients:who_can_see",
    "reminders:my_data", "reminders:reminder_settings",
)  # fmt: skip
OPEN_AFTER_DEATH = {
    "reminders:messages", "patients:who_can_see", "reminders:my_data", "reminders:reminder_settings",
}  # fmt: skip


def text(response):
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("name", PAGES)
def test_a_patient_without_an_operation_reads_what_comes(people, sign_in, name):
    patient = make_patient(people.clinic)
    answer = sign_in(patient.user).get(reverse(name))
    assert answer.status_code == 200
    assert "<h1" in text(answer)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_a_plan_that_is_over_or_called_off_has_every_page(people, sign_in, name, status):
    Episode.objects.filter(pk=people.episode.pk).update(status=status)
    answer = sign_in(people.patient.user).get(reverse(name))
    assert answer.status_code == 200
    if name == "reminders:today":
        said = {"finished": "Your plan is finished", "cancelled": "The operation was called off"}
        assert said[status] in text(answer)


@pytest.mark.parametrize("name", PAGES)
def test_two_operations_share_the_pages(people, sign_in, name):
    second = make_episode(people.patient, people.adult_version)
    make_appointment(second)
    make_appointment(people.episode)
    assert sign_in(people.patient.user).get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_after_a_death_pages_are_quiet(people, sign_in, name):
    make_appointment(people.episode)
    mark_deceased(patient=people.patient, on=NOW.date(), by=people.nurse, now=NOW)
    page = text(sign_in(people.carer).get(reverse(name)))
    assert ("We are sorry for your loss." in page) == (name not in OPEN_AFTER_DEATH)
    for place in ("reminders:today", "patients:check_in", "patients:exercises"):
        assert f'href="{reverse(place)}"' not in page


def test_after_a_death_the_other_child_has_its_pages(people, sign_in):
    mark_deceased(patient=people.child, on=NOW.date(), by=people.nurse, now=NOW)
    browser = sign_in(people.mother)
    browser.post(reverse("patients:switch_patient"), {"patient": people.sibling.pk})
    assert "Today for Sasha" in text(browser.get(reverse("reminders:today")))


@pytest.mark.parametrize("name", PAGES)
def test_an_access_that_ended_in_the_middle_says_so(people, sign_in, name):
    browser = sign_in(people.carer)
    assert browser.get(reverse(name)).status_code == 200
    end_carer(link=people.carer.cares_for.get(), by=people.clerk, now=NOW)
    page = text(browser.get(reverse(name)))
    assert people.patient.family_name not in page
    if name != "reminders:reminder_settings":
        assert "Your access has ended" in page
    for place in ("reminders:plan", "patients:exercises", "patients:who_can_see"):
        assert f'href="{reverse(place)}"' not in page


def test_a_step_answered_after_the_operation_was_called_off_changes_nothing(people, sign_in):
    row = make_reminder(people.episode, people.adult_version.steps.get(key="insurer"))
    browser = sign_in(people.patient.user)
    assert browser.get(reverse("reminders:today")).status_code == 200
    Episode.objects.filter(pk=people.episode.pk).update(status="cancelled")
    url = reverse("reminders:answer", args=[row.pk])
    page = text(browser.post(url, {"answer": "done"}, follow=True))
    assert "This plan was closed meanwhile." in page
    htmx = browser.post(url, {"answer": "done"}, headers={"HX-Request": "true"})
    assert htmx["HX-Redirect"] == reverse("reminders:today")
    assert not StepResponse.objects.exists()


def test_a_round_of_exercises_after_it_was_called_off_says_so(people, sign_in):
    row = prescribed(people)
    Episode.objects.filter(pk=people.episode.pk).update(status="cancelled")
    answer = sign_in(people.patient.user).post(
        reverse("patients:exercise_log", args=[row.pk]), {"round": "1"}, follow=True
    )
    assert "This episode is closed." in text(answer)
