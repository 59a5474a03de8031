"""What readers do about a visit: confirm it, ask for another time; what staff answer; and the private calendar."""

from datetime import date, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from icalendar import Calendar

from patients import actions
from patients.models import Appointment, CalendarFeed, MoveRequest, RelatedPerson
from portal.models import AuditEvent, Role
from portal.once import new_ticket
from reminders.models import Message, Reminder
from reminders.pipeline import dispatch
from tests.factories import NOW, make_appointment
from tests.patients.wishes import wished

pytestmark = pytest.mark.django_db
LIST = reverse("patients:appointments")
FEED = reverse("patients:calendar_feed")
PAYLOAD = "<script>alert('x')</script>\"'{{7*7}}"
MAY_MOVE = {"manager", "nurse", "physiotherapist", "radiographer", "clerk"}


@pytest.fixture
def visit(people):
    return make_appointment(people.episode, location=people.location, note="Bring your crutches")


@pytest.fixture
def patient(people, sign_in):
    return sign_in(people.patient.user)


def text(response):
    return " ".join(response.content.decode().split())


def url(name, row):
    return reverse(f"patients:{name}", args=[row.pk])


def seen(visit):
    return {"seen": visit.starts_at.isoformat()}


class TestConfirm:
    def test_one_tap_confirms_once(self, patient, people, visit):
        assert "I am coming" in text(patient.get(LIST))
        for _press in range(2):
            page = text(patient.post(url("appointment_confirm", visit), seen(visit), follow=True))
        assert "Confirmed: you are coming" in page
        visit.refresh_from_db()
        assert (visit.confirmed_at, visit.confirmed_by) == (NOW, people.patient.user)
        assert AuditEvent.objects.filter(verb="appointment.confirm").count() == 1

    def test_a_time_that_moved_meanwhile_is_not_confirmed(self, patient, people, visit):
        old = seen(visit)
        actions.move_appointment(
            appointment=visit, on=date(2026, 6, 11), at=time(9), by=people.clerk, now=NOW
        )
        page = text(patient.post(url("appointment_confirm", visit), old, follow=True))
        assert "The time of this visit has changed." in page
        assert "Thursday 11 June 2026, 09:00" in page
        visit.refresh_from_db()
        assert visit.confirmed_at is None

    def test_a_visit_cancelled_while_the_page_was_open(self, patient, people, visit):
        actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)
        page = text(patient.post(url("appointment_confirm", visit), seen(visit), follow=True))
        assert "This visit was cancelled meanwhile." in page
        assert "I am coming" not in page

    def test_nonsense_confirms_nothing(self, patient, visit):
        for data in ({}, {"seen": "x"}, {"seen": "2026-99-99T00:00:00Z"}):
            assert patient.post(url("appointment_confirm", visit), data).status_code == 302
        visit.refresh_from_db()
        assert visit.confirmed_at is None

    def test_a_move_asks_for_a_new_confirmation(self, people, visit):
        actions.confirm_appointment(
            appointment=visit, seen_at=visit.starts_at, by=people.patient.user, now=NOW
        )
        visit.refresh_from_db()
        actions.move_appointment(
            appointment=visit, on=date(2026, 6, 11), at=time(9), by=people.clerk, now=NOW
        )
        visit.refresh_from_db()
        assert (visit.confirmed_at, visit.confirmed_by) == (None, None)


