"""A patient's visits, the calendar file, and the choice of whose pages a carer sees."""

import re
from datetime import date, time, timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from patients.actions import confirm_appointment
from patients.models import Appointment, MoveRequest, RelatedPerson
from portal import audit
from portal.models import AuditEvent
from tests.factories import NOW, make_appointment, make_carer, make_patient
from tests.patients.wishes import wished

APPOINTMENTS = "/appointments/"


@pytest.fixture
def visit(people) -> Appointment:
    """The patient's X-ray, booked."""
    return make_appointment(people.episode, location=people.location, note="Bring your crutches")


class TestAppointments:
    def test_it_shows_when_where_and_what_to_bring(self, people, visit, sign_in):
        text = sign_in(people.patient.user).get(APPOINTMENTS).text
        for part in ("Wednesday 10 June 2026, 14:30", "X-ray department", "Bring your crutches"):
            assert part in text

    def test_without_a_visit_it_says_what_will_come(self, people, sign_in):
        assert "No visit is booked" in sign_in(people.other_patient.user).get(APPOINTMENTS).text

    def test_a_cancelled_visit_says_so(self, people, visit, sign_in):
        visit.status = Appointment.Status.CANCELLED
        visit.save()
        text = sign_in(people.patient.user).get(APPOINTMENTS).text
        assert "This visit was cancelled" in text
        assert "calendar.ics" not in text

    def test_a_reader_elsewhere_learns_whose_clock_it_is(self, people, sign_in):
        make_appointment(people.child_episode)
        assert "(Europe/London)" in sign_in(people.father).get(APPOINTMENTS).text
        assert "(Europe/London)" not in sign_in(people.mother).get(APPOINTMENTS).text

    def test_nobody_sees_anothers(self, people, visit, sign_in):
        for who in (people.other_patient.user, people.nobody, people.mother, people.former_carer):
            text = sign_in(who).get(APPOINTMENTS).text
            assert "Bring your crutches" not in text
            assert people.patient.family_name not in text

    def test_a_stranger_signs_in_first(self, client, db):
        assert (
            client.get(APPOINTMENTS).headers["Location"] == f"/accounts/login/?next={APPOINTMENTS}"
        )

    @pytest.mark.parametrize("rows", [1, 6])
    def test_it_costs_the_same_for_one_and_for_six(
        self, people, sign_in, rows, django_assert_num_queries
    ):
        for number in range(rows):
            make_appointment(people.episode, on=date(2026, 6, 1 + number), location=people.location)
        browser = sign_in(people.patient.user)
        browser.get(APPOINTMENTS)
        with django_assert_num_queries(10):
            assert browser.get(APPOINTMENTS).status_code == 200


class TestLaterVisits:
    """The next three visits are shown whole; those after them are a line each."""

    @pytest.fixture
    def visits(self, people) -> list[Appointment]:
        """Five visits on the first days of five months."""
        days = [date(2026, month, 1) for month in range(6, 11)]
        return [
            make_appointment(people.episode, on=day, location=people.location, note=f"Bag {day}")
            for day in days
        ]

    def line(self, people, sign_in, visit) -> str:
        """What the line of a visit says."""
        text = sign_in(people.patient.user).get(APPOINTMENTS).text
        path = reverse("patients:appointment", args=[visit.pk])
        (words,) = re.findall(rf'class="sw-list-link" href="{path}">(.*?)</a>', text, re.DOTALL)
        return " ".join(strip_tags(words).split())

    def test_the_first_three_are_whole(self, people, visits, sign_in):
        text = sign_in(people.patient.user).get(APPOINTMENTS).text
        found = [visit.note in text for visit in visits]
        assert found == [True, True, True, False, False]

    def test_the_others_are_a_line_under_their_month(self, people, visits, sign_in):
        text = sign_in(people.patient.user).get(APPOINTMENTS).text
        assert re.findall(r'<h3 class="sw-list-head">(.*?)</h3>', text) == [
            "September 2026",
            "October 2026",
        ]
        assert self.line(people, sign_in, visits[3]) == (
            "Tuesday 1 September, 14:30 X-ray · X-ray department"
        )

    def test_a_line_says_that_somebody_comes(self, people, visits, sign_in):
        confirm_appointment(
            appointment=visits[3], seen_at=visits[3].starts_at, by=people.patient.user, now=NOW
        )
        assert self.line(people, sign_in, visits[3]).endswith("Confirmed")
        assert self.line(people, sign_in, visits[4]).endswith("X-ray department")

    def test_a_line_says_that_a_visit_is_off(self, people, visits, sign_in):
        Appointment.objects.filter(pk=visits[4].pk).update(status="cancelled")
        assert self.line(people, sign_in, visits[4]).endswith("Cancelled")

    def test_a_line_says_that_another_time_was_asked_for(self, people, visits, sign_in):
        wished(people, visits[3])
        assert self.line(people, sign_in, visits[3]).endswith("You asked for another time")

    def test_a_line_says_that_the_clinic_has_answered(self, people, visits, sign_in):
        wish = wished(people, visits[3])
        MoveRequest.objects.filter(pk=wish.pk).update(status="kept", answered_at=NOW)
        assert self.line(people, sign_in, visits[3]).endswith("The clinic has answered you")

    def test_where_it_leads_everything_can_be_done(self, people, visits, sign_in):
        text = (
            sign_in(people.patient.user)
            .get(reverse("patients:appointment", args=[visits[3].pk]))
            .text
        )
        for part in (visits[3].note, "I am coming", "Add to my calendar", "Ask for another time"):
            assert part in text

    def test_three_visits_need_no_list(self, people, visits, sign_in):
        Appointment.objects.filter(pk__in=[visits[3].pk, visits[4].pk]).delete()
        assert "Later visits" not in sign_in(people.patient.user).get(APPOINTMENTS).text

    def test_they_speak_the_readers_language(self, people, visits, sign_in):
        people.patient.user.language = "es"
        people.patient.user.save()
        assert self.line(people, sign_in, visits[3]).startswith("martes, 1 de septiembre, 14:30")


