"""The timeline with notes, X-rays by the day, a clinic's day, exercises at a glance, and how sending goes: as pages."""

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients import actions
from patients.models import Appointment, ExerciseLog, ImagingRequest, Note
from portal.models import AuditEvent, OutboxMail
from reminders.models import DailyBalance, Reminder, SendingChannel, Suppression
from tests.factories import make_appointment, make_message, make_reminder
from tests.patients.alerts import make_question, raise_alert
from tests.patients.exercises import prescribed

TIMELINE_QUERIES = 23


def url(page: str, row: Any = None) -> str:
    return reverse(f"admin:{page}", args=[row.pk] if row else None)


# --- The timeline and notes ------------------------------------------------------------------


@pytest.fixture
def lived(planned) -> Any:
    """A patient with something of everything."""
    row = Reminder.objects.get(episode=planned.episode, step_key="insurer")
    make_message(planned.patient.user, planned.clinic, [row], subject="Ring your insurer")
    make_appointment(planned.episode, on=date(2026, 3, 1), status="noshow")
    raise_alert(planned.episode, by=planned.carer)
    make_question(planned.episode)
    actions.write_note(
        patient=planned.patient, text="Prefers mornings.", by=planned.nurse, now=planned.now
    )
    return planned


def sources(answer) -> set[str]:
    return {entry.source for entry in (*answer.context["ahead"], *answer.context["shown"])}


def test_the_timeline_holds_everything_newest_first(lived, sign_in) -> None:
    answer = sign_in(lived.nurse).get(url("patient_timeline", lived.patient))
    assert sources(answer) >= {
        "plan",
        "messages",
        "visits",
        "check_ins",
        "alerts",
        "answers",
        "notes",
    }
    moments = [entry.at for entry in answer.context["shown"]]
    assert moments == sorted(moments, reverse=True)
    assert max(moments) <= lived.now
    ahead = [entry.at for entry in answer.context["ahead"]]
    assert ahead == sorted(ahead)
    assert min(ahead) > lived.now
    assert "Prefers mornings." in answer.content.decode()


def test_the_timeline_is_narrowed_and_shows_a_role_only_what_it_may_see(lived, sign_in) -> None:
    page = url("patient_timeline", lived.patient)
    assert sources(sign_in(lived.nurse).get(page, {"show": ["notes", "visits"]})) == {
        "notes",
        "visits",
    }
    seen = sources(
        sign_in(lived.clerk).get(page, {"show": ["alerts", "check_ins", "looks", "visits"]})
    )
    assert seen == {"visits"}
    assert "looks" in sources(sign_in(lived.auditor).get(page))


def test_the_timeline_costs_the_same_for_a_long_record(
    lived, sign_in, django_assert_num_queries
) -> None:
    client, page = sign_in(lived.manager), url("patient_timeline", lived.patient)
    client.get(page)
    for _more in range(2):
        with django_assert_num_queries(TIMELINE_QUERIES):
            client.get(page)
        for number in range(5):
            make_reminder(lived.episode)
            make_appointment(lived.episode, on=date(2026, 4, 1 + number))


def test_a_note_is_written_once_and_never_empty(people, sign_in) -> None:
    client = sign_in(people.physiotherapist)
    for _press in range(2):
        client.post(url("patient_note", people.patient), {"text": "Walks well.", "ticket": "n" * 8})
    note = Note.objects.get()
    assert (note.text, note.by, note.patient) == (
        "Walks well.",
        people.physiotherapist,
        people.patient,
    )
    assert AuditEvent.objects.filter(verb="note.write").count() == 1
    with pytest.raises(ValidationError):
        actions.write_note(patient=people.patient, text=" ", by=people.nurse, now=people.now)


# --- X-rays ----------------------------------------------------------------------------------


