"""Check-ins on the web: the form, what it says afterwards, and who may see it."""

import re
from datetime import time, timedelta

import pytest
from django.urls import reverse

from patients.actions import open_episode
from patients.models import Alert, CheckIn, RelatedPerson
from portal.models import Clinic
from tests.patients.check_ins import answers_for, discharged, send, send_home

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("questionnaires")]

FORM = reverse("patients:check_in")
HISTORY = reverse("patients:check_in_history")
PAYLOAD = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'{{7*7}}"


@pytest.fixture
def episode(people):
    return discharged(people)


@pytest.fixture
def patient(people, episode, sign_in):
    return sign_in(people.patient.user)


def text(response):
    return " ".join(response.content.decode().split())


def test_the_form_asks_every_question_of_the_stage(patient):
    page = patient.get(FORM)
    asked = list(page.context["form"].fields)
    assert asked == [
        "ticket", "pain", "pain-held", "pain-trend", "temperature", "temperature-unit", "shivering",
        "wound-leak", "wound-red", "wound-bleeding", "breathing", "clot", "numbness", "sickness",
        "mood", "note",
    ]  # fmt: skip
    assert "This page is not watched round the clock." in text(page)


def test_what_somebody_typed_stands_on_no_other_page(patient, episode, people):
    """Questions that nobody answered are kept for all; an answer never is."""
    empty = text(patient.get(FORM))
    refused = text(send(patient, episode, pain="", temperature="39.4", note="Only mine"))

    assert "Only mine" in refused
    assert "39.4" in refused
    again = text(patient.get(FORM))
    assert "Only mine" not in again
    assert "39.4" not in again
    assert (again.count("checked"), again.count("<input")) == (
        empty.count("checked"),
        empty.count("<input"),
    )


def test_no_warning_sign_is_said_calmly(patient, episode):
    page = send(patient, episode)
    assert page.redirect_chain[-1][0] == reverse(
        "patients:check_in_result", args=[CheckIn.objects.get().pk]
    )
    assert "None of them is a warning sign." in text(page)
    assert "not watched round the clock" in text(page)


@pytest.fixture
def open_by_day(people):
    """The clinic answers on weekdays from 8 to 18, London time."""
    Clinic.objects.filter(pk=people.clinic.pk).update(
        emergency_phone="999", open_days="12345", opens_at=time(8), closes_at=time(18)
    )


@pytest.mark.parametrize(
    ("hours", "changed", "first", "said"),
    [
        (0, {"temperature": "38.4"}, "020 7946 0001", "The clinic is open now."),
        (8, {"temperature": "38.4"}, "020 7946 0002", "The clinic is closed now."),
        (14, {"pain_trend": "more"}, "020 7946 0002", "The clinic is closed now."),
        (24 * 5, {"temperature": "38.4"}, "020 7946 0002", "The clinic is closed now."),
        (14, {"breathing": "yes"}, "999", "In an emergency call 999."),
    ],
)
def test_a_warning_sign_names_the_one_number_that_answers_now(
    people, episode, sign_in, stopped_clock, open_by_day, hours, changed, first, said
):
    stopped_clock.shift(timedelta(hours=hours))
    page = send(sign_in(people.patient.user), episode, **changed)
    numbers = re.findall(r'class="btn sw-btn sw-btn-main[^"]*" href="tel:([^"]+)"', text(page))
    assert numbers == [first.replace(" ", "")]
    assert said in text(page)


@pytest.mark.usefixtures("open_by_day")
def test_every_page_tells_of_an_emergency_in_the_readers_language(people, patient, episode):
    type(people.patient.user).objects.filter(pk=people.patient.user_id).update(language="es")
    for page in (patient.get(FORM), send(patient, episode, breathing="yes")):
        assert page.text.count("En una emergencia llame al 999.") > 2
        assert "In an emergency call 999." not in page.text


