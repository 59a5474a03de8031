"""One patient on one screen, and what staff record: patients, carers, death, visits, X-rays, messages."""

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.urls import reverse
from django.utils.html import escape

from patients.models import Appointment, ImagingRequest, Patient, RelatedPerson
from portal.models import AuditEvent, Invitation
from reminders.diff import Change
from reminders.models import Decision, Message, Reminder, Suppression
from reminders.reconciler import reconcile
from tests.factories import make_appointment, make_location, make_message, make_reminder
from tests.reminders.deeds import confirmed

ADDING = {
    "record_number": "H-900", "given_name": "Ada", "family_name": "Added", "birth_date": "1990-01-31",
    "email": "ada@example.com", "language": "en-gb", "phone": "", "job": "desk", "uses_nicotine": "on",
}  # fmt: skip


@pytest.fixture
def adding(people) -> dict[str, Any]:
    return ADDING | {"clinic": str(people.clinic.pk), "ticket": "a" * 32}


def _url(page: str, row: Any) -> str:
    return reverse(f"admin:{page}", args=[row.pk])


# --- Adding and correcting -------------------------------------------------------------------


def test_a_clerk_adds_a_patient_with_a_login_and_an_invitation(people, adding, sign_in) -> None:
    sign_in(people.clerk).post(reverse("admin:patient_add"), adding | {"invite": "on"})
    patient = Patient.objects.get(record_number="H-900")
    assert (patient.name, patient.clinic, patient.uses_nicotine) == (
        "Ada Added",
        people.clinic,
        True,
    )
    assert patient.user is not None
    assert (patient.user.email, patient.user.has_usable_password()) == ("ada@example.com", False)
    assert Invitation.objects.get(user=patient.user).invited_by == people.clerk


def test_pressing_twice_adds_one_patient(people, adding, sign_in) -> None:
    client = sign_in(people.clerk)
    for _press in range(2):
        client.post(reverse("admin:patient_add"), adding | {"invite": "on"})
    assert Patient.objects.filter(family_name="Added").count() == 1
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("record_number", "H-001", "Another patient has the record number H-001."),
        ("birth_date", "2030-01-01", "The date of birth lies in the future."),
        ("birth_date", "1830-01-01", "The date of birth lies before 1900."),
        ("email", "pat@example.com", "Another patient signs in with this address."),
        ("email", "not an address", "Please type an email address, such as name@example.org."),
    ],
)
def test_what_cannot_be_right_is_refused(people, adding, sign_in, field, value, words) -> None:
    response = sign_in(people.clerk).post(reverse("admin:patient_add"), adding | {field: value})
    assert words in response.content.decode()
    assert not Patient.objects.filter(family_name="Added").exists()


def test_nobody_adds_a_patient_to_a_clinic_where_they_do_not_work(people, adding, sign_in) -> None:
    response = sign_in(people.clerk).post(
        reverse("admin:patient_add"), adding | {"clinic": str(people.other_clinic.pk)}
    )
    assert response.status_code == 200
    assert not Patient.objects.filter(family_name="Added").exists()


def test_after_a_child_is_added_comes_the_page_for_its_carers(people, adding, sign_in) -> None:
    response = sign_in(people.clerk).post(
        reverse("admin:patient_add"), adding | {"birth_date": "2020-01-31", "email": ""}
    )
    child = Patient.objects.get(family_name="Added")
    assert response.url == _url("carer_add", child)


def test_correcting_the_record_plans_anew_and_is_audited(planned, sign_in) -> None:
    client = sign_in(planned.nurse)
    values = ADDING | {
        "record_number": "H-001",
        "email": "pat@example.com",
        "birth_date": "1990-05-17",
    }
    del values["uses_nicotine"]
    response = client.post(_url("patient_edit", planned.patient), values)
    assert response.status_code == 302
    smoking = Reminder.objects.filter(episode=planned.episode, step_key="stop-smoking")
    assert {row.state for row in smoking} == {"cancelled"}
    event = AuditEvent.objects.get(verb="patient.update")
    assert (event.before["uses_nicotine"], event.after["uses_nicotine"]) == (True, False)


