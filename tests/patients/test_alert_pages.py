"""Alerts in the staff admin: who may see and see to them, and where they stand."""

from datetime import timedelta

import pytest
from django.urls import reverse

from patients.models import Alert, CheckIn
from portal.models import AuditEvent, Role
from tests.patients.check_ins import discharged, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("questionnaires")]

LIST = reverse("admin:patients_alert_changelist")
MAY = {"manager", "surgeon", "nurse", "physiotherapist"}


@pytest.fixture
def alert(people, sign_in):
    """A fever that the patient told in Spanish, now."""
    people.patient.user.language = "es"
    people.patient.user.save()
    send(sign_in(people.patient.user), discharged(people), temperature="38.4", sickness="little")
    return Alert.objects.get()


def url(alert, what="page"):
    return reverse(f"admin:alert_{what}", args=[alert.pk])


def text(response):
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("role", Role.values)
def test_who_may_see_and_see_to_an_alert(people, alert, sign_in, role):
    client = sign_in(people.staff[role])
    expected = 200 if role in MAY else 403
    assert client.get(url(alert)).status_code == expected
    assert client.get(LIST).status_code == expected
    done = client.post(url(alert, "acknowledge"))
    assert done.status_code == (302 if role in MAY else 403)
    done = client.post(url(alert, "resolve"), {"note": "Seen."})
    assert done.status_code == (302 if role in MAY else 403)
    alert.refresh_from_db()
    assert alert.state == ("resolved" if role in MAY else "new")


def test_an_alert_of_another_clinic_does_not_exist(people, alert, sign_in):
    client = sign_in(people.other_manager)
    assert client.get(url(alert)).status_code == 404
    for what in ("acknowledge", "resolve"):
        assert client.post(url(alert, what), {"note": "x"}).status_code == 404
    assert "Fever" not in client.get(LIST).content.decode()
    assert "Fever" not in client.get(reverse("admin:index")).content.decode()
    alert.refresh_from_db()
    assert alert.state == "new"


def test_it_stands_first_on_the_first_page_until_somebody_acknowledges_it(people, alert, sign_in):
    nurse = sign_in(people.nurse)
    first = nurse.get(reverse("admin:index")).context["worklists"][0]
    assert [entry["words"] for entry in first.entries] == ["Fever: 38.4 °C, 0\xa0minutes ago"]
    nurse.post(url(alert, "acknowledge"))
    first = nurse.get(reverse("admin:index")).context["worklists"][0]
    assert (first.title, first.entries) == ("Alerts to acknowledge", [])


def test_the_page_is_in_the_clinics_language_whatever_was_read(people, alert, sign_in):
    page = sign_in(people.nurse).get(url(alert))
    said = {row.label: (row.shown, row.is_flag) for row in page.context["answers"]}
    assert said["What is your temperature?"] == ("38.4 °C", True)
    assert said["Do you feel sick?"] == ("A bit, but I can eat and drink", False)
    assert said["Do you feel hot and shivery?"] == ("No", False)


def test_reading_it_is_in_the_audit_trail(people, alert, sign_in):
    sign_in(people.nurse).get(url(alert))
    event = AuditEvent.objects.latest("id")
    assert (event.verb, event.actor, event.patient_id) == (
        "alert.view",
        people.nurse,
        people.patient.pk,
    )


def test_a_resolution_without_a_note_is_asked_for_one(people, alert, sign_in):
    page = sign_in(people.nurse).post(url(alert, "resolve"), {"note": ""})
    assert page.context["form"].errors["note"]
    alert.refresh_from_db()
    assert alert.is_open


def test_the_second_of_two_nurses_is_told_that_somebody_was_faster(people, alert, sign_in):
    sign_in(people.surgeon).post(url(alert, "acknowledge"))
    page = sign_in(people.nurse).post(url(alert, "acknowledge"), follow=True)
    assert "Somebody was faster" in text(page)
    alert.refresh_from_db()
    assert alert.acknowledged_by == people.surgeon


@pytest.mark.parametrize("page", ["", "acknowledge/", "resolve/"])
def test_a_get_changes_nothing(people, alert, sign_in, page):
    sign_in(people.nurse).get(url(alert) + page)
    alert.refresh_from_db()
    assert alert.state == "new"


@pytest.mark.parametrize(
    ("chosen", "shown"), [("", 0), ("?state=new", 0), ("?state=resolved", 1), ("?state=all", 1)]
)
def test_the_list_shows_what_is_open_unless_asked_for_more(people, alert, sign_in, chosen, shown):
    nurse = sign_in(people.nurse)
    assert nurse.get(LIST).content.decode().count("Fever: 38.4") == 1
    nurse.post(url(alert, "resolve"), {"note": "Seen."})
    assert nurse.get(LIST + chosen).content.decode().count("Fever: 38.4") == shown


def test_the_patients_page_shows_check_ins_their_course_and_open_alerts(
    people, alert, sign_in, stopped_clock
):
    stopped_clock.shift(timedelta(days=1))
    send(sign_in(people.patient.user), people.episode)
    page = sign_in(people.nurse).get(reverse("admin:patient_page", args=[people.patient.pk]))
    assert page.context["check_ins"] == list(CheckIn.objects.all())
    assert [trend.key for trend in page.context["trends"]] == ["pain", "temperature"]
    assert url(alert) in text(page)


@pytest.mark.parametrize("role", ["clerk", "radiographer", "auditor"])
def test_others_do_not_see_check_ins_on_the_patients_page(people, alert, sign_in, role):
    client = sign_in(people.staff[role])
    page = client.get(reverse("admin:patient_page", args=[people.patient.pk]))
    assert page.status_code == 200
    assert "38.4" not in text(page)


def raise_alerts(people, sign_in, count):
    signs = [{"temperature": "39"}, {"breathing": "yes"}, {"pain_held": "no"}]
    client, episode = sign_in(people.patient.user), discharged(people)
    for changed in signs[:count]:
        send(client, episode, **changed)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_for_one_and_for_three(
    people, sign_in, rows, django_assert_num_queries
):
    raise_alerts(people, sign_in, rows)
    nurse = sign_in(people.nurse)
    nurse.get(LIST)
    with django_assert_num_queries(9):
        page = nurse.get(LIST)
    assert len(page.context["cl"].result_list) == rows