def test_where_the_hours_are_not_known_both_numbers_stand_there(patient, episode):
    page = text(send(patient, episode, temperature="38.4"))
    assert 'sw-btn-wide" href="tel:' not in page
    assert "020 7946 0001" in page
    assert "At any other time" in page
    assert "020 7946 0002" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"breathing": "yes"}, ["Get emergency help now", "In an emergency call 999."]),
        ({"temperature": "38"}, ["Call the clinic now, day or night", "020 7946 0002"]),
        ({"temperature": "100.4", "temperature_unit": "fahrenheit"}, ["Call the clinic now"]),
        ({"temperature": "38,2"}, ["Fever"]),
        ({"pain_trend": "more"}, ["Please call the clinic today", "020 7946 0001"]),
    ],
)
def test_a_warning_sign_says_what_to_do_and_whom_to_call(patient, episode, changed, said):
    page = text(send(patient, episode, **changed))
    for words in [*said, "not watched round the clock"]:
        assert words in page
    assert "None of them is a warning sign." not in page


def test_what_was_answered_stands_in_the_words_that_were_read(patient, episode):
    send(patient, episode, temperature="100", temperature_unit="fahrenheit", note="Bad night.")
    rows = {row["key"]: (row["value"], row["shown"]) for row in CheckIn.objects.get().answers}
    assert rows["temperature"] == (37.78, "100 °F (37.8 °C)")
    assert rows["numbness"] == ("cut", "Only the skin near the cut")
    assert rows["pain"] == (3, "3")
    assert rows["shivering"] == (False, "No")
    assert rows["note"] == ("Bad night.", "Bad night.")


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"breathing": ""}, "breathing", "Please answer this question."),
        ({"temperature": "hot"}, "temperature", "Write a number, such as 37.5."),
        ({"temperature": "1e9"}, "temperature", "Write a number, such as 37.5."),
        ({"temperature": "NaN"}, "temperature", "Write a number, such as 37.5."),
        ({"temperature": "37.55"}, "temperature", "Write a number, such as 37.5."),
        ({"temperature": "101"}, "temperature", "this cannot be a temperature in °C"),
        ({"temperature": "38", "temperature_unit": "fahrenheit"}, "temperature", "in °F"),
        ({"pain": "11"}, "pain", "Please choose one of those that are shown."),
        ({"numbness": "everywhere"}, "numbness", "Please choose one of those that are shown."),
        ({"note": "x" * 1001}, "note", "no more than 1000 fit"),
    ],
)
def test_a_mistake_is_said_at_the_field_and_nothing_typed_is_lost(
    patient, episode, changed, field, said
):
    page = patient.post(FORM, answers_for(episode, **{"note": "Bad night.", **changed}))
    assert page.status_code == 200
    assert said in " ".join(page.context["form"].errors[field])
    assert "<title> Error:" in text(page)
    assert f'href="#id_{field}' in text(page)
    assert page.context["form"]["pain-trend"].value() == "less"
    assert text(page).count(" checked") >= len(page.context["form"].questions) - 4
    assert not CheckIn.objects.exists()


def test_without_a_thermometer_the_temperature_is_left_out(patient, episode):
    send(patient, episode, temperature="")
    assert "temperature" not in CheckIn.objects.get().values


def test_a_double_press_makes_one_check_in(patient, episode):
    data = answers_for(episode, breathing="yes")
    first, second = patient.post(FORM, data), patient.post(FORM, data)
    assert first.url == second.url
    assert (CheckIn.objects.count(), Alert.objects.get().times) == (1, 1)


def test_free_text_is_shown_as_text(patient, episode, people, sign_in):
    page = send(patient, episode, note=PAYLOAD, breathing="yes")
    assert "<script>alert" not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()
    nurse = sign_in(people.nurse).get(reverse("admin:alert_page", args=[Alert.objects.get().pk]))
    assert "<script>alert('x')" not in nurse.content.decode()
    assert "&lt;script&gt;" in nurse.content.decode()


def test_before_going_home_there_is_nothing_to_ask_and_a_number_to_call(people, sign_in):
    page = sign_in(people.other_patient.user).get(FORM)
    assert "No questions for today" in text(page)
    assert "020 7946 0001" in text(page)


def test_a_parent_reads_of_the_child_and_not_of_themselves(people, sign_in):
    browser = sign_in(people.mother)
    history = text(browser.get(HISTORY))
    assert "Once Kim is home after surgery, you can tell us here how it goes." in history
    assert "> How Kim is doing </a>" in history
    assert "<h1> How Kim is doing </h1>" in text(browser.get(FORM))