def test_a_taken_record_number_or_address_is_refused(people, sign_in) -> None:
    client = sign_in(people.clerk)
    for field, value, words in (
        ("record_number", "H-002", "Another patient has this record number."),
        ("email", "otto@example.com", "This address already belongs to another account."),
    ):
        values = ADDING | {"record_number": "H-001", "email": "pat@example.com", field: value}
        assert words in client.post(_url("patient_edit", people.patient), values).content.decode()
    assert Patient.objects.get(pk=people.patient.pk).family_name == "O'Neill"


# --- People ----------------------------------------------------------------------------------


def test_a_carer_is_linked_invited_and_gets_the_childs_plan(planned, sign_in) -> None:
    link = {
        "name": "Gran Kidd", "email": "gran@example.com", "relationship": "grandmother", "scope": "full",
        "ends_on": "", "invite": "on", "ticket": "c" * 32,
    }  # fmt: skip
    client = sign_in(planned.clerk)
    for _press in range(2):
        client.post(_url("carer_add", planned.child), link)
    gran = RelatedPerson.objects.get(user__email="gran@example.com")
    assert gran.patient == planned.child
    assert Invitation.objects.filter(user=gran.user).count() == 1
    assert Reminder.objects.filter(episode=planned.child_episode, recipient=gran.user).exists()


def test_ending_a_carers_access_takes_their_reminders_out(planned, sign_in) -> None:
    link = planned.child.related_people.get(user=planned.father)
    client = sign_in(planned.nurse)
    client.post(_url("carer_end", link), {"reason": "Asked by the mother", "ticket": "d"})
    assert RelatedPerson.objects.get(pk=link.pk).ended_at == planned.now
    mine = Reminder.objects.filter(episode=planned.child_episode, recipient=planned.father)
    assert {row.state for row in mine} == {"cancelled"}
    assert Reminder.objects.filter(recipient=planned.mother).open().exists()


def test_an_invitation_goes_out_once_for_two_presses(
    people, sign_in, django_capture_on_commit_callbacks
) -> None:
    client = sign_in(people.clerk)
    for _press in range(2):
        client.post(_url("patient_invite", people.patient), {"ticket": "e" * 32})
    assert Invitation.objects.filter(user=people.patient.user).count() == 1
    assert len(outgoing.outbox) <= 1


def test_a_carer_whose_access_ended_is_not_invited(people, sign_in) -> None:
    response = sign_in(people.clerk).post(_url("carer_invite", people.ended_link), {"ticket": "f"})
    assert response.status_code == 404
    assert not Invitation.objects.exists()


def test_a_death_stops_everything_at_once(planned, sign_in) -> None:
    visit = make_appointment(planned.episode)
    client = sign_in(planned.surgeon)
    url = _url("patient_deceased", planned.patient)
    assert "lies in the future" in client.post(url, {"on": "2026-03-03"}).content.decode()
    client.post(url, {"on": "2026-03-01", "ticket": "g"})
    assert Patient.objects.get(pk=planned.patient.pk).deceased_on == date(2026, 3, 1)
    assert not Reminder.objects.filter(episode=planned.episode).open().exists()
    assert Appointment.objects.get(pk=visit.pk).status == Appointment.Status.CANCELLED
    assert not ImagingRequest.objects.to_book().filter(episode=planned.episode).exists()
    page = client.get(_url("patient_page", planned.patient)).content.decode()
    assert "Died on 1 March 2026." in page


# --- The page --------------------------------------------------------------------------------


def test_the_page_holds_everything_about_one_patient_and_is_noted(planned, sign_in) -> None:
    row = Reminder.objects.filter(episode=planned.episode, step_key="pack-bag").get()
    make_message(planned.patient.user, planned.clinic, [row], subject="Pack your bag now")
    make_appointment(planned.episode, location=planned.location)
    page = sign_in(planned.manager).get(_url("patient_page", planned.patient)).content.decode()
    for words in (
        "17 May 1990",
        "H-001",
        "in 56 days",
        "smokes or uses nicotine",
        "Carl Carer",
        "Pack bag",
        "Pack your bag now",
        "X-ray department",
        "to be booked",
        "Surgeon of Harbour Hip Clinic",
    ):
        assert words in page, words
    read = AuditEvent.objects.get(action="R", verb="patient.view")
    assert (read.actor, read.patient_id, read.clinic) == (
        planned.manager,
        planned.patient.pk,
        planned.clinic,
    )


