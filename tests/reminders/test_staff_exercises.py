"""The physiotherapist's pages: prescribing, copying, ending, and adherence at a glance."""

from datetime import timedelta

import pytest
from django.urls import reverse

from patients.actions import end_prescription, log_exercise
from patients.adherence import adherence_of
from patients.models import Prescription
from portal.models import AuditEvent
from tests.factories import NOW
from tests.patients.exercises import make_exercise, prescribed

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture
def physio(people, sign_in):
    return sign_in(people.physiotherapist)


def url(page, row):
    return reverse(f"admin:{page}", args=[row.pk])


def text(response):
    return " ".join(response.content.decode().split())


def dose(library, **changed):
    return {
        "exercise": str(library.pk), "sets": "2", "repetitions": "10", "times_a_day": "3",
        "starts_on": "2026-03-02", "last_on": "", "note": "Slowly.", "ticket": "t" * 32, **changed,
    }  # fmt: skip


def test_the_library_is_filed_by_phase_and_holds_what_suits_the_age(people, physio):
    make_exercise("squat", phase="building")
    make_exercise("breathe", phase="first_days")
    make_exercise("crab", audience="child")
    page = physio.get(url("episode_prescribe", people.episode))
    groups = page.context["form"].fields["exercise"].choices
    assert [(name, [label for _, label in rows]) for name, rows in list(groups)[1:]] == [
        ("The first days", ["Breathe"]),
        ("Building up", ["Squat"]),
    ]


def test_pressing_twice_prescribes_once(people, physio):
    data = dose(make_exercise())
    for _press in range(2):
        answer = physio.post(url("episode_prescribe", people.episode), data, follow=True)
    assert "nothing was done twice" in text(answer)
    row = Prescription.objects.get()
    assert (row.times_a_day, row.note, row.prescribed_by) == (3, "Slowly.", people.physiotherapist)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sets": "0"}, "Please type 1 or more."),
        ({"repetitions": "1000"}, "Please type 100 or less."),
        ({"last_on": "2026-03-01"}, "The last day lies before the first."),
        ({"exercise": ""}, "Please choose one."),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(people, physio, changed, said):
    data = dose(make_exercise(), **changed)
    assert said in text(physio.post(url("episode_prescribe", people.episode), data))
    assert not Prescription.objects.exists()


def test_a_childs_exercise_is_not_for_an_adult(people, physio):
    data = dose(make_exercise(audience="child"))
    assert physio.post(url("episode_prescribe", people.episode), data).status_code == 200
    assert not Prescription.objects.exists()


def test_a_programme_is_copied_once_from_a_patient_of_the_clinic(people, physio):
    prescribed(people, episode=people.other_episode, note="About Otto.")
    page = physio.get(url("episode_copy_exercises", people.episode))
    assert "Otto Secret (H-002): 1" in text(page)
    listed = AuditEvent.objects.get(verb="prescription.list").after["patients"]
    assert listed == [str(people.other_patient.pk)]
    data = {"source": str(people.other_episode.pk), "ticket": "c" * 32}
    for _press in range(2):
        physio.post(url("episode_copy_exercises", people.episode), data)
    assert [row.note for row in people.episode.prescriptions.all()] == [""]


def test_nothing_is_copied_from_another_clinic(people, physio):
    prescribed(people, episode=people.far_episode)
    page = physio.get(url("episode_copy_exercises", people.episode))
    assert "Nobody else at the clinic has exercises that suit." in text(page)
    assert "Faraway" not in text(page)
    data = {"source": str(people.far_episode.pk), "ticket": "c" * 32}
    answer = physio.post(url("episode_copy_exercises", people.episode), data)
    assert "Please choose one of those that are shown." in text(answer)
    assert not people.episode.prescriptions.exists()


def test_ending_asks_first_and_ends_once(people, physio):
    row = prescribed(people)
    assert "leaves the patient&#x27;s list today" in text(physio.get(url("prescription_end", row)))
    row.refresh_from_db()
    assert row.ended_at is None
    for _press in range(2):
        physio.post(url("prescription_end", row), {"ticket": "e" * 32})
    row.refresh_from_db()
    assert row.ended_at == NOW
    assert AuditEvent.objects.filter(verb="prescription.end").count() == 1


@pytest.mark.parametrize(
    ("role", "sees", "prescribes"),
    [
        ("physiotherapist", True, True), ("manager", True, False), ("surgeon", True, False),
        ("nurse", True, False), ("radiographer", False, False), ("clerk", False, False),
    ],
)  # fmt: skip
def test_others_see_and_do_not_prescribe(people, sign_in, role, sees, prescribes):
    prescribed(people)
    page = text(sign_in(people.staff[role]).get(url("patient_page", people.patient)))
    assert ("Heel slide" in page) is sees
    assert (url("episode_prescribe", people.episode) in page) is prescribes


def test_adherence_and_pain_at_a_glance(people, physio):
    row = prescribed(people, times_a_day=2, starts_on=TODAY - timedelta(days=9))
    for days, number in ((8, 1), (3, 1), (3, 2), (1, 1)):
        log_exercise(
            prescription=row, round=number, by=people.patient.user, now=NOW - timedelta(days=days),
            pain_before=2, pain_after=3 + number,
        )  # fmt: skip
    (course,) = adherence_of(people.patient, TODAY, "en-gb").running
    assert (course.done, course.asked, course.tone) == (3, 14, "bad")
    assert (course.last.on, course.pain.pain_after) == (TODAY - timedelta(days=1), 4)
    page = text(physio.get(url("patient_page", people.patient)))
    for words in ("3 of 14", "2 → 4", "on 3 of 10 days in four weeks"):
        assert words in page


@pytest.mark.parametrize(
    ("ticks", "pain", "tone"), [(7, 0, "good"), (7, 6, "bad"), (4, None, "warn"), (1, None, "bad")]
)
def test_the_tone_says_how_it_goes(people, ticks, pain, tone):
    row = prescribed(people, starts_on=TODAY - timedelta(days=6))
    for days in range(ticks):
        log_exercise(
            prescription=row, round=1, by=people.patient.user, now=NOW - timedelta(days=days),
            pain_after=pain,
        )  # fmt: skip
    assert adherence_of(people.patient, TODAY, "en-gb").courses[0].tone == tone


def test_what_is_over_stands_apart(people, physio):
    row = prescribed(people)
    end_prescription(prescription=row, by=people.physiotherapist, now=NOW)
    adherence = adherence_of(people.patient, TODAY, "en-gb")
    assert ([*adherence.running], [one.name for one in adherence.over]) == ([], ["Heel slide"])
    assert "Earlier exercises" in text(physio.get(url("patient_page", people.patient)))


def test_the_glance_costs_two_queries_for_one_and_three(people, django_assert_num_queries):
    for number in range(3):
        row = prescribed(people, f"one-{number}")
        log_exercise(prescription=row, round=1, by=people.patient.user, now=NOW)
        with django_assert_num_queries(2):
            adherence_of(people.patient, TODAY, "en-gb")


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_clinics_record_is_as_good_as_missing(people, physio, method):
    row = prescribed(people, episode=people.far_episode)
    for page, about in (
        ("episode_prescribe", people.far_episode),
        ("episode_copy_exercises", people.far_episode),
        ("prescription_end", row),
    ):
        assert getattr(physio, method)(url(page, about)).status_code == 404
    row.refresh_from_db()
    assert row.ended_at is None