def test_a_closed_plan_says_so(patient, episode):
    data = answers_for(episode)
    type(episode).objects.filter(pk=episode.pk).update(status="finished")
    page = patient.post(FORM, data)
    assert "This plan is closed. Please call the clinic." in text(page)
    assert not CheckIn.objects.exists()


def test_words_that_are_not_translated_are_shown_in_english_and_say_so(patient, people):
    people.patient.user.language = "ar"
    people.patient.user.save()
    page = patient.get(FORM)
    assert 'lang="en-gb"' in text(page)
    assert page.context["stage"].is_translated is False
    people.patient.user.language = "es"
    people.patient.user.save()
    page = patient.get(FORM)
    assert page.context["stage"].title == "¿Cómo se encuentra?"
    assert page.context["stage"].is_translated is True


# --- Who may ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["other", "far", "former_carer", "nobody", "nurse", "mother"])
def test_nobody_else_opens_or_answers_it(patient, episode, people, sign_in, who):
    send(patient, episode)
    users = {"other": people.other_patient.user, "far": people.far_patient.user}
    client = sign_in(users.get(who) or getattr(people, who))
    sent = CheckIn.objects.get()
    assert client.get(reverse("patients:check_in_result", args=[sent.pk])).status_code == 404
    assert client.post(FORM, answers_for(episode)).status_code == 404
    assert CheckIn.objects.count() == 1


def test_a_stranger_is_sent_to_sign_in(client, episode):
    for url in (FORM, HISTORY):
        assert client.get(url).url.startswith("/accounts/login/")


def test_a_history_holds_nobody_elses(patient, episode, people, sign_in):
    send(patient, episode, note="CANARY")
    page = sign_in(people.other_patient.user).get(HISTORY)
    assert (page.status_code, list(page.context["sent"])) == (200, [])


def test_a_history_leads_on_while_there_is_more_to_come(patient, episode):
    send(patient, episode)
    assert "Answer a check-in" in text(patient.get(HISTORY))
    type(episode).objects.update(status="finished")
    assert "Answer a check-in" not in text(patient.get(HISTORY))


def test_access_that_ends_while_the_form_is_open_ends_there(people, episode, sign_in):
    carer = sign_in(people.carer)
    assert carer.get(FORM).status_code == 200
    RelatedPerson.objects.filter(user=people.carer).update(ended_at=people.now)
    assert carer.post(FORM, answers_for(episode)).status_code == 404
    assert not CheckIn.objects.exists()


def test_a_parent_answers_for_the_child(people, sign_in):
    send_home(people.child_episode, days_ago=4, now=people.now)
    page = send(
        sign_in(people.mother), people.child_episode, questionnaire="child-first-weeks", skin="yes"
    )
    assert "Red or sore spot on the skin" in text(page)
    assert (CheckIn.objects.get().by, CheckIn.objects.get().is_on_behalf) == (people.mother, True)
    assert Alert.objects.get().patient == people.child


def test_a_form_stays_with_the_child_it_was_made_for(people, sign_in):
    """The other child was chosen in another tab meanwhile."""
    send_home(people.child_episode, days_ago=4, now=people.now)
    mother = sign_in(people.mother)
    mother.post(reverse("patients:switch_patient"), {"patient": str(people.sibling.pk)})
    send(mother, people.child_episode, questionnaire="child-first-weeks")
    assert CheckIn.objects.get().episode == people.child_episode


def test_a_carer_for_visits_alone_cannot_answer_or_read(patient, people, episode, sign_in):
    send(patient, episode)
    RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
    carer = sign_in(people.carer)
    for url in (
        FORM,
        HISTORY,
        reverse("patients:check_in_result", args=[CheckIn.objects.get().pk]),
    ):
        assert carer.get(url).status_code == 404
    assert carer.post(FORM, answers_for(episode)).status_code == 404
    assert FORM not in carer.get(reverse("reminders:today")).content.decode()