class TestAskToMove:
    def test_the_visit_stands_and_staff_see_the_wish(self, patient, people, visit, sign_in):
        data = {"reason": f"I work {PAYLOAD}", "wishes": "Tuesdays"}
        page = text(patient.post(url("appointment_ask_move", visit), data, follow=True))
        assert "You asked for another time." in page
        assert "<script>alert" not in page
        visit.refresh_from_db()
        assert visit.status == "booked"
        desk = sign_in(people.clerk)
        first = text(desk.get(reverse("admin:index")))
        assert "Visits to move" in first
        assert "&lt;script&gt;" in first
        record = text(desk.get(reverse("admin:patient_page", args=[people.patient.pk])))
        assert "asks for another time" in record

    def test_asked_twice_it_is_one_request(self, patient, visit):
        data = {"reason": "I work"}
        for _press in range(2):
            patient.post(url("appointment_ask_move", visit), data)
        assert MoveRequest.objects.count() == 1
        assert AuditEvent.objects.filter(verb="move_request.ask").count() == 1

    def test_the_database_holds_one_open_request_a_visit(self, people, visit):
        first = wished(people, visit)
        with pytest.raises(IntegrityError), transaction.atomic():
            MoveRequest.objects.create(
                appointment=visit, reason="x", by=first.by, asked_from=visit.starts_at
            )

    def test_without_a_reason_what_was_typed_stays(self, patient, visit):
        page = text(patient.post(url("appointment_ask_move", visit), {"wishes": "Tuesdays"}))
        assert "Error: " in page
        assert "Tuesdays</textarea>" in page

    def test_it_can_be_taken_back(self, patient, people, visit):
        wish = wished(people, visit)
        page = text(patient.post(url("move_request_withdraw", wish), follow=True))
        assert "Your visit stays as it is." in page
        assert MoveRequest.objects.get().status == "withdrawn"
        again = text(patient.post(url("move_request_withdraw", wish), follow=True))
        assert "has answered already" in again

    def test_a_visit_that_is_over_or_cancelled_takes_no_wish(self, people, visit):
        over = make_appointment(people.episode, on=NOW.date() - timedelta(days=1))
        with pytest.raises(ValidationError, match="begun already"):
            wished(people, over)
        actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)
        with pytest.raises(ValidationError, match="cancelled meanwhile"):
            wished(people, visit)

    def test_a_cancelled_visit_closes_its_wish(self, people, visit):
        wished(people, visit)
        actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)
        assert MoveRequest.objects.get().status == "overtaken"


class TestAnswer:
    def answer(self, browser, wish, **data):
        page = reverse("admin:wish_answer", args=[wish.pk])
        values = {
            "answer": "move",
            "on": "2026-06-12",
            "at": "15:30",
            "reply": "",
            "ticket": new_ticket(),
        }
        return browser.post(page, values | data, follow=True)

    @pytest.mark.parametrize("role", Role.values)
    def test_who_may_answer(self, people, visit, sign_in, role):
        wish = wished(people, visit)
        browser = sign_in(people.staff[role])
        expected = 200 if role in MAY_MOVE else 403
        assert self.answer(browser, wish).status_code == expected
        wish.refresh_from_db()
        assert wish.status == ("moved" if role in MAY_MOVE else "open")

    def test_another_clinic_finds_nothing(self, people, visit, sign_in):
        wish = wished(people, visit)
        assert self.answer(sign_in(people.other_manager), wish).status_code == 404

    def test_moved_with_a_reply(self, people, visit, sign_in, patient):
        wish = wished(people, visit)
        self.answer(sign_in(people.clerk), wish, reply="Gladly")
        visit.refresh_from_db()
        assert (visit.local_date, visit.local_time, visit.sequence) == (
            date(2026, 6, 12),
            time(15, 30),
            1,
        )
        page = text(patient.get(url("appointment", visit)))
        assert "the clinic moved the visit" in page
        assert "Gladly" in page

    def test_kept_with_a_reply(self, people, visit, sign_in, patient):
        wish = wished(people, visit)
        page = text(self.answer(sign_in(people.clerk), wish, answer="keep", on="", at=""))
        assert "Say why the time has to stay." in page
        self.answer(sign_in(people.clerk), wish, answer="keep", on="", at="", reply="It is full.")
        visit.refresh_from_db()
        assert visit.sequence == 0
        page = text(patient.get(LIST))
        assert "could not move the visit" in page
        assert "It is full." in page

    def test_a_second_answer_changes_nothing(self, people, visit, sign_in):
        wish = wished(people, visit)
        self.answer(sign_in(people.clerk), wish)
        page = text(self.answer(sign_in(people.nurse), wish, on="2026-06-20"))
        assert "nothing was done twice" in page
        visit.refresh_from_db()
        assert visit.local_date == date(2026, 6, 12)

    def test_each_who_gets_the_mail_is_told_once_and_not_what(
        self, people, visit, sign_in, settings
    ):
        wish = wished(people, visit)
        self.answer(sign_in(people.clerk), wish, answer="keep", reply="Dr Secret is away.")
        dispatch(now=NOW)
        notice = Reminder.objects.get(kind="visit_answered")
        mail = Message.objects.get(pk=notice.message_id)
        assert mail.recipient == people.patient.user
        assert "The clinic has answered" in mail.subject
        assert "Secret" not in mail.text + mail.html