@pytest.fixture
def due(planned) -> list[ImagingRequest]:
    rows = ImagingRequest.objects.filter(episode__patient__clinic=planned.clinic)
    rows.update(window_from=date(2026, 3, 1), window_until=date(2026, 3, 20))
    return list(rows.order_by("window_until", "pk")[:2])


def book_day(client, rows, **changed: str) -> Any:
    asked = {
        "on": "2026-03-10", "at": "09:00", "minutes": "20", "note": "", "location": "",
        "requests": [str(row.pk) for row in rows], "ticket": "d" * 8, **changed,
    }  # fmt: skip
    return client.post(url("xrays_day"), asked)


def test_a_days_list_is_shown_before_it_is_booked_one_after_the_other(
    planned, due, sign_in
) -> None:
    client = sign_in(planned.radiographer)
    shown = book_day(client, due)
    assert [slot["at"] for slot in shown.context["slots"]] == [time(9), time(9, 20)]
    assert not Appointment.objects.filter(kind="xray").exists()
    for _press in range(2):
        book_day(client, due, confirm="1")
    booked = Appointment.objects.filter(kind="xray").order_by("starts_at")
    assert list(booked.values_list("local_time", flat=True)) == [time(9), time(9, 20)]
    assert {
        row.status for row in ImagingRequest.objects.filter(pk__in=[row.pk for row in due])
    } == {"active"}


def test_a_list_past_midnight_and_one_of_nobody_are_refused(planned, due, sign_in) -> None:
    client = sign_in(planned.radiographer)
    assert "end after midnight" in book_day(client, due, at="23:50").content.decode()
    assert "Please choose at least one." in book_day(client, []).content.decode()
    assert not Appointment.objects.filter(kind="xray").exists()


def test_a_day_outside_the_window_is_said(planned, due, sign_in) -> None:
    page = book_day(sign_in(planned.radiographer), due[:1], on="2026-04-10").content.decode()
    assert "outside its window:" in page


def test_one_x_ray_that_somebody_else_booked_meanwhile_stops_the_whole_list(
    planned, due, sign_in
) -> None:
    client = sign_in(planned.radiographer)
    book_day(client, due)
    ImagingRequest.objects.filter(pk=due[1].pk).update(status="completed")
    book_day(client, due, confirm="1")
    assert not Appointment.objects.filter(kind="xray").exists()


def test_a_result_is_written_corrected_and_released(planned, due, sign_in) -> None:
    row, client = due[0], sign_in(planned.radiographer)
    answer = client.post(url("xray_result", row), {"result": "Healed."})
    assert "was not taken yet" in answer.content.decode()
    ImagingRequest.objects.filter(pk=row.pk).update(status="completed")
    assert "Taken, without a result" in client.get(url("xrays")).content.decode()
    client.post(url("xray_result", row), {"result": "Healed.", "release": "on", "ticket": "r1"})
    row.refresh_from_db()
    assert (row.result_note, row.resulted_by, row.released_by) == (
        "Healed.", planned.radiographer, planned.radiographer,
    )  # fmt: skip
    client.post(url("xray_result", row), {"result": "Healing.", "ticket": "r2"})
    row.refresh_from_db()
    assert (row.result_note, row.released_at) == ("Healing.", None)
    for _press in range(2):
        client.post(url("xray_release", row), {"ticket": "r3"})
    row.refresh_from_db()
    assert row.released_at == planned.now
    assert AuditEvent.objects.filter(verb="imaging_request.release").count() == 2


def test_nothing_is_released_without_a_result(planned, due) -> None:
    with pytest.raises(ValidationError):
        actions.release_result(imaging_request=due[0], by=planned.radiographer, now=planned.now)


# --- The clerk's day and the physiotherapist's glance ----------------------------------------