@pytest.mark.parametrize("episode_id", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_an_episode_that_does_not_exist_is_not_found(patient, episode, episode_id):
    data = {**answers_for(episode), "episode": episode_id}
    assert patient.post(FORM, data).status_code == 404


@pytest.fixture
def two(people, episode):
    """The other hip was operated on too; who is at home from both."""
    other = open_episode(
        patient=people.patient, version=people.adult_version, side="right", surgery_on=people.surgery_on,
        surgeon=people.surgeon, by=people.clerk, now=people.now,
    )  # fmt: skip
    return episode, send_home(other, days_ago=20, now=people.now)


def test_with_two_operations_each_has_its_questions(patient, two):
    page = patient.get(FORM)
    ways = set(re.findall(r'href="/check-in/(\?episode=[^"]+)"', page.text))
    shown = page.context["stage"].episode
    (rest,) = (one for one in two if one != shown)
    assert ways == {f"?episode={rest.pk}"}
    other = patient.get(FORM, {"episode": str(rest.pk)})
    assert other.context["stage"].episode == rest
    assert f"?episode={shown.pk}" in other.text
    for one in two:
        stage = patient.get(FORM, {"episode": str(one.pk)}).context["stage"]
        send(patient, one, questionnaire=stage.questionnaire.key)
    assert {row.episode for row in CheckIn.objects.all()} == set(two)


def test_with_one_operation_there_is_nothing_to_choose(patient, episode):
    assert "?episode=" not in patient.get(FORM).text


@pytest.mark.parametrize("wanted", ["x", "00000000-0000-0000-0000-000000000000", "other"])
def test_a_foreign_episode_in_the_address_says_nothing(people, patient, episode, wanted):
    send_home(people.other_episode, days_ago=4, now=people.now)
    named = str(people.other_episode.pk) if wanted == "other" else wanted
    assert patient.get(FORM, {"episode": named}).context["stage"].episode == episode


# --- The course -----------------------------------------------------------------------------------------


@pytest.fixture
def send_daily(people, episode, sign_in, stopped_clock):
    """`send_daily({...}, {...})` sends one check-in a day; returns a browser of the last day."""

    def _send(*days):
        for changed in days:
            send(sign_in(people.patient.user), episode, **changed)
            stopped_clock.shift(timedelta(days=1))
        return sign_in(people.patient.user)

    return _send


def test_the_course_of_pain_and_temperature_is_a_picture_and_a_table(send_daily):
    patient = send_daily(
        {"pain": "6", "temperature": "37.2"},
        {"pain": "4", "temperature": "36.9"},
        {"pain": "2", "temperature": "36.8"},
    )
    page = patient.get(HISTORY)
    pain, temperature = page.context["trends"]
    assert pain.line == "0.0,40.0 150.0,60.0 300.0,80.0"
    assert [point.shown for point in temperature.newest_first] == [36.8, 36.9, 37.2]
    assert 'role="img"' in text(page)
    assert len(page.context["sent"]) == 3


def test_one_measurement_is_no_course(patient, episode):
    send(patient, episode)
    assert patient.get(HISTORY).context["trends"] == []


def test_the_step_of_today_leads_to_the_form_until_it_is_answered(planned, sign_in, stopped_clock):
    from reminders.reconciler import reconcile  # a page of reminders, about a check-in

    send_home(planned.episode, days_ago=3, now=planned.now)
    reconcile(planned.episode, now=planned.now)
    patient = sign_in(planned.patient.user)
    today = reverse("reminders:today")
    way = f"{FORM}?episode={planned.episode.pk}"
    assert f'href="{way}">Answer the check-in' in text(patient.get(today))
    send(patient, planned.episode)
    page = text(patient.get(today))
    assert ">Answer the check-in" not in page


# --- How much it costs --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3])
def test_the_history_costs_the_same_for_one_and_for_many(
    send_daily, rows, django_assert_num_queries
):
    patient = send_daily(*[{}] * rows)
    with django_assert_num_queries(12):
        patient.get(HISTORY)


def test_the_form_costs_at_most_fifteen_queries(patient, django_assert_max_num_queries):
    patient.get(HISTORY)
    with django_assert_max_num_queries(15):
        page = patient.get(FORM)
    assert len(page.content) < 60_000