class TestWhoSeesIt:
    @pytest.mark.parametrize("who", ["other_patient", "far_patient"])
    def test_another_patient_finds_nothing(self, people, visit, sign_in, who):
        wish = wished(people, visit)
        browser = sign_in(getattr(people, who).user)
        for name, row in (
            ("appointment", visit), ("appointment_confirm", visit), ("appointment_ask_move", visit),
            ("move_request_withdraw", wish),
        ):  # fmt: skip
            assert browser.post(url(name, row)).status_code in {404, 405}
            assert browser.get(url(name, row)).status_code == 404
        assert MoveRequest.objects.get().is_open

    def test_a_carer_for_visits_alone_may_confirm_and_ask(self, people, visit, sign_in):
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        browser = sign_in(people.carer)
        browser.post(url("appointment_confirm", visit), seen(visit))
        browser.post(url("appointment_ask_move", visit), {"reason": "The car is broken"})
        visit.refresh_from_db()
        assert visit.confirmed_by == people.carer
        assert visit.open_wish.by == people.carer

    def test_access_that_ended_is_over_at_once(self, people, visit, sign_in):
        browser = sign_in(people.carer)
        assert browser.get(url("appointment", visit)).status_code == 200
        actions.end_carer(link=people.carer.cares_for.get(), by=people.clerk, now=NOW)
        assert browser.post(url("appointment_confirm", visit), seen(visit)).status_code == 404


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_and_the_visit_cost_the_same_queries(
    people, patient, django_assert_num_queries, count
):
    for number in range(count):
        visit = make_appointment(
            people.episode, on=date(2026, 6, 1 + number), location=people.location
        )
        wished(people, visit)
    patient.get(LIST)
    with django_assert_num_queries(10):
        patient.get(LIST)
    with django_assert_num_queries(8):
        patient.get(url("appointment", visit))


