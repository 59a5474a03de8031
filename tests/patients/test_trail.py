"""What the audit trail says to the people it is about."""

from datetime import time, timedelta

import pytest
from django.urls import reverse

from patients.actions import book_appointment
from patients.staff_trail import for_staff
from patients.trail import what
from portal import audit
from portal.models import AuditEvent
from tests.factories import NOW

IN_WORDS = {
    ("U", "appointment.move"): "moved a visit",
    ("C", "exercise.log"): "ticked off exercises",
    ("R", "plan.read"): "opened the record",
    ("R", "appointment.read"): "opened the record",
    ("R", "emergency.view"): "opened the record in an emergency, from another clinic",
    ("C", "consent.agree"): "decided about a consent",
    ("U", "imaging_request.release"): "wrote about an X-ray",
    ("U", "hold.lift"): "changed the plan",
    ("U", "patient.mark_deceased"): "recorded a death",
    ("U", "something.new"): "changed something",
}


@pytest.mark.parametrize(("event", "words"), IN_WORDS.items())
def test_each_sort_of_event_has_words(event, words):
    action, verb = event
    assert what(AuditEvent(action=action, verb=verb)) == words


FOR_STAFF = {
    ("R", "alert.view"): "looked at an alert",
    ("R", "patient.view"): "opened the record",
    ("R", "patient.list"): "saw a list",
    ("R", "auditevent.export"): "took the audit trail away as a file",
    ("R", "plan.read"): "read a page of the portal",
    ("U", "appointment.move"): "moved a visit",
    ("E", "import.enter"): "worked on a list that was brought in",
    ("C", "consent.agree"): "decided about a consent",
    ("U", "imaging_request.release"): "let the patient read an X-ray result",
    ("U", "hold.lift"): "let the plan go on",
    ("U", "something.new"): "changed something",
}


@pytest.mark.parametrize(("event", "words"), FOR_STAFF.items())
def test_staff_read_which_page_it_was(event, words):
    action, verb = event
    assert for_staff(AuditEvent(action=action, verb=verb)) == words


def test_a_patients_page_says_what_was_done_and_keeps_names_out_of_addresses(people, sign_in):
    book_appointment(
        episode=people.episode, kind="clinic", on=people.surgery_on, at=time(10), by=people.clerk, now=NOW
    )  # fmt: skip
    browser = sign_in(people.manager)
    text = browser.get(reverse("admin:patient_page", args=[people.patient.pk])).text
    assert "booked a visit" in text
    assert "appointment.book" not in text
    assert f"={people.patient.record_number}" not in text
    trail = reverse("admin:portal_auditevent_changelist")
    answer = browser.post(trail, {"q": people.patient.record_number}, follow=True)
    assert people.patient.record_number not in answer.redirect_chain[-1][0]
    assert "booked a visit" in answer.text


def test_a_patient_reads_what_staff_did_and_who(people, sign_in):
    book_appointment(
        episode=people.episode, kind="clinic", on=people.surgery_on, at=time(10), by=people.clerk, now=NOW
    )  # fmt: skip
    text = sign_in(people.patient.user).get("/who-can-see/").text
    assert "Clerk of Harbour Hip Clinic, clinic staff" in text
    assert "booked a visit" in text


def test_the_same_again_on_one_day_is_one_entry(people, sign_in):
    for _ in range(3):
        note_look(people.nurse, people.patient)
    note_look(people.surgeon, people.patient)
    text = sign_in(people.patient.user).get("/who-can-see/").text
    assert text.count("Nurse of Harbour Hip Clinic, clinic staff") == 1
    assert "opened the record · 3 times" in text
    assert text.count("Surgeon of Harbour Hip Clinic, clinic staff") == 1


def test_ones_own_ticks_do_not_bury_what_others_did(people, sign_in):
    audit.record(
        AuditEvent.Action.CREATE, "exercise.log", by=people.patient.user, obj=people.patient,
        clinic=people.clinic, patient_id=people.patient.pk,
    )  # fmt: skip
    assert "ticked off exercises" not in sign_in(people.patient.user).get("/who-can-see/").text
    assert "ticked off exercises" in sign_in(people.carer).get("/who-can-see/").text


def test_what_was_longer_ago_stands_on_the_next_page(people, sign_in, stopped_clock):
    for _day in range(31):
        note_look(people.nurse, people.patient)
        stopped_clock.shift(timedelta(days=1))
    browser = sign_in(people.patient.user)
    first = browser.get(reverse("patients:who_can_see")).text
    second = browser.get(reverse("patients:who_can_see"), {"page": 2}).text

    assert (first.count("opened the record"), second.count("opened the record")) == (30, 1)
    assert 'href="?page=2"' in first
    assert 'href="?page=1"' in second


def note_look(by, patient) -> None:
    audit.record(
        AuditEvent.Action.READ, "patient.view", by=by, obj=patient, clinic=patient.clinic, patient_id=patient.pk
    )  # fmt: skip
