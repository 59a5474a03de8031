"""A canary in another patient's record: it sings on no page, in no mail, calendar, download or error of this one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client
from django.urls import reverse
from icalendar import Calendar

from patients.actions import reset_feed
from patients.actions.consents import decide_consent
from patients.models import Patient, PlanRequest
from portal.models import User
from portal.once import new_ticket
from reminders.models import Message, Reminder
from reminders.pipeline import dispatch
from tests.factories import NOW, make_appointment, make_message, make_reminder
from tests.guards.routes import TABLE
from tests.patients.consents import decided, published
from tests.patients.exercises import make_exercise, prescribed
from tests.patients.smoking import slip
from tests.patients.wishes import wished

pytestmark = pytest.mark.django_db
CANARY = "Kanarienvogel"
# Free text by type; the keys and states of the machine are of no use to a reader.
TEXT = (models.CharField, models.TextField)
NOT_TEXT = (models.SlugField,)
KEPT = {
    "portal.User": {"password", "language", "time_zone"},
    "reminders.Message": {"message_id"},
    # Words under which staff find people, and names of events: each of them once.
    "patients.PatientWord": {"word"},
    "patients.AnchorDate": {"anchor"},
}


def rows_about(patient: Patient) -> list[models.Model]:
    """Every row that leads to the patient by its keys, and the patient's login."""
    found: dict[tuple[type, Any], models.Model] = {}
    waiting: list[Any] = [patient, patient.user]
    while waiting:
        row = waiting.pop()
        if (type(row), row.pk) in found:
            continue
        found[type(row), row.pk] = row
        for relation in row._meta.related_objects:
            if relation.related_model._meta.app_label in {"patients", "reminders"}:
                rows = relation.related_model._base_manager.filter(**{relation.field.name: row})
                waiting.extend(rows)
    return list(found.values())


def plant(row: models.Model) -> int:
    """Put the canary into every free text of a row, past the model: some rows refuse a change. How many."""
    label = row._meta.label
    fields = [
        field
        for field in row._meta.concrete_fields
        if isinstance(field, TEXT)
        and not isinstance(field, NOT_TEXT)
        and not field.choices
        and not field.unique
        and field.max_length not in {32, 64, 10}
        and field.name not in KEPT.get(label, set())
    ]
    for field in fields:
        value = f"{CANARY}@example.com" if isinstance(field, models.EmailField) else CANARY
        table, column, key = (
            connection.ops.quote_name(name)
            for name in (row._meta.db_table, field.column, row._meta.pk.column)
        )
        with connection.cursor() as cursor:
            pk = row._meta.pk.get_db_prep_value(row.pk, connection)
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [value, pk])
    return len(fields)


@pytest.fixture
def planted(people):
    """The other patient's record with something of everything, and the canary in all of it."""
    other, episode = people.other_patient, people.other_episode
    visit = make_appointment(episode, location=people.location)
    wished(people, visit, by=other.user)
    episode.anchor_dates.create(anchor="quit", on=NOW.date())
    episode.refresh_from_db()
    slip(type(episode).objects.get(pk=episode.pk), NOW.date())
    prescribed(people, episode=episode, exercise=make_exercise("canary"))
    form = published(people)
    decided(episode, form, now=NOW, by=other.user)
    decide_consent(
        episode=episode, form=form, language="en-gb", digest=form.digest("en-gb"), decision="question",
        by=other.user, now=NOW, ticket=new_ticket(), note="?",
    )  # fmt: skip
    xray = episode.imaging_requests.get()
    xray.status, xray.result_note, xray.resulted_at, xray.resulted_by = (
        "completed",
        "x",
        NOW,
        people.surgeon,
    )
    xray.released_at, xray.released_by = NOW, people.surgeon
    xray.save()
    row = make_reminder(episode, people.adult_version.steps.get(key="insurer"))
    make_message(other.user, people.clinic, [row])
    count = sum(plant(row) for row in rows_about(other))
    assert count >= 30
    assert User.objects.get(pk=other.user.pk).name == CANARY
    return people