def test_a_day_shows_who_is_operated_on_and_who_comes_in(planned, sign_in) -> None:
    on = planned.surgery_on
    make_appointment(planned.other_episode, on=on, kind="clinic")
    make_appointment(planned.far_episode, on=on, kind="clinic")
    page = sign_in(planned.clerk).get(url("clinic_day"), {"day": str(on)})
    patients = {row.episode.patient for row, _items in page.context["operations"]}
    assert planned.patient in patients
    assert planned.far_patient not in patients
    assert [row.episode for row in page.context["visits"]] == [planned.other_episode]
    empty = sign_in(planned.clerk).get(url("clinic_day"), {"day": "nonsense"}).content.decode()
    assert "No surgery on this day." in empty


def test_a_day_costs_the_same_for_one_as_for_many(
    planned, sign_in, django_assert_num_queries
) -> None:
    client, page = sign_in(planned.clerk), url("clinic_day")
    client.get(page, {"day": str(planned.surgery_on)})
    for _more in range(2):
        with django_assert_num_queries(9):
            client.get(page, {"day": str(planned.surgery_on)})
        for number in range(5):
            make_appointment(planned.episode, on=planned.surgery_on, at=time(9 + number))


def test_who_hurts_or_does_little_stands_first(people, sign_in) -> None:
    rows = [prescribed(people), prescribed(people, "bridge", episode=people.other_episode)]
    for row, pain in zip(rows, (8, 1), strict=True):
        ExerciseLog.objects.create(
            prescription=row, on=people.now.date(), round=1, pain_after=pain, by=people.carer, logged_at=people.now
        )  # fmt: skip
    found = sign_in(people.physiotherapist).get(url("caseload")).context["rows"]
    assert (found[0].patient, found[0].pain, found[0].tone) == (people.patient, 8, "bad")
    assert found[0].done == 1


# --- How sending goes ------------------------------------------------------------------------


def test_the_outlook_says_what_would_go_before_sending_goes_on(planned, sign_in) -> None:
    make_reminder(planned.episode, due_at=planned.now - timedelta(hours=1))
    answer = sign_in(planned.manager).get(url("sending_outlook"))
    assert answer.context["going"] == 1
    assert answer.context["outlook"].overdue == 1
    assert Reminder.objects.filter(state="sent").count() == 0


def test_channels_and_balances_of_ones_own_clinics_are_shown(planned, sign_in) -> None:
    SendingChannel.objects.create(
        domain="slow.example", reason="domain_slowed", response="421 later", changed_at=planned.now
    )
    for clinic, n in ((planned.clinic, 3), (planned.other_clinic, 77)):
        DailyBalance.objects.create(
            clinic=clinic, day=planned.now.date(), due=n, sent=n, checked_at=planned.now
        )
    page = sign_in(planned.auditor).get(url("sending_channels")).content.decode()
    assert "421 later" in page
    assert "<td>77</td>" not in page


def test_an_address_is_opened_again_by_who_knows_its_owner(planned, sign_in) -> None:
    row = Suppression.objects.create(address=planned.patient.user.email, reason="bounced")
    assert sign_in(planned.other_manager).get(url("suppression_lift", row)).status_code == 404
    client = sign_in(planned.clerk)
    assert (
        url("suppression_lift", row)
        in client.get(url("patient_page", planned.patient)).content.decode()
    )
    client.post(url("suppression_lift", row), {"reason": "She has a new mailbox."})
    row.refresh_from_db()
    assert row.lifted_at == planned.now


def test_a_sample_goes_to_oneself_alone(planned, sign_in) -> None:
    before = OutboxMail.objects.count() + len(outgoing.outbox)
    asked = {"step": "pack-bag", "language": "en-gb"}
    client = sign_in(planned.manager)
    answer = client.post(url("version_sample", planned.adult_version), asked, follow=True)
    assert f"The sample is on its way to {planned.manager.email}." in answer.content.decode()
    assert OutboxMail.objects.count() + len(outgoing.outbox) == before + 1
    assert (
        client.post(url("version_sample", planned.adult_version), {"step": "x"}).status_code == 404
    )
