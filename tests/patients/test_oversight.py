"""A record of another clinic opens in an emergency alone: with a reason, for an hour, seen by manager and patient."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients import worklist
from patients.actions import oversight
from patients.models import EmergencyAccess, Patient, Task
from patients.worklist import seen_by
from portal.models import AuditEvent
from tests.factories import make_patient

REASON = "Unconscious in our emergency room"


@pytest.fixture
def wanted(people):
    """What a nurse of the first clinic knows about the second clinic's patient."""
    patient = people.far_patient
    return {
        "family_name": "FARAWAY", "birth_date": patient.birth_date, "record_number": "", "reason": REASON,
        "from_clinic": people.clinic, "by": people.nurse, "now": people.now,
    }  # fmt: skip


def form(wanted, **changed):
    fields = {
        "from_clinic": wanted["from_clinic"].pk, "family_name": "Faraway",
        "birth_date": wanted["birth_date"].isoformat(), "record_number": "", "reason": REASON,
    }  # fmt: skip
    return fields | changed


def record_url(patient):
    return reverse("admin:emergency_record", args=[patient.pk])


def test_a_nurse_opens_a_record_and_everybody_concerned_learns_of_it(people, wanted, sign_in):
    browser = sign_in(people.nurse)
    assert browser.get(record_url(people.far_patient)).status_code == 404

    answer = browser.post(reverse("admin:emergency"), form(wanted), follow=True)

    assert answer.redirect_chain[-1][0] == record_url(people.far_patient)
    assert "Fern Faraway" in answer.content.decode()
    verbs = AuditEvent.objects.of_patient(people.far_patient.every_id).filter(actor=people.nurse)
    assert set(verbs.values_list("verb", "clinic")) == {
        ("access.denied", people.other_clinic.pk), ("emergency.open", people.other_clinic.pk),
        ("emergency.view", people.other_clinic.pk),
    }  # fmt: skip
    listed = sign_in(people.other_manager).get(reverse("admin:emergencies")).content.decode()
    assert REASON in listed
    assert people.nurse.name in listed
    seen = sign_in(people.far_patient.user).get(reverse("patients:who_can_see")).content.decode()
    assert "opened the record in an emergency" in seen
    assert people.nurse.name in seen


def test_it_opens_that_page_alone_and_for_an_hour(people, wanted, sign_in, stopped_clock):
    oversight.open_in_emergency(**wanted)
    browser = sign_in(people.nurse)
    assert (
        browser.get(reverse("admin:patient_page", args=[people.far_patient.pk])).status_code == 404
    )
    assert not Patient.objects.visible_to(people.nurse).filter(pk=people.far_patient.pk).exists()
    assert sign_in(people.surgeon).get(record_url(people.far_patient)).status_code == 404

    stopped_clock.shift(timedelta(hours=1))

    assert sign_in(people.nurse).get(record_url(people.far_patient)).status_code == 404


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"family_name": "Far"}, "No single patient"),
        ({"birth_date": "1990-05-18"}, "No single patient"),
        ({"record_number": "H-001"}, "No single patient"),
        ({"reason": "curious"}, "in a sentence"),
        ({"family_name": "Secret"}, "No single patient"),
    ],
)
def test_whom_one_means_must_be_exact_and_of_another_clinic(
    people, wanted, sign_in, changed, words
):
    answer = sign_in(people.nurse).post(reverse("admin:emergency"), form(wanted, **changed))
    assert words in answer.content.decode()
    assert EmergencyAccess.objects.count() == 0


def test_twins_are_told_apart_by_the_record_number(people, wanted):
    twin = make_patient(people.other_clinic, email=None, given_name="Finn", family_name="Faraway")
    with pytest.raises(ValidationError):
        oversight.open_in_emergency(**wanted)

    access = oversight.open_in_emergency(**(wanted | {"record_number": twin.record_number}))

    assert access.patient == twin


def test_who_opens_many_is_stopped(people, wanted, monkeypatch):
    monkeypatch.setattr(oversight, "MOST_IN_A_DAY", 2)
    for _ in range(2):
        oversight.open_in_emergency(**wanted)
    with pytest.raises(ValidationError, match="many records"):
        oversight.open_in_emergency(**wanted)
    oversight.open_in_emergency(**(wanted | {"now": people.now + timedelta(days=1, minutes=1)}))


def test_a_manager_of_the_patients_clinic_looks_at_it_once(people, wanted, sign_in):
    access = oversight.open_in_emergency(**wanted)
    address = reverse("admin:emergency_review", args=[access.pk])
    assert sign_in(people.manager).get(address).status_code == 404
    browser = sign_in(people.other_manager)
    assert REASON in browser.get(address).content.decode()

    for note in ("Asked the ward: right.", "again"):
        browser.post(address, {"note": note})

    access.refresh_from_db()
    assert (access.seen_by, access.note) == (people.other_manager, "Asked the ward: right.")
    assert AuditEvent.objects.filter(verb="emergency.review").count() == 1


def test_an_emergency_waits_for_the_managers_of_the_patients_clinic(people, wanted):
    access = oversight.open_in_emergency(**wanted)
    [task] = Task.objects.open().filter(seen_by(people.other_manager))

    told = worklist.KINDS["emergency"].words(task)
    assert told == f"{people.nurse} of Harbour Hip Clinic opened the record on 2 Mar 2026: {REASON}"
    assert (task.patient, task.due_on) == (people.far_patient, date(2026, 3, 5))
    for other in (people.manager, people.nurse, people.other_clerk):
        assert not Task.objects.open().filter(seen_by(other)).exists()

    oversight.review_emergency(
        access=access, by=people.other_manager, now=people.now, note="Right."
    )

    assert not Task.objects.open().exists()


def test_a_clerk_opens_nothing(people, sign_in):
    assert sign_in(people.clerk).get(reverse("admin:emergency")).status_code == 403
