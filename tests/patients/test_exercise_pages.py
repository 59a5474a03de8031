"""The exercises page: the list, the tick, the pain, the picture, one exercise alone, and who may see it."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import translation

from patients.actions import end_prescription, log_exercise
from patients.exercise_days import _dose, span_of
from patients.models import ExerciseLog, Prescription, RelatedPerson
from portal.models import AuditEvent
from tests.factories import NOW, make_reminder
from tests.patients.exercises import prescribed

pytestmark = pytest.mark.django_db
PAGE = reverse("patients:exercises")
PAYLOAD = "<script>alert('x')</script>\"'{{7*7}}"


@pytest.fixture
def row(people):
    return prescribed(people, times_a_day=2)


@pytest.fixture
def patient(people, sign_in):
    return sign_in(people.patient.user)


def text(response):
    return " ".join(response.content.decode().split())


def log_url(row):
    return reverse("patients:exercise_log", args=[row.pk])


def own_url(row):
    return reverse("patients:exercise", args=[row.pk])


def button(response, name):
    """Where the one button of this name leads, and what it sends."""
    (found,) = re.findall(rf'formaction="([^"]*)" name="{name}" value="([^"]*)"', text(response))
    return found


def discs(page, kind):
    """How many days a part of the picture holds: each begins anew."""
    found = re.search(rf'<path class="{kind}" d="([^"]*)" />', page)
    return found[1].count("M")


def test_the_list_says_how_and_how_much(patient, row):
    page = text(patient.get(PAGE))
    for words in ("Heel slide", "2 sets of 10", "2 times a day", "Lie down.", "0 of 2 done"):
        assert words in page


def test_without_a_prescription_it_says_what_comes(patient):
    assert "No exercises for today" in text(patient.get(PAGE))


def test_one_tap_ticks_off_without_javascript(patient, row):
    assert button(patient.get(PAGE), "round") == (log_url(row), "1")
    answer = patient.post(log_url(row), {"round": "1"}, follow=True)
    assert answer.redirect_chain == [(f"{PAGE}#exercise-{row.pk}", 302)]
    assert "1 of 2 done" in text(answer)
    assert "Done, time 2 of 2" in text(answer)
    assert ExerciseLog.objects.get().by == row.episode.patient.user


def test_with_htmx_the_list_and_the_picture_come_back_alone(patient, row):
    answer = patient.post(log_url(row), {"round": "1"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "<html" not in text(answer)
    assert "1 of 2 done" in text(answer)
    assert "As a table" in text(answer)


def test_what_is_finished_takes_the_focus_of_its_button(patient, row):
    focus = f'id="exercise-{row.pk}" tabindex="-1" autofocus'
    answers = [
        patient.post(log_url(row), {"round": number}, headers={"HX-Request": "true"})
        for number in (1, 2)
    ]
    assert [focus in text(answer) for answer in answers] == [False, True]


def test_a_day_that_is_half_done_is_a_ring_with_a_core(patient, row):
    patient.post(log_url(row), {"round": "1"})
    page = text(patient.get(PAGE))
    assert discs(page, "sw-month-day sw-month-some") == discs(page, "sw-month-part") == 1
    assert discs(page, "sw-month-day sw-month-all") == 0


def test_a_double_press_ticks_off_once(patient, row):
    for _press in range(2):
        patient.post(log_url(row), {"round": "1"})
    assert ExerciseLog.objects.count() == 1
    assert AuditEvent.objects.filter(verb="exercise.log").count() == 1


def test_all_done_is_praised(patient, row):
    for number in (1, 2):
        patient.post(log_url(row), {"round": number})
    assert "All done for today." in text(patient.get(PAGE))


def test_a_tick_can_be_taken_back(patient, row):
    patient.post(log_url(row), {"round": "1"})
    assert button(patient.get(PAGE), "undo") == (log_url(row), "1")
    answer = patient.post(log_url(row), {"undo": "1"}, follow=True)
    assert "0 of 2 done" in text(answer)
    assert not ExerciseLog.objects.exists()


def test_pain_is_told_if_one_likes(patient, row):
    patient.post(log_url(row), {"round": "1"})
    answer = patient.post(
        log_url(row), {"round": "1", "pain_before": "0", "pain_after": "3"}, follow=True
    )
    assert "0 before, 3 after" in text(answer)
    assert ExerciseLog.objects.values_list("pain_before", "pain_after").get() == (0, 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"round": "1", "pain_after": "11"}, "Choose pain from 0 to 10"),
        ({"round": "one"}, "Choose pain from 0 to 10"),
        ({}, "Choose pain from 0 to 10"),
        ({"round": "1", "undo": "1"}, "Choose pain from 0 to 10"),
        ({"round": "3"}, "not on today&#x27;s list"),
    ],
)
def test_what_cannot_be_is_refused_in_words(patient, row, data, said):
    assert said in text(patient.post(log_url(row), data, follow=True))
    htmx = patient.post(log_url(row), data, headers={"HX-Request": "true"})
    assert said in text(htmx)
    assert not ExerciseLog.objects.exists()


def test_a_note_is_shown_as_text(patient, people):
    prescribed(people, note=PAYLOAD)
    page = patient.get(PAGE).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_a_tick_stays_a_tick_where_the_picture_is_turned(patient, people, row):
    for number in (1, 2):
        patient.post(log_url(row), {"round": number})
    assert "l4 4 8-8" in text(patient.get(PAGE))
    people.patient.user.language = "ar"
    people.patient.user.save()
    # Only the key to the picture, which is not turned, has it as it was.
    page = text(patient.get(PAGE))
    assert (page.count("l-4 4-8-8"), page.count("l4 4 8-8")) == (1, 1)


def test_the_picture_counts_days_and_forgives_gaps(patient, people):
    row = prescribed(people, starts_on=NOW.date() - timedelta(days=9))
    for days in (9, 8, 5, 2, 1):
        log_exercise(
            prescription=row, round=1, by=people.patient.user, now=NOW - timedelta(days=days)
        )
    page = text(patient.get(PAGE))
    assert "You did exercises on 5 of 10 days. 2 days in a row." in page
    assert discs(page, "sw-month-day sw-month-all") == 5
    assert discs(page, "sw-month-tick") == 5
    assert discs(page, "sw-month-day sw-month-none") == 5
    assert discs(page, "sw-month-day sw-month-some") == 0
    assert discs(page, "sw-month-rest") == 18
    assert "just go on with the next" in page


def test_what_was_ended_leaves_the_list_and_stays_in_the_picture(patient, people):
    row = prescribed(people, starts_on=NOW.date() - timedelta(days=2))
    log_exercise(prescription=row, round=1, by=people.patient.user, now=NOW - timedelta(days=1))
    end_prescription(prescription=row, by=people.physiotherapist, now=NOW)
    page = text(patient.get(PAGE))
    assert "No exercises for today" in page
    assert "You did exercises on 1 of 2 days." in page


def test_a_closed_plan_has_no_list(patient, people, row):
    type(people.episode).objects.filter(pk=people.episode.pk).update(status="finished")
    assert "No exercises for today" in text(patient.get(PAGE))
    answer = patient.post(log_url(row), {"round": "1"}, follow=True)
    assert "This episode is closed." in text(answer)


@pytest.mark.parametrize("who", ["other_patient", "far_patient"])
def test_another_patient_finds_nothing(people, sign_in, row, who):
    browser = sign_in(getattr(people, who).user)
    assert browser.get(log_url(row)).status_code == 404
    assert browser.post(log_url(row), {"round": "1"}).status_code == 404
    assert "Heel slide" not in text(browser.get(PAGE))
    assert not ExerciseLog.objects.exists()


@pytest.mark.parametrize("who", ["former_carer", "nobody", "clerk", "physiotherapist"])
def test_who_has_no_part_in_it_ticks_nothing_off(people, sign_in, row, who):
    browser = sign_in(getattr(people, who))
    assert browser.post(log_url(row), {"round": "1"}).status_code == 404
    assert not ExerciseLog.objects.exists()


def test_a_carer_for_visits_alone_is_refused_and_not_led_there(people, sign_in, row):
    RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
    browser = sign_in(people.carer)
    assert browser.get(PAGE).status_code == 404
    assert browser.post(log_url(row), {"round": "1"}).status_code == 404
    assert PAGE not in text(browser.get(reverse("patients:appointments")))
    assert not ExerciseLog.objects.exists()


def test_a_carer_ticks_off_for_the_patient(people, sign_in, row):
    sign_in(people.carer).post(log_url(row), {"round": "1"})
    assert ExerciseLog.objects.get().by == people.carer


def test_after_signing_in_again_the_list_is_shown(patient, row):
    assert patient.get(log_url(row)).url == f"{PAGE}#exercise-{row.pk}"


def test_todays_card_and_the_navigation_lead_there(patient, people):
    step = people.adult_version.steps.get(key="exercises")
    make_reminder(people.episode, step)
    page = text(patient.get(reverse("reminders:today")))
    assert f'href="{PAGE}">See my exercises' in page
    assert page.count(f'href="{PAGE}"') == 3


def test_todays_card_is_done_once_the_exercises_are_ticked_off(patient, people):
    step = people.adult_version.steps.get(key="exercises")
    make_reminder(people.episode, step)
    rows = [prescribed(people), prescribed(people, "bridge")]
    today = reverse("reminders:today")
    log_exercise(prescription=rows[0], round=1, by=people.patient.user, now=NOW)
    assert "sw-badge-done" not in text(patient.get(today))
    log_exercise(prescription=rows[1], round=1, by=people.patient.user, now=NOW)
    page = text(patient.get(today))
    assert "sw-badge-done" in page
    assert "Undo" not in page


def test_a_spanish_reader_reads_spanish_and_a_missing_one_says_its_language(patient, people):
    row = prescribed(people)
    words = {"name": "Deslizar el talón", "instructions": ["Túmbese.", "Deslice."]}
    row.exercise.words["es"] = words
    row.exercise.save()
    prescribed(people, "bridge")
    people.patient.user.language = "es"
    people.patient.user.save()
    page = text(patient.get(PAGE))
    assert f'<a href="{own_url(row)}">Deslizar el talón</a>' in page
    assert '<bdi lang="en-gb" dir="ltr">Bridge</bdi>' in page


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries(people, sign_in, django_assert_num_queries, count):
    for number in range(count):
        row = prescribed(people, f"one-{number}", times_a_day=3)
        for number_of_round in range(1, count + 1):
            log_exercise(prescription=row, round=number_of_round, by=people.patient.user, now=NOW)
    browser = sign_in(people.patient.user)
    browser.get(PAGE)
    with django_assert_num_queries(8):
        browser.get(PAGE)


class TestOneExercise:
    """Its own page: how it goes, and the times that were ticked off, each with its pain."""

    def test_it_says_everything(self, patient, people):
        row = prescribed(
            people, times_a_day=2, note=PAYLOAD, last_on=NOW.date() + timedelta(days=9)
        )
        page = text(patient.get(own_url(row)))
        dose = "2 sets of 10, 2 times a day (until 11 March)"
        for words in ("Heel slide", dose, "Lie down.", "Done, time 1 of 2", "&lt;script&gt;"):
            assert words in page
        assert "<script>alert" not in page

    def test_the_list_leads_there(self, patient, row):
        assert f'href="{own_url(row)}"' in text(patient.get(PAGE))
        patient.post(log_url(row), {"round": "1"})
        assert f'href="{own_url(row)}#round-1"' in text(patient.get(PAGE))

    def test_it_takes_pain_and_takes_back(self, patient, row):
        patient.post(log_url(row), {"round": "1", "pain_after": "4"})
        page = text(patient.get(own_url(row)))
        assert 'id="round-1"' in page
        assert "– before, 4 after" in page
        for part in ('name="round" value="1"', 'name="undo" value="1"', 'name="pain_before"'):
            assert part in page
        assert 'id="round-2"' not in page

    def test_what_is_over_leads_to_the_list(self, patient, people, row):
        end_prescription(prescription=row, by=people.physiotherapist, now=NOW)
        assert patient.get(own_url(row)).url == PAGE

    @pytest.mark.parametrize("who", ["other_patient", "far_patient"])
    def test_another_patient_finds_nothing(self, people, sign_in, row, who):
        assert sign_in(getattr(people, who).user).get(own_url(row)).status_code == 404

    def test_a_carer_for_visits_alone_is_refused(self, people, sign_in, row):
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        assert sign_in(people.carer).get(own_url(row)).status_code == 404

    def test_looking_is_noted(self, patient, row):
        patient.get(own_url(row))
        assert AuditEvent.objects.filter(action="R", verb="exercises.read").count() == 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", "2 sets of 10, once a day (until 1 July)"),
        ("es", "2 series de 10, una vez al día (hasta el 1 de julio)"),
        ("ar", "مجموعتان من 10، مرة في اليوم (حتى 1 يوليو)"),
    ],
)
def test_the_dose_speaks_the_readers_language(language, words):
    with translation.override(language):
        assert _dose(2, 10, 1, date(2026, 7, 1), language) == words


class TestSpans:
    """On which days an exercise stands."""

    def prescription(self, **fields):
        return Prescription(starts_on=date(2026, 5, 1), times_a_day=1, **fields)

    @pytest.mark.parametrize(
        ("fields", "last"),
        [
            ({}, None),
            ({"last_on": date(2026, 5, 8)}, date(2026, 5, 8)),
            ({"ended_at": datetime(2026, 5, 6, 12, tzinfo=UTC)}, date(2026, 5, 5)),
            (
                {"last_on": date(2026, 5, 3), "ended_at": datetime(2026, 5, 6, 12, tzinfo=UTC)},
                date(2026, 5, 3),
            ),
            # Half past eleven at night in London, British Summer Time, is the next day there.
            ({"ended_at": datetime(2026, 5, 6, 23, 30, tzinfo=UTC)}, date(2026, 5, 6)),
        ],
    )
    def test_the_last_day(self, fields, last):
        span = span_of(self.prescription(**fields), ZoneInfo("Europe/London"))
        assert span == (date(2026, 5, 1), last, 1)

    def test_it_says_the_same_as_the_prescription(self, people):
        row = prescribed(people, last_on=NOW.date() + timedelta(days=5))
        for ended_at in (None, NOW + timedelta(days=3)):
            row.ended_at = ended_at
            span = span_of(row, people.clinic.zone)
            days = [NOW.date() + timedelta(days=number) for number in range(-2, 9)]
            assert [span.has(day) for day in days] == [row.is_for(day) for day in days]
