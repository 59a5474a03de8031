"""Two parents of one child see the same child, and on no page, in no file and in no feed how to reach the other."""

import json

import pytest
from django.urls import NoReverseMatch, reverse

from patients.actions import answer_move_request, answer_step, log_exercise, reset_feed
from patients.actions.contacts import correct_phone
from patients.models import CheckIn, RelatedPerson
from tests.factories import NOW, make_appointment
from tests.guards.routes import TABLE
from tests.patients.check_ins import answers_for, send_home
from tests.patients.consents import decided, published
from tests.patients.exercises import make_exercise, prescribed
from tests.patients.wishes import wished

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("questionnaires")]
FATHERS = ("Finn", "finn@example.com", "01632 960777", "07700 900777")
PHONE = reverse("patients:contact_phone")


@pytest.fixture
def by_father(people, sign_in):
    """The child's record, with all that a father can leave in it."""
    child, episode, father = people.child, people.child_episode, people.father
    send_home(episode, days_ago=4, now=people.now)
    make_exercise("kicks")
    row = prescribed(people, "leg-lift", episode=episode, audience="child")
    log_exercise(prescription=row, round=1, by=father, now=NOW)
    visit = make_appointment(episode, location=people.location)
    wished(people, visit, by=father, reason="I am Finn, I work", wishes="Call 07700 900777")
    correct_phone(patient=child, phone="01632 960777", by=father, now=NOW)
    form = published(people)
    decided(episode, form, now=NOW, by=father, signed_name="Finn Kidd")
    decided(episode, form, "question", now=NOW, by=father, note="Call 07700 900777?")
    answer_step(
        episode=episode, step=people.child_version.steps.get(key="pack-toys"), occurrence=0, answer="question",
        by=father, now=NOW, note="Call 07700 900777!",
    )  # fmt: skip
    told = answers_for(episode, questionnaire="child-first-weeks")
    answer = sign_in(father).post(reverse("patients:check_in"), told)
    assert answer.status_code == 302
    return people


def addresses(people):
    """Every page of a reader, and each row of the child's."""
    episode = people.child_episode
    rows = {
        "patients:appointment": episode.appointments.get().pk,
        "patients:appointment_ask_move": episode.appointments.get().pk,
        "patients:check_in_result": CheckIn.objects.get(episode=episode).pk,
    }
    found = [reverse(name, args=[pk]) for name, pk in rows.items()]
    found.append(reverse("patients:consent", args=[episode.pk, "surgery"]))
    found += [reverse("reminders:my_data_file", args=[form]) for form in ("html", "json", "fhir")]
    for name in TABLE:
        try:
            found.append(reverse(name))
        except NoReverseMatch:  # It has keys: those of readers stand above.
            continue
    return found


def test_nothing_of_the_father_shows_to_the_mother(by_father, sign_in):
    browser = sign_in(by_father.mother)
    browser.post(reverse("patients:switch_patient"), {"patient": str(by_father.child.pk)})
    asked = addresses(by_father)
    assert len(asked) > 30
    shown = {
        (address, words)
        for address in asked
        for words in FATHERS
        if words in browser.get(address).text
    }
    assert shown == set()


def test_he_reads_it_himself(by_father, sign_in):
    """The walk would find it: on his own pages it stands."""
    browser = sign_in(by_father.father)
    heard = {
        words
        for address in addresses(by_father)
        for words in FATHERS
        if words in browser.get(address).text
    }
    assert heard == {"Finn", "finn@example.com", "07700 900777"}


def test_her_calendar_is_silent(by_father, client):
    token = reset_feed(user=by_father.mother, by=by_father.mother, now=NOW)
    feed = client.get(reverse("patients:calendar_feed_file", args=[token])).text
    assert "VEVENT" in feed
    assert not any(words in feed for words in FATHERS)


def test_the_same_is_said_without_the_name(by_father, sign_in):
    browser = sign_in(by_father.mother)
    browser.post(reverse("patients:switch_patient"), {"patient": str(by_father.child.pk)})
    for name in ("patients:check_in_history", "patients:consents", "patients:who_can_see"):
        assert "Another parent or carer" in browser.get(reverse(name)).text, name
    found = json.loads(browser.get(reverse("reminders:my_data_file", args=["fhir"])).text)
    signed = [one["resource"] for one in found["entry"] if one["resource"]["resourceType"] == "Consent"]  # fmt: skip
    assert {row["performer"][0]["display"] for row in signed} == {"Another parent or carer"}


def test_the_fathers_wish_is_not_told_as_hers(by_father, sign_in):
    visit = by_father.child_episode.appointments.get()
    path = reverse("patients:appointment", args=[visit.pk])
    mother, father = sign_in(by_father.mother), sign_in(by_father.father)
    assert "Somebody else asked for another time." in mother.get(path).text
    assert "You asked for another time." in father.get(path).text
    answer_move_request(
        wish=visit.move_requests.get(), reply="Finn, we cannot.", by=by_father.clerk, now=NOW
    )
    assert "Finn, we cannot." in father.get(path).text
    page = mother.get(path).text
    assert "the clinic has answered" in page
    assert "Finn" not in page


class TestPhone:
    def test_with_two_parents_it_is_shown_to_neither_and_is_not_lost(self, by_father, sign_in):
        for parent in (by_father.mother, by_father.father):
            browser = sign_in(parent)
            browser.post(reverse("patients:switch_patient"), {"patient": str(by_father.child.pk)})
            page = browser.get(PHONE).text
            assert "We do not show it here" in page
            assert "Error" in browser.post(PHONE, {"phone": ""}).text
        by_father.child.refresh_from_db()
        assert by_father.child.phone == "01632 960777"

    def test_either_can_write_another(self, by_father, sign_in):
        browser = sign_in(by_father.mother)
        browser.post(reverse("patients:switch_patient"), {"patient": str(by_father.child.pk)})
        browser.post(PHONE, {"phone": "01632 960888"})
        by_father.child.refresh_from_db()
        assert by_father.child.phone == "01632 960888"

    def test_of_one_parent_alone_it_is_the_own(self, people, sign_in):
        correct_phone(patient=people.sibling, phone="01632 960999", by=people.mother, now=NOW)
        RelatedPerson.objects.filter(user=people.mother, patient=people.child).delete()
        browser = sign_in(people.mother)
        assert "01632 960999" in browser.get(PHONE).text
        assert "01632 960999" in browser.get(reverse("reminders:my_data")).text

    def test_the_patient_reads_it(self, people, sign_in):
        assert people.patient.phone in sign_in(people.patient.user).get(PHONE).text
