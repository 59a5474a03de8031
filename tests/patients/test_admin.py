"""The lists of patients' records: what they show, to whom, found how, at what cost, and that each look is kept."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patients.models import Episode, ImagingRequest, RelatedPerson
from portal import audit
from portal.models import AuditEvent, Invitation
from reminders.models import Reminder, Suppression
from tests.factories import (
    make_appointment,
    make_episode,
    make_location,
    make_message,
    make_patient,
    make_reminder,
    make_staff,
)

RECORD_LISTS = (
    "patients_patient", "patients_episode", "patients_appointment", "patients_imagingrequest", "reminders_reminder",
)  # fmt: skip


def _list(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def _rows(response: Any) -> list[Any]:
    return list(response.context["cl"].result_list)


@pytest.fixture
def clinics(planned) -> Any:
    """Rows of every kind at both clinics."""
    for episode in planned.episodes:
        make_appointment(episode)
    row = make_reminder(planned.far_episode)
    make_message(planned.far_patient.user, planned.other_clinic, [row], subject="Far away")
    make_message(planned.patient.user, planned.clinic, [make_reminder(planned.episode)])
    ImagingRequest.objects.create(
        episode=planned.far_episode, step=planned.far_version.steps.first(),
        window_from=planned.now.date(), window_until=planned.now.date(),
    )  # fmt: skip
    return planned


@pytest.mark.parametrize("name", [*RECORD_LISTS, "reminders_message"])
def test_a_list_holds_the_rows_of_ones_own_clinic_alone(clinics, sign_in, name) -> None:
    response = sign_in(clinics.manager).get(_list(name))
    page = response.content.decode()
    assert _rows(response)
    for words in ("Fern", "Faraway", "M-001", "fern@example.com", "Far away", "Meadow"):
        assert words not in page, words


@pytest.mark.parametrize("name", RECORD_LISTS)
def test_a_row_of_another_clinic_cannot_be_opened(clinics, sign_in, name) -> None:
    far = {
        "patients_patient": clinics.far_patient,
        "patients_episode": clinics.far_episode,
        "patients_appointment": clinics.far_episode.appointments.first(),
        "patients_imagingrequest": clinics.far_episode.imaging_requests.first(),
        "reminders_reminder": clinics.far_episode.reminders.first(),
    }[name]
    client = sign_in(clinics.manager)
    assert client.get(reverse(f"admin:{name}_change", args=[far.pk])).status_code == 404


def test_the_list_of_xrays_names_them_in_words(planned, sign_in) -> None:
    request = ImagingRequest.objects.filter(episode__patient__clinic=planned.clinic)[0]
    text = request.step.texts.get(language=planned.clinic.language)

    page = sign_in(planned.manager).get(_list("patients_imagingrequest")).content.decode()

    assert f">{text.title}<" in page
    assert request.step.key not in page


@pytest.mark.parametrize("name", RECORD_LISTS[:4])
def test_a_row_leads_to_the_patients_page(clinics, sign_in, name) -> None:
    response = sign_in(clinics.manager).get(_list(name))
    first = _rows(response)[0]
    opened = sign_in(clinics.manager).get(reverse(f"admin:{name}_change", args=[first.pk]))
    assert opened.url.startswith("/admin/patient/")


@pytest.mark.parametrize(
    "words",
    [
        "Patricia",
        "o'neill",
        "O'Neill Patricia",
        "H-001",
        "17/05/1990",
        "1990-05-17",
        "pat@example.com",
    ],
)
def test_a_patient_is_found_by_name_number_birthday_and_address(people, sign_in, words) -> None:
    type(people.patient).objects.exclude(pk=people.patient.pk).update(birth_date=date(1970, 1, 1))
    response = sign_in(people.clerk).get(_list("patients_patient"), {"q": words})
    assert _rows(response) == [people.patient]


def test_looking_at_a_list_is_kept_with_whom_it_showed(people, sign_in) -> None:
    sign_in(people.clerk).get(_list("patients_patient"), {"q": "O'Neill"})
    event = AuditEvent.objects.get(action="R", verb="patient.list")
    assert (event.actor, event.clinic, event.after) == (
        people.clerk, people.clinic, {"patients": [str(people.patient.pk)]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("when", "shown"), [("soon", []), ("six_weeks", []), ("recent", []), ("none", ["other"])]
)
def test_patients_are_filtered_by_their_day_of_surgery(people, sign_in, when, shown) -> None:
    people.other_episode.anchor_dates.filter(anchor="surgery").delete()
    response = sign_in(people.clerk).get(_list("patients_patient"), {"when": when})
    assert _rows(response) == [people.other_patient for _one in shown]


def test_a_patients_earlier_operation_does_not_find_them_by_its_day(people, sign_in) -> None:
    """The list shows the day of the latest operation, and is narrowed down by what it shows."""
    today = people.now.date()
    for days, ago in ((7, timedelta(days=400)), (200, timedelta(0))):
        surgery_on = today + timedelta(days=days)
        episode = make_episode(people.other_patient, people.adult_version, surgery_on=surgery_on)
        Episode.objects.filter(pk=episode.pk).update(
            created_at=people.now - ago + timedelta(days=1)
        )
    client = sign_in(people.clerk)
    assert people.other_patient not in _rows(
        client.get(_list("patients_patient"), {"when": "soon"})
    )
    soon = _rows(client.get(_list("patients_episode"), {"when": "soon"}))
    assert [row.patient for row in soon] == [people.other_patient]


def test_operations_stand_with_the_last_booking_first_and_by_day_where_days_are_chosen(
    people, sign_in
) -> None:
    today = people.now.date()
    booked = []
    for days in (9, 3, 6):
        patient, surgery_on = make_patient(people.clinic), today + timedelta(days=days)
        episode = make_episode(patient, people.adult_version, surgery_on=surgery_on)
        Episode.objects.filter(pk=episode.pk).update(created_at=people.now + timedelta(days=days))
        booked.append(episode)
    nine, three, six = booked
    client = sign_in(people.clerk)
    assert _rows(client.get(_list("patients_episode")))[:3] == [nine, six, three]
    assert _rows(client.get(_list("patients_episode"), {"when": "soon"})) == [three, six, nine]


def test_what_is_overdue_stands_by_its_moment(planned, sign_in) -> None:
    due = planned.now - timedelta(hours=3)
    first, last = (
        make_reminder(planned.episode, due_at=due + timedelta(hours=late)) for late in (0, 1)
    )
    Reminder.objects.filter(pk=first.pk).update(local_date=planned.now.date() + timedelta(days=1))
    rows = _rows(sign_in(planned.nurse).get(_list("reminders_reminder"), {"when": "overdue"}))
    assert [row for row in rows if row in {first, last}] == [first, last]


def test_a_name_that_many_have_is_found_whatever_the_list(people, sign_in, monkeypatch) -> None:
    """Keys of few patients are handed over, those of many are left to the database."""
    monkeypatch.setattr("patients.record_admin.FEW", 0)
    make_appointment(people.episode)
    make_appointment(people.other_episode)
    client = sign_in(people.clerk)
    for name in ("patients_patient", "patients_episode", "patients_appointment"):
        rows = _rows(client.get(_list(name), {"q": "o'neill"}))
        assert {getattr(row, "episode", row) for row in rows} <= {
            people.patient, people.episode,
        }, name  # fmt: skip
        assert rows, name


def test_a_visit_whose_outcome_is_missing_is_found(people, sign_in) -> None:
    past = make_appointment(people.episode, on=date(2026, 2, 27))
    make_appointment(people.episode)
    response = sign_in(people.clerk).get(_list("patients_appointment"), {"when": "open"})
    assert _rows(response) == [past]
    assert reverse("admin:appointment_missed", args=[past.pk]) in response.content.decode()


def test_reminders_that_did_not_go_are_found(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    Reminder.objects.filter(pk=row.pk).update(
        state="missed", reason="too_old", settled_at=planned.now
    )
    response = sign_in(planned.nurse).get(_list("reminders_reminder"), {"when": "failed"})
    assert _rows(response) == [row]
    assert "It could not be sent in time." in response.content.decode()


def test_an_unknown_value_of_a_filter_filters_nothing(people, sign_in) -> None:
    client = sign_in(people.clerk)
    every = len(_rows(client.get(_list("patients_patient"))))
    for query in ({"when": "never"}, {"login": "maybe"}, {"clinic": str(people.other_clinic.pk)}):
        assert len(_rows(client.get(_list("patients_patient"), query))) == every


def test_who_works_at_two_clinics_chooses_one_and_is_offered_no_other(people, sign_in) -> None:
    people.other_clerk.roles.create(clinic=people.clinic, role="clerk")
    client = sign_in(people.other_clerk)
    assert len(_rows(client.get(_list("patients_patient")))) == 5
    chosen = client.get(_list("patients_patient"), {"clinic": str(people.other_clinic.pk)})
    assert _rows(chosen) == [people.far_patient]


def test_a_manager_finds_closed_addresses_of_their_own_patients_alone(clinics, sign_in) -> None:
    for address in ("pat@example.com", "fern@example.com"):
        Suppression.objects.create(address=address, reason="no_such_address")
    response = sign_in(clinics.manager).get(_list("reminders_suppression"))
    assert [row.address for row in _rows(response)] == ["pat@example.com"]


# --- The audit trail -------------------------------------------------------------------------


def test_an_auditor_finds_who_read_a_record_by_the_patients_name(people, sign_in) -> None:
    for patient in (people.patient, people.other_patient, people.far_patient):
        audit.record(
            "R",
            "patient.view",
            by=people.nurse,
            obj=patient,
            clinic=patient.clinic,
            patient_id=patient.pk,
        )
    response = sign_in(people.auditor).get(_list("portal_auditevent"), {"q": "Patricia"})
    found = [row for row in _rows(response) if row.verb == "patient.view"]
    assert [(row.patient_id, row.actor) for row in found] == [(people.patient.pk, people.nurse)]
    assert "Patricia O&#x27;Neill" in response.content.decode()


def test_the_audit_trail_is_searched_by_what_was_done_and_names_who_stood_in_a_list(
    people, sign_in
) -> None:
    browser = sign_in(people.nurse)
    browser.get(reverse("admin:patient_page", args=[people.patient.pk]))
    browser.get(_list("patients_patient"))
    auditor = sign_in(people.auditor)
    found = _rows(auditor.get(_list("portal_auditevent"), {"q": "Opened the record"}))
    assert {row.verb for row in found} == {"patient.view"}
    event = AuditEvent.objects.get(verb="patient.list")
    page = auditor.get(reverse("admin:portal_auditevent_change", args=[event.pk])).content.decode()
    assert "Otto Secret, H-002" in page
    assert str(people.other_patient.pk) not in page


def test_the_audit_trail_of_another_clinic_stays_there(people, sign_in) -> None:
    event = audit.record(
        "R", "patient.view", by=people.other_clerk, obj=people.far_patient, clinic=people.other_clinic,
        patient_id=people.far_patient.pk,
    )  # fmt: skip
    client = sign_in(people.auditor)
    assert event not in _rows(client.get(_list("portal_auditevent")))
    assert client.get(reverse("admin:portal_auditevent_change", args=[event.pk])).status_code == 404


def test_nobody_writes_to_the_audit_trail_by_the_admin(people, sign_in) -> None:
    event = audit.record(
        "R", "patient.view", by=people.nurse, obj=people.patient, clinic=people.clinic
    )
    client = sign_in(people.manager)
    url = reverse("admin:portal_auditevent_change", args=[event.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"verb": "nothing"}).status_code == 403


# --- Cost ------------------------------------------------------------------------------------

QUERIES = {
    "patients_patient": 9,
    "patients_episode": 10,
    "patients_appointment": 9,
    "patients_imagingrequest": 10,
    "reminders_reminder": 10,
    "reminders_message": 6,
    "reminders_suppression": 5,
    "portal_user": 7,
    "portal_location": 6,
    "portal_invitation": 6,
    "portal_auditevent": 7,
}


def _one_more(people: Any) -> None:
    """One more row in every list."""
    patient = make_patient(people.clinic)
    episode = make_episode(patient, people.adult_version)
    make_appointment(episode, location=make_location(people.clinic, name=f"Room {patient.pk}"))
    step = people.adult_version.steps.get(key="xray-window")
    ImagingRequest.objects.create(
        episode=episode, step=step, window_from=people.now.date(), window_until=people.now.date()
    )
    message = make_message(patient.user, people.clinic, [make_reminder(episode)])
    Suppression.objects.create(address=message.to_address, reason="refused")
    make_staff(people.clinic, "nurse", email=f"{patient.pk}@staff.example")
    people.clinic.refresh_from_db()
    Invitation.objects.create(
        user=message.recipient,
        clinic=people.clinic,
        invited_by=people.clerk,
        token_hash=str(patient.pk),
        expires_at=people.now,
    )
    audit.record(
        "R",
        "patient.view",
        by=people.nurse,
        obj=patient,
        clinic=people.clinic,
        patient_id=patient.pk,
    )


def _asked_for(name: str) -> list[dict[str, str]]:
    """A list as it opens, its search, and each span of days that it can be narrowed down to."""
    model_admin = admin.site._registry[apps.get_model(*name.split("_"))]
    spans = [span for one in model_admin.list_filter for span in getattr(one, "spans", ())]
    searches = [{"q": "zzz nobody"}] if model_admin.search_fields else []
    return [{}, *searches, *({"when": span} for span in spans)]


def _costs(client: Client) -> dict[str, list[int]]:
    """How many queries each list takes, asked for in each way, by the list's name; first as it opens."""
    costs: dict[str, list[int]] = {}
    for name in QUERIES:
        for query in _asked_for(name):
            with CaptureQueriesContext(connection) as captured:
                assert client.get(_list(name), query).status_code == 200
            costs.setdefault(name, []).append(len(captured))
    return costs


def test_a_list_costs_the_same_with_one_row_as_with_thirty_also_searched_and_narrowed(
    people, sign_in
) -> None:
    RelatedPerson.objects.all().delete()
    client = sign_in(people.manager)
    client.get(_list("patients_patient"))
    _one_more(people)
    of_one = _costs(client)
    for _row in range(29):
        _one_more(people)

    assert {name: costs[0] for name, costs in of_one.items()} == QUERIES
    assert _costs(client) == of_one
    assert max(map(max, of_one.values())) <= 30