class TestFeed:
    @pytest.fixture
    def address(self, patient):
        return made(patient)

    def test_it_is_shown_once_and_kept_as_a_hash(self, patient, client):
        address = made(patient)
        token = address.split("/")[-2]
        assert len(token) >= 43
        assert token not in str(CalendarFeed.objects.values().get())
        assert token not in text(patient.get(FEED))
        assert client.get(address).status_code == 200

    def test_every_visit_is_in_it_and_no_clinical_word(self, people, visit, address, client):
        make_appointment(people.other_episode, on=date(2026, 6, 11))
        answer = client.get(address)
        assert answer["Content-Type"] == "text/calendar; charset=utf-8"
        calendar = Calendar.from_ical(answer.content)
        assert [str(event["uid"]) for event in calendar.walk("VEVENT")] == [visit.uid]
        for word in ("X-ray visit", "osteotomy", "Patricia", "O'Neill", "H-001", "crutches"):
            assert word.lower() not in answer.content.decode().lower()

    def test_a_move_raises_the_sequence_and_a_cancelled_visit_says_so(
        self, people, visit, address, client
    ):
        actions.move_appointment(
            appointment=visit, on=date(2026, 6, 11), at=time(9), by=people.clerk, now=NOW
        )
        (event,) = Calendar.from_ical(client.get(address).content).walk("VEVENT")
        assert (event["sequence"], event["status"]) == (1, "CONFIRMED")
        actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)
        (event,) = Calendar.from_ical(client.get(address).content).walk("VEVENT")
        assert (str(event["uid"]), event["sequence"], event["status"]) == (
            visit.uid,
            2,
            "CANCELLED",
        )

    def test_who_has_it_already_gets_304_until_something_changes(
        self, people, visit, address, client, stopped_clock
    ):
        first = client.get(address)
        known = {"If-None-Match": first["ETag"]}
        stopped_clock.shift(timedelta(hours=1))
        again = client.get(address, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        since = {"If-Modified-Since": first["Last-Modified"]}
        assert client.get(address, headers=since).status_code == 304
        actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)
        changed = client.get(address, headers=known)
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]
        assert client.get(address, headers=since).status_code == 200

    def test_a_reset_kills_the_old_address(self, patient, client, address):
        new = made(patient)
        assert client.get(address).status_code == 404
        assert client.get(new).status_code == 200

    def test_a_second_press_makes_no_second_address(self, patient, client):
        data = {"ticket": new_ticket()}
        address = made(patient, data)
        assert b"visits.ics" not in patient.post(FEED, data).content
        assert client.get(address).status_code == 200

    def test_it_can_be_switched_off(self, patient, client, address):
        patient.post(FEED, {"do": "end"})
        assert client.get(address).status_code == 404
        assert not CalendarFeed.objects.exists()

    def test_access_that_ended_is_over_for_every_calendar_program(
        self, people, visit, sign_in, client, stopped_clock
    ):
        address = made(sign_in(people.carer))
        first = client.get(address)
        assert visit.uid in first.content.decode()
        stopped_clock.shift(timedelta(minutes=5))
        actions.end_carer(link=people.carer.cares_for.get(), by=people.clerk, now=NOW)
        since = {"If-Modified-Since": first["Last-Modified"]}
        answer = client.get(address, headers=since)
        assert answer.status_code == 200
        assert "VEVENT" not in answer.content.decode()

    def test_a_closed_account_has_no_feed(self, people, address, client):
        people.patient.user.is_active = False
        people.patient.user.save()
        assert client.get(address).status_code == 404

    def test_a_parent_of_two_reads_whose_visit_it_is(self, people, sign_in, client):
        make_appointment(people.child_episode)
        make_appointment(people.sibling_episode, on=date(2026, 6, 11))
        text = client.get(made(sign_in(people.mother))).content.decode()
        assert "(Kim)" in text
        assert "(Sasha)" in text
        assert "Kidd" not in text

    def test_readings_are_noted_once_a_day_and_with_each_change(
        self, people, visit, address, client, stopped_clock
    ):
        for _fetch in range(3):
            client.get(address)
        noted = AuditEvent.objects.filter(verb="calendar_feed.read")
        assert list(noted.values_list("actor", "patient_id")) == [
            (people.patient.user.pk, people.patient.pk)
        ]
        stopped_clock.shift(timedelta(days=1))
        client.get(address)
        assert noted.count() == 2

    @pytest.mark.parametrize("count", [1, 3])
    def test_it_costs_the_same_queries(
        self, people, address, client, django_assert_num_queries, count
    ):
        for number in range(count):
            make_appointment(people.episode, on=date(2026, 6, 1 + number), location=people.location)
        client.get(address)
        with django_assert_num_queries(4):
            client.get(address)


def made(browser, data=None):
    """The address that a press of the button gives."""
    page = browser.post(FEED, data or {}).context["address"]
    return "/" + page.split("/", 3)[3]


def test_the_status_of_a_visit_never_changes_by_a_wish(people):
    visit = make_appointment(people.episode)
    wished(people, visit)
    assert Appointment.objects.get(pk=visit.pk).status == "booked"
