"""What the audit trail says to the people it is about."""

from datetime import time

import pytest

from patients.actions import book_appointment
from patients.trail import what
from portal.models import AuditEvent
from tests.factories import NOW

IN_WORDS = {
    ("U", "appointment.move"): "moved a visit",
    ("C", "exercise.log"): "ticked off exercises",
    ("R", "plan.read"): "opened the record",
    ("R", "appointment.read"): "opened the record",
    ("R", "emergency.view"): "opened the record in an emergency, from another clinic",
    ("U", "something.new"): "changed something",
}


@pytest.mark.parametrize(("event", "words"), IN_WORDS.items())
def test_each_sort_of_event_has_words(event, words):
    action, verb = event
    assert what(AuditEvent(action=action, verb=verb)) == words


def test_a_patient_reads_what_staff_did_and_who(people, sign_in):
    book_appointment(
        episode=people.episode, kind="clinic", on=people.surgery_on, at=time(10), by=people.clerk, now=NOW
    )  # fmt: skip
    text = sign_in(people.patient.user).get("/who-can-see/").text
    assert "Clerk of Harbour Hip Clinic, clinic staff" in text
    assert "booked a visit" in text
