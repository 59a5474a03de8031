"""Who is refused somebody's record leaves a trace with the clinic that keeps it, and learns nothing."""

from uuid import uuid4

import pytest
from django.urls import reverse

from patients.denials import owners_of
from patients.models import RelatedPerson
from portal.models import AuditEvent
from tests.factories import make_appointment, make_message, make_reminder


def denials() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(verb="access.denied"))


@pytest.fixture
def visit(people):
    return make_appointment(people.episode)


def test_a_strangers_try_is_noted_for_the_patient_whose_row_it_is(people, visit, sign_in):
    path = reverse("patients:appointment", args=[visit.pk])
    assert sign_in(people.other_patient.user).get(path, REMOTE_ADDR="192.0.2.7").status_code == 404
    (event,) = denials()
    assert (event.actor, event.patient_id, event.clinic, event.address) == (
        people.other_patient.user, people.patient.pk, people.clinic, "192.0.2.7",
    )  # fmt: skip
    assert (event.object_type, event.object_id) == ("patients.appointment", str(visit.pk))
    assert event.after == {"page": "patients:appointment", "method": "GET", "key": str(visit.pk)}


def test_a_form_sent_for_somebody_else_is_noted_as_sent(people, visit, sign_in):
    path = reverse("patients:appointment_confirm", args=[visit.pk])
    assert sign_in(people.former_carer).post(path).status_code == 404
    assert [event.after["method"] for event in denials()] == ["POST"]


def test_a_mail_about_two_children_is_noted_for_both(people, sign_in):
    steps = people.child_version.steps
    rows = [
        make_reminder(people.child_episode, steps.get(key="pack-toys"), recipient=people.mother),
        make_reminder(people.sibling_episode, steps.get(key="pack-toys"), recipient=people.mother),
    ]
    mail = make_message(people.mother, people.clinic, rows)
    sign_in(people.father).get(reverse("reminders:message", args=[mail.pk]))
    assert {event.patient_id for event in denials()} == {people.child.pk, people.sibling.pk}


def test_staff_of_another_clinic_are_noted_with_the_clinic_that_keeps_the_record(people, sign_in):
    path = reverse("admin:patients_patient_change", args=[people.far_patient.pk])
    assert sign_in(people.clerk).get(path).status_code == 404
    assert [(row.patient_id, row.clinic) for row in denials()] == [
        (people.far_patient.pk, people.other_clinic)
    ]


def test_a_list_or_page_that_a_role_may_not_open_is_noted_where_the_person_works(people, sign_in):
    browser = sign_in(people.clerk)
    for page in ("portal_auditevent_changelist", "emergencies"):
        assert browser.get(reverse(f"admin:{page}")).status_code == 403
    assert (
        browser.post(reverse("admin:patients_patient_changelist"), {"export": "csv"}).status_code
        == 403
    )
    assert [(row.actor, row.clinic, row.patient_id, row.after["page"]) for row in denials()] == [
        (people.clerk, people.clinic, None, f"admin:{page}")
        for page in ("patients_patient_changelist", "emergencies", "portal_auditevent_changelist")
    ]
    assert sign_in(people.manager).get(reverse("admin:emergencies")).status_code == 200
    assert len(denials()) == 3


def test_a_page_beyond_a_carers_scope_is_refused_and_not_read(people, sign_in):
    RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
    assert sign_in(people.carer).get("/plan/").status_code == 404
    assert [row.patient_id for row in denials()] == [people.patient.pk]
    assert not AuditEvent.objects.filter(verb="plan.read").exists()


def test_a_key_that_names_nothing_is_noted_without_a_patient(people, sign_in):
    key = uuid4()
    sign_in(people.patient.user).get(reverse("reminders:why", args=[key]))
    (event,) = denials()
    assert (event.patient_id, event.clinic, event.after["key"]) == (None, None, str(key))


def test_what_is_missing_for_everybody_is_no_attempt(people, sign_in):
    browser = sign_in(people.patient.user)
    assert browser.get("/my-data/download/nonsense/").status_code == 404
    assert browser.get("/nothing-here/").status_code == 404
    assert not denials()


def test_somebody_elses_row_and_none_are_the_same_answer(people, visit, sign_in):
    browser = sign_in(people.other_patient.user)
    bodies = {
        browser.get(reverse("patients:appointment", args=[key])).content
        for key in (visit.pk, uuid4())
    }
    assert len(bodies) == 1


def test_the_patient_is_not_told_who_was_refused(people, visit, sign_in):
    sign_in(people.other_patient.user).get(reverse("patients:appointment", args=[visit.pk]))
    text = sign_in(people.patient.user).get("/who-can-see/").text
    assert people.other_patient.user.name not in text


def test_managers_see_it_in_the_trail_and_on_the_patients_time_line(people, visit, sign_in):
    sign_in(people.other_patient.user).get(reverse("patients:appointment", args=[visit.pk]))
    trail = sign_in(people.manager).get(reverse("admin:portal_auditevent_changelist")).text
    assert "asked for this and was refused" in trail
    line = reverse("admin:patient_timeline", args=[people.patient.pk])
    assert "asked for this and was refused" in sign_in(people.manager).get(line).text


def test_every_table_of_a_patients_rows_is_looked_into(people, visit):
    step = people.adult_version.steps.get(key="insurer")
    rows = [
        people.patient,
        people.episode,
        visit,
        people.ended_link,
        make_reminder(people.episode, step),
    ]
    assert [owners_of(row.pk) for row in rows] == [
        [(row._meta.label_lower, people.patient.pk, people.clinic.pk)] for row in rows
    ]