class TestCalendarFile:
    def path(self, visit: Appointment) -> str:
        return reverse("patients:appointment_calendar", args=[visit.pk])

    def test_it_is_a_calendar_file_that_names_no_operation(self, people, visit, sign_in):
        answer = sign_in(people.patient.user).get(self.path(visit))
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert f"UID:{visit.uid}" in answer.text
        assert people.episode.procedure.name not in answer.text
        assert AuditEvent.objects.first().verb == "appointment.calendar"

    def test_anothers_is_like_a_missing_one(self, people, visit, sign_in):
        for who in (people.other_patient.user, people.former_carer, people.nobody, people.clerk):
            browser = sign_in(who)
            missing = browser.get(reverse("patients:appointment_calendar", args=[uuid4()]))
            answer = browser.get(self.path(visit))
            assert (answer.status_code, answer.text) == (404, missing.text)


class TestSwitchPatient:
    def switch(self, browser, patient, **fields):
        return browser.post("/patient/", {"patient": patient.pk, **fields})

    def test_a_mother_goes_from_one_child_to_the_other(self, people, sign_in):
        browser = sign_in(people.mother)
        assert "Today for Kim" in browser.get("/today/").text
        answer = self.switch(browser, people.sibling, next="/messages/")
        assert answer.headers["Location"] == "/messages/"
        assert "Today for Sasha" in browser.get("/today/").text

    def test_anothers_child_is_like_a_missing_one(self, people, sign_in):
        browser = sign_in(people.father)
        missing = browser.post("/patient/", {"patient": uuid4()})
        for patient in (people.sibling, people.patient):
            answer = self.switch(browser, patient)
            assert (answer.status_code, answer.text) == (404, missing.text)
        assert "Today for Kim" in browser.get("/today/").text

    def test_what_is_no_key_at_all_is_missing_too(self, people, sign_in):
        assert sign_in(people.mother).post("/patient/", {"patient": "x'"}).status_code == 404

    @pytest.mark.parametrize(
        "path", ["https://evil.example/", "//evil.example/", "javascript:1", ""]
    )
    def test_nobody_is_sent_elsewhere(self, people, sign_in, path):
        answer = self.switch(sign_in(people.mother), people.sibling, next=path)
        assert answer.headers["Location"] == "/"

    def test_a_get_changes_nothing(self, people, sign_in):
        browser = sign_in(people.mother)
        assert browser.get("/patient/", {"patient": people.sibling.pk}).headers["Location"] == "/"
        assert "patient" not in browser.session

    def test_when_access_ends_the_choice_is_over_with_the_next_page(self, people, sign_in):
        browser = sign_in(people.mother)
        self.switch(browser, people.sibling)
        assert "Today for Sasha" in browser.get("/today/").text
        links = RelatedPerson.objects.filter(user=people.mother, patient=people.sibling)
        links.update(ended_at=NOW)
        text = browser.get("/today/").text
        assert "Today for Kim" in text
        assert "Sasha" not in text

    def test_the_last_access_ended(self, people, sign_in):
        browser = sign_in(people.carer)
        assert people.patient.given_name in browser.get("/today/").text
        RelatedPerson.objects.filter(user=people.carer).update(ends_on=NOW.date())
        answer = browser.get("/today/")
        assert answer.status_code == 200
        assert "Your access has ended" in answer.text
        assert people.patient.given_name not in answer.text