def test_the_page_offers_only_what_the_role_may_do(planned, sign_in) -> None:
    deeds = {"episode_move": planned.episode, "patient_edit": planned.patient, "patient_deceased": planned.patient,
             "appointment_book": planned.episode, "episode_milestone": planned.episode}  # fmt: skip
    offered = {}
    for role in ("clerk", "physiotherapist", "auditor"):
        page = (
            sign_in(planned.staff[role]).get(_url("patient_page", planned.patient)).content.decode()
        )
        offered[role] = {deed for deed, row in deeds.items() if _url(deed, row) in page}
    assert offered == {
        "clerk": {"episode_move", "patient_edit", "appointment_book"},
        "physiotherapist": {"appointment_book", "episode_milestone"},
        "auditor": set(),
    }


def test_an_auditor_sees_who_looked_but_no_message(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    make_message(planned.patient.user, planned.clinic, [row], subject="A private matter")
    page = sign_in(planned.auditor).get(_url("patient_page", planned.patient)).content.decode()
    assert "Who looked" in page
    assert "A private matter" not in page


def test_the_page_costs_the_same_for_a_long_record_as_for_a_short_one(
    planned, sign_in, django_assert_num_queries
) -> None:
    client = sign_in(planned.manager)
    url = _url("patient_page", planned.patient)
    _lengthen_record(planned, 1)
    client.get(url)
    with django_assert_num_queries(PATIENT_PAGE_QUERIES):
        client.get(url)
    _lengthen_record(planned, 3)
    with django_assert_num_queries(PATIENT_PAGE_QUERIES):
        client.get(url)


def _lengthen_record(people: Any, number: int) -> None:
    for _each in range(number):
        make_appointment(people.episode, on=date(2026, 7, 1))
        row = make_reminder(people.episode)
        make_message(people.patient.user, people.clinic, [row])


# Two of them are the savepoint around the audit row, which outside a test is the transaction itself.
PATIENT_PAGE_QUERIES = 31

# --- Visits and X-rays -----------------------------------------------------------------------

VISIT = {
    "kind": "clinic",
    "on": "2026-03-20",
    "at": "10:30",
    "minutes": "30",
    "location": "",
    "note": "Your list",
}


def test_a_visit_is_booked_once(planned, sign_in) -> None:
    client = sign_in(planned.clerk)
    for _press in range(2):
        confirmed(client, _url("appointment_book", planned.episode), VISIT | {"ticket": "a" * 32})
    visit = Appointment.objects.get(episode=planned.episode)
    assert (visit.kind, visit.local_date, visit.local_time) == (
        "clinic",
        date(2026, 3, 20),
        time(10, 30),
    )


@pytest.mark.parametrize(
    ("on", "words"), [("2026-03-01", "past already"), ("2036-03-01", "three years ahead")]
)
def test_a_visit_on_an_impossible_day_is_refused(planned, sign_in, on, words) -> None:
    response = sign_in(planned.clerk).post(
        _url("appointment_book", planned.episode), VISIT | {"on": on}
    )
    assert words in response.content.decode()
    assert not Appointment.objects.exists()


def test_a_place_of_another_clinic_cannot_be_chosen(planned, sign_in) -> None:
    far = make_location(planned.other_clinic)
    client = sign_in(planned.clerk)
    response = client.post(
        _url("appointment_book", planned.episode), VISIT | {"location": str(far.pk)}
    )
    assert "Please choose one of those that are shown." in response.content.decode()
    assert "1 Quay Street" not in response.content.decode()


def test_an_xray_leaves_the_worklist_when_booked_and_comes_back_when_missed(
    planned, sign_in, stopped_clock
) -> None:
    stopped_clock.shift(timedelta(weeks=14))
    wanted = ImagingRequest.objects.get(episode=planned.episode)
    client, worklist = sign_in(planned.radiographer), reverse("admin:xrays")
    assert _url("xray_book", wanted) in client.get(worklist).content.decode()
    slot = {
        "on": "2026-06-12",
        "at": "09:00",
        "minutes": "15",
        "location": str(planned.location.pk),
        "note": "",
    }
    for ticket in ("a" * 32, "b" * 32):
        confirmed(client, _url("xray_book", wanted), slot | {"ticket": ticket})
    visit = Appointment.objects.get(episode=planned.episode)
    assert (visit.kind, visit.location) == ("xray", planned.location)
    assert _url("xray_book", wanted) not in client.get(worklist).content.decode()
    assert Reminder.objects.filter(appointment=visit, step_key="xray-visit").exists()
    confirmed(client, _url("appointment_missed", visit), {"reason": "", "ticket": "c"})
    assert Appointment.objects.get(pk=visit.pk).status == Appointment.Status.NO_SHOW
    assert _url("xray_book", wanted) in client.get(worklist).content.decode()


def test_overdue_xrays_come_first_and_the_dead_are_not_called(planned, sign_in) -> None:
    ImagingRequest.objects.filter(episode=planned.episode).update(
        window_from=date(2026, 2, 1), window_until=date(2026, 2, 20)
    )
    ImagingRequest.objects.filter(episode=planned.other_episode).update(
        window_from=date(2026, 2, 1), window_until=date(2026, 3, 20)
    )
    client = sign_in(planned.radiographer)
    groups = client.get(reverse("admin:xrays")).context["groups"]
    assert [[row.episode for row in rows] for _title, _tone, rows in groups] == [
        [planned.episode], [planned.other_episode], [],
    ]  # fmt: skip
    Patient.objects.filter(pk=planned.patient.pk).update(deceased_on=date(2026, 3, 1))
    assert "O&#x27;Neill" not in client.get(reverse("admin:xrays")).content.decode()


def test_a_visit_is_moved_cancelled_and_attended_once_each(planned, sign_in) -> None:
    client = sign_in(planned.clerk)
    visit = make_appointment(planned.episode)
    for _press in range(2):
        confirmed(
            client, _url("appointment_move", visit), {"on": "2026-06-11", "at": "08:15", "ticket": "m" * 32}
        )  # fmt: skip
    visit.refresh_from_db()
    assert (visit.local_date, visit.local_time, visit.sequence) == (
        date(2026, 6, 11),
        time(8, 15),
        1,
    )
    for _press in range(2):
        confirmed(client, _url("appointment_attended", visit), {"ticket": "n"})
    assert Appointment.objects.get(pk=visit.pk).status == Appointment.Status.FULFILLED
    confirmed(client, _url("appointment_cancel", visit), {"reason": "Too late", "ticket": "o"})
    assert Appointment.objects.get(pk=visit.pk).status == Appointment.Status.FULFILLED
    assert AuditEvent.objects.filter(verb="appointment.attended").count() == 1


def counts(client, url, fields=None):
    """What the page says that a deed would change in the plan, without what stays."""
    shown = client.post(url, fields) if fields is not None else client.get(url)
    return {str(key): n for key, n in shown.context["counts"].items() if n and key != "kept"}


def test_what_a_visit_brings_is_shown_before_it_is_booked(planned, sign_in) -> None:
    client, wanted = sign_in(planned.radiographer), planned.episode.imaging_requests.get()
    slot = {"on": "2026-06-12", "at": "09:00", "minutes": "15", "location": "", "note": ""}
    before = list(Reminder.objects.order_by("pk").values())
    page = client.post(_url("xray_book", wanted), slot)

    # The reminder of the visit is new, and nobody is asked to book it any more.
    told = {
        section.change: [line.key for line in section.lines] for section in page.context["sections"]
    }
    assert (told["new"], told["dropped"]) == (["xray-visit"], ["xray-window"])
    assert list(Reminder.objects.order_by("pk").values()) == before
    assert not Appointment.objects.exists()

    confirmed(client, _url("xray_book", wanted), slot)
    diff = reconcile(planned.episode, now=planned.now)
    assert not diff.of(Change.NEW)
    visit = Appointment.objects.get()
    moved = {"on": "2026-06-13", "at": "09:00", "reason": ""}
    assert counts(client, _url("appointment_move", visit), moved) == {"moved": 1}
    assert counts(client, _url("appointment_cancel", visit), {"reason": "x"}) == {
        "dropped": 1,
        "new": 1,
    }


def test_a_visit_whose_plan_changed_meanwhile_is_shown_again(planned, sign_in) -> None:
    client, url = sign_in(planned.clerk), _url("appointment_book", planned.episode)
    slot = VISIT | {"kind": "xray", "ticket": "q" * 32}
    digest = client.post(url, slot).context["digest"]
    make_appointment(planned.episode, on=date(2026, 5, 12))
    page = client.post(url, slot | {"digest": digest})
    assert page.context["changed"]
    assert Appointment.objects.count() == 1


def test_a_child_that_was_not_brought_is_called_that_and_nobody_is_written_to(
    planned, sign_in
) -> None:
    visit = make_appointment(planned.child_episode, on=date(2026, 3, 1))
    client = sign_in(planned.nurse)
    assert "Was not brought" in client.get(_url("appointment_missed", visit)).content.decode()
    before = Message.objects.count()
    confirmed(client, _url("appointment_missed", visit), {"reason": "", "ticket": "p"})
    assert Appointment.objects.get(pk=visit.pk).status == Appointment.Status.NO_SHOW
    assert Message.objects.count() == before


# --- Reminders and messages ------------------------------------------------------------------


def test_before_it_is_sent_now_its_words_are_shown_and_what_would_become_of_it(
    planned, sign_in
) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    client = sign_in(planned.nurse)
    page = client.get(_url("reminder_send_now", row))
    assert page.context["words"].body_text.startswith("Dear Patricia, ")
    assert escape(page.context["words"].body_text) in page.text
    assert page.context["expected"].goes
    Suppression.objects.create(address=row.recipient.email, reason="no_such_address")
    page = client.get(_url("reminder_send_now", row))
    assert not page.context["expected"].goes
    row.refresh_from_db()
    assert (row.state, row.due_at > planned.now) == ("planned", True)


def test_send_now_makes_a_reminder_due_and_says_when_it_is_too_late(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    client = sign_in(planned.clerk)
    client.post(_url("reminder_send_now", row), {"ticket": "q" * 32})
    assert Reminder.objects.get(pk=row.pk).due_at == planned.now
    Reminder.objects.filter(pk=row.pk).update(state="cancelled")
    page = client.post(_url("reminder_send_now", row), {"ticket": "r" * 32}).content.decode()
    assert "Only a reminder that is still planned can be sent now." in page


def test_stopping_asks_why_and_keeps_it(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    client = sign_in(planned.nurse)
    assert (
        "Please fill this in."
        in client.post(_url("reminder_stop", row), {"reason": ""}).content.decode()
    )
    client.post(_url("reminder_stop", row), {"reason": "Bag is packed", "ticket": "s" * 32})
    row.refresh_from_db()
    assert (row.state, row.reason) == ("cancelled", "stopped_by_staff")
    assert Decision.objects.get(reminder=row).value == "Bag is packed"


def test_a_message_is_shown_as_it_was_sent_with_the_reason_why(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    message = make_message(
        planned.patient.user, planned.clinic, [row], text="Plain words & all", html="<p>Rich words</p>",
        headers={"List-Unsubscribe": "<https://x.example/u>"}, last_response="250 accepted",
    )  # fmt: skip
    Decision.objects.create(reminder=row, decided_at=planned.now, outcome="send", gate="all_gates")
    client = sign_in(planned.nurse)
    page = client.get(_url("message_page", message)).content.decode()
    for words in (
        "Plain words &amp; all",
        "250 accepted",
        "List-Unsubscribe",
        message.to_address,
        "Sent.",
    ):
        assert words in page, words
    assert "Rich words" not in page
    assert 'sandbox=""' in page
    read = AuditEvent.objects.get(action="R", verb="message.view")
    assert (read.patient_id, read.object_id) == (planned.patient.pk, str(message.pk))


def test_the_html_of_a_message_comes_alone_and_can_do_nothing(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    message = make_message(
        planned.patient.user, planned.clinic, [row], html="<p>Rich</p><script>x()</script>"
    )
    response = sign_in(planned.nurse).get(_url("message_html", message))
    policy = response["Content-Security-Policy"]
    assert "Rich" in response.content.decode()
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"