def addresses(people, visit, patient_only=()):
    """Every route, at rows of the patient and at rows of the other."""
    other = people.other_episode
    theirs = {
        "patients:appointment": other.appointments.get().pk,
        "patients:appointment_calendar": other.appointments.get().pk,
        "patients:appointment_confirm": other.appointments.get().pk,
        "patients:appointment_ask_move": other.appointments.get().pk,
        "patients:move_request_withdraw": other.appointments.get().move_requests.get().pk,
        "patients:slip_log": other.pk,
        "patients:slip_withdraw": other.slips.get().pk,
        "patients:exercise_log": other.prescriptions.get().pk,
        "reminders:message": Message.objects.get(recipient=people.other_patient.user).pk,
        "reminders:message_html": Message.objects.get(recipient=people.other_patient.user).pk,
        "reminders:why": Reminder.objects.filter(episode=other).first().pk,
        "reminders:answer": Reminder.objects.filter(episode=other).first().pk,
    }
    found = [reverse(name, args=[pk]) for name, pk in theirs.items()]
    found += [reverse("patients:appointment", args=[visit.pk])]
    found += [
        reverse("patients:consent", args=[row.pk, "surgery"]) for row in (other, people.episode)
    ]
    found += [
        reverse("reminders:my_data_file", args=[form]) for form in ("html", "pdf", "json", "fhir")
    ]
    return found + [url for name in TABLE if (url := _plain(name))]


def _plain(name: str) -> str:
    try:
        return reverse(name)
    except Exception:
        return ""


@pytest.mark.parametrize(
    "who", ["patient", "carer", "former_carer", "nobody", "mother", "far_patient"]
)
def test_no_page_and_no_answer_to_a_form_sings(planted, sign_in, who):
    person = getattr(planted, who)
    browser = sign_in(getattr(person, "user", person))
    visit = make_appointment(planted.episode)
    asked = addresses(planted, visit)
    assert len(asked) > 35
    for address in asked:
        for answer in (
            browser.get(address),
            browser.post(address, {"patient": str(planted.other_patient.pk)}),
        ):
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert CANARY.encode() not in body, address
            assert CANARY not in str(dict(answer.headers)), address


def test_the_walk_would_hear_it(planted, sign_in):
    """The other patient's own pages do sing: the canary is where it would show."""
    browser = sign_in(planted.other_patient.user)
    visit = planted.other_episode.appointments.get()
    heard = {
        address for address in addresses(planted, visit)
        if CANARY.encode() in browser.get(address).content
    }  # fmt: skip
    for name in (
        "patients:appointments",
        "patients:smoke_free",
        "reminders:today",
        "patients:exercises",
    ):
        assert reverse(name) in heard
    assert reverse("reminders:my_data_file", args=["json"]) in heard


def test_no_calendar_sings(planted, client):
    make_appointment(planted.episode)
    token = reset_feed(user=planted.patient.user, by=planted.patient.user, now=NOW)
    body = client.get(reverse("patients:calendar_feed_file", args=[token])).content
    assert Calendar.from_ical(body).walk("VEVENT")
    assert CANARY.encode() not in body


def test_no_mail_sings(planted):
    row = make_reminder(planted.episode, planted.adult_version.steps.get(key="pack-bag"))
    PlanRequest.objects.all().delete()
    dispatch(now=NOW)
    row.refresh_from_db()
    mail = row.message
    assert mail is not None, (
        row.state,
        row.reason,
        row.attempts,
        list(row.decisions.values_list("gate", "value")),
    )
    assert CANARY not in mail.subject + mail.text + mail.html + mail.calendar + str(mail.headers)


def test_no_error_page_sings(planted, sign_in, monkeypatch):
    """An error while another's record is at hand says nothing of it."""
    browser = sign_in(planted.patient.user)
    browser.raise_request_exception = False

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(import_module("patients.views.xrays"), "clinic_values", broken)
    answer = browser.get(reverse("patients:xrays"))
    assert answer.status_code == 500
    assert CANARY.encode() not in answer.content
    missing = Client().get(f"/{CANARY}/")
    assert missing.status_code == 404