class TestScope:
    @pytest.fixture
    def driver(self, people):
        """Somebody who may see visits and reminders, and nothing else."""
        link = make_carer(people.patient, scope=RelatedPerson.Scope.APPOINTMENTS)
        return link.user

    def test_visits_and_reminders_and_no_plan(self, people, visit, driver, sign_in):
        browser = sign_in(driver)
        assert "Bring your crutches" in browser.get(APPOINTMENTS).text
        assert browser.get("/plan/").status_code == 404
        today = browser.get("/today/").text
        assert 'href="/plan/"' not in today
        assert "days until surgery" not in today
        assert "days until surgery" in sign_in(people.carer).get("/today/").text


def test_two_parents_see_the_child_and_not_each_other(planned, sign_in):
    for path in ("/today/", "/plan/", "/messages/", APPOINTMENTS, "/settings/reminders/"):
        text = sign_in(planned.mother).get(path).text
        assert planned.father.email not in text
        assert planned.father.name not in text


def test_somebody_who_is_a_patient_and_a_carer_starts_with_themselves(people, sign_in):
    own = make_patient(people.clinic, email="both@example.com", given_name="Bo")
    make_carer(people.child, own.user)
    text = sign_in(own.user).get("/today/").text
    assert "Hello, Bo" in text
    assert people.child.name in text


def test_times_follow_the_clinics_clock(people, sign_in):
    visit = make_appointment(people.episode, on=date(2026, 7, 1), at=time(9, 0))
    assert visit.starts_at.hour == 8
    assert "Wednesday 1 July 2026, 09:00" in sign_in(people.patient.user).get(APPOINTMENTS).text


def test_the_past_is_kept_apart(people, sign_in, stopped_clock):
    make_appointment(people.episode, on=date(2026, 6, 10))
    stopped_clock.move_to(NOW + timedelta(days=200))
    text = sign_in(people.patient.user).get(APPOINTMENTS).text
    assert "No visit is booked" in text
    assert "Past visits" in text


class TestWhoCanSee:
    PATH = "/who-can-see/"

    def test_the_patient_sees_carers_and_staff_by_name(self, people, sign_in):
        audit.record(
            AuditEvent.Action.READ, "patient.read", by=people.nurse, obj=people.patient,
            clinic=people.clinic, patient_id=people.patient.pk,
        )  # fmt: skip
        text = sign_in(people.patient.user).get(self.PATH).text
        assert "Carl Carer" in text
        assert "husband" in text
        assert f"{people.nurse.name}, clinic staff" in text
        assert people.former_carer.name not in text

    def test_a_parent_does_not_learn_who_the_other_one_is(self, people, sign_in):
        sign_in(people.father).get("/today/")
        text = sign_in(people.mother).get(self.PATH).text
        assert people.mother.name in text
        assert text.count("Another parent or carer") == 2
        assert people.father.name not in text
        assert people.father.email not in text

    def test_another_patients_trail_is_not_in_it(self, people, sign_in):
        sign_in(people.other_patient.user).get("/today/")
        text = sign_in(people.patient.user).get(self.PATH).text
        assert people.other_patient.family_name not in text

    def test_who_may_see_visits_alone_does_not_see_it(self, people, sign_in):
        link = make_carer(people.patient, scope=RelatedPerson.Scope.APPOINTMENTS)
        assert sign_in(link.user).get(self.PATH).status_code == 404

    @pytest.mark.parametrize("rows", [1, 3])
    def test_it_costs_the_same_for_one_and_for_three(
        self, people, sign_in, rows, django_assert_num_queries
    ):
        browser = sign_in(people.patient.user)
        for _ in range(rows):
            make_carer(people.patient)
            browser.get("/today/")
        with django_assert_num_queries(8):
            browser.get(self.PATH)
