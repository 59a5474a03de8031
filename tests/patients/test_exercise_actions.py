"""Prescribing exercises and ticking them off: what is kept, what is refused, and what the trail says."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from patients.actions import (
    copy_programme,
    end_prescription,
    log_exercise,
    prescribe,
    undo_exercise,
)
from patients.models import ExerciseLog, Prescription
from portal.models import AuditEvent
from tests.factories import NOW
from tests.patients.exercises import make_exercise, prescribed

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture
def row(people):
    return prescribed(people, times_a_day=2)


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


def tick(row, number=1, **fields):
    return log_exercise(
        prescription=row, round=number, by=row.episode.patient.user, now=NOW, **fields
    )


def test_a_prescription_is_kept_with_who_wrote_it_and_audited(people, row):
    event = AuditEvent.objects.get(verb="prescription.add")
    assert (row.prescribed_by, row.ended_at) == (people.physiotherapist, None)
    assert (event.actor, event.patient_id) == (people.physiotherapist, people.patient.pk)
    assert event.after["times_a_day"] == 2


def test_a_new_dose_takes_the_place_of_the_old_one(people, row):
    newer = prescribed(people, exercise=row.exercise, repetitions=15)
    row.refresh_from_db()
    assert row.ended_at == NOW
    assert list(people.episode.prescriptions.standing()) == [newer]


@pytest.mark.parametrize(
    "wrong", [{"sets": 0}, {"sets": 11}, {"repetitions": 101}, {"times_a_day": 0}]
)
def test_a_dose_that_makes_no_sense_is_refused_by_the_database(people, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        prescribed(people, **wrong)


def test_the_last_day_does_not_lie_before_the_first(people):
    with pytest.raises(ValidationError, match="The last day lies before the first"):
        prescribed(people, starts_on=TODAY, last_on=TODAY - timedelta(days=1))


def test_nothing_is_prescribed_in_a_closed_episode(people):
    people.episode.status = "finished"
    with pytest.raises(ValidationError, match="This episode is closed"):
        prescribed(people)


def test_ending_twice_ends_once(people, row):
    by = people.physiotherapist
    assert end_prescription(prescription=row, by=by, now=NOW) is True
    assert end_prescription(prescription=row, by=by, now=NOW + timedelta(hours=1)) is False
    row.refresh_from_db()
    assert (row.ended_at, verbs().count("prescription.end")) == (NOW, 1)


def test_a_round_is_kept_once_a_day_however_often_it_is_told(row):
    assert tick(row) == tick(row)
    tick(row, 2)
    assert list(ExerciseLog.objects.values_list("round", "on")) == [(1, TODAY), (2, TODAY)]
    assert verbs().count("exercise.log") == 2


def test_the_database_refuses_the_same_round_twice(people, row):
    log = tick(row)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExerciseLog.objects.create(prescription=row, on=log.on, round=1, by=people.patient.user)


def test_pain_told_later_is_added_and_audited(row):
    tick(row)
    log = tick(row, pain_before=2, pain_after=4)
    tick(row, pain_before=2, pain_after=4)
    assert (log.pain_before, log.pain_after) == (2, 4)
    assert verbs().count("exercise.log") == 2
    tick(row)
    log.refresh_from_db()
    assert log.pain_after == 4


def test_pain_beyond_ten_is_refused_by_the_database(row):
    with pytest.raises(IntegrityError), transaction.atomic():
        tick(row, pain_after=11)


@pytest.mark.parametrize("number", [0, 3])
def test_a_round_that_nobody_asked_for_is_refused(row, number):
    with pytest.raises(ValidationError, match="not on today's list"):
        tick(row, number)


def test_what_is_over_or_has_not_begun_is_not_ticked_off(people):
    over = prescribed(people, "a", starts_on=date(2026, 2, 1), last_on=date(2026, 3, 1))
    coming = prescribed(people, "b", starts_on=date(2026, 3, 3))
    ended = prescribed(people, "c")
    end_prescription(prescription=ended, by=people.physiotherapist, now=NOW)
    ended.refresh_from_db()
    for row in (over, coming, ended):
        with pytest.raises(ValidationError, match="not on today's list"):
            tick(row)


def test_the_day_is_the_clinics(people, row):
    people.clinic.time_zone = "Pacific/Auckland"
    people.clinic.save()
    row = Prescription.objects.get(pk=row.pk)
    assert log_exercise(
        prescription=row, round=1, by=people.patient.user, now=NOW + timedelta(hours=3)
    ).on == date(2026, 3, 3)


def test_undo_takes_back_todays_round_and_no_other(people, row):
    log_exercise(
        prescription=prescribed(people, "d", starts_on=date(2026, 2, 1)), round=1,
        by=people.patient.user, now=NOW - timedelta(days=1),
    )  # fmt: skip
    tick(row)
    by = people.patient.user
    assert undo_exercise(prescription=row, round=1, by=by, now=NOW) is True
    assert undo_exercise(prescription=row, round=1, by=by, now=NOW) is False
    assert ExerciseLog.objects.get().on == TODAY - timedelta(days=1)
    assert AuditEvent.objects.get(verb="exercise.undo").before["round"] == 1


def test_a_programme_is_copied_without_notes_and_without_what_is_there(people):
    source = people.other_episode
    both = make_exercise("both")
    prescribed(people, exercise=both, episode=source, note="About Otto.", repetitions=12)
    prescribed(people, "new", episode=source, note="About Otto.", repetitions=8)
    prescribed(people, "child", audience="child", episode=source)
    prescribed(people, "over", episode=source, starts_on=date(2026, 1, 1), last_on=date(2026, 2, 1))
    own = prescribed(people, exercise=both, repetitions=5)
    made = copy_programme(source=source, target=people.episode, by=people.physiotherapist, now=NOW)
    assert [(row.exercise.key, row.repetitions, row.note, row.starts_on) for row in made] == [
        ("new", 8, "", TODAY)
    ]
    assert set(people.episode.prescriptions.standing()) == {own, *made}
    assert copy_programme(source=source, target=people.episode, by=people.nurse, now=NOW) == []


def test_a_programme_stays_in_its_clinic(people):
    with pytest.raises(ValidationError, match="another clinic"):
        copy_programme(
            source=people.far_episode, target=people.episode, by=people.physiotherapist, now=NOW
        )


def test_prescribing_is_undone_as_a_whole(people, row, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("patients.actions.exercises._dose", broken)
    with pytest.raises(RuntimeError):
        prescribe(
            episode=people.episode, exercise=row.exercise, sets=1, repetitions=1, times_a_day=1,
            starts_on=TODAY, by=people.physiotherapist, now=NOW,
        )  # fmt: skip
    row.refresh_from_db()
    assert (Prescription.objects.count(), row.ended_at) == (1, None)
