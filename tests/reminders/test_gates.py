"""The questions asked at the moment of sending, each objecting alone."""

from datetime import date, timedelta

import pytest

from patients.actions import log_exercise
from patients.models import PlanRequest, StepResponse
from reminders import gates
from reminders.models import Decision, Preference, Reminder, Suppression
from tests.factories import (
    NOW,
    make_appointment,
    make_carer,
    make_message,
    make_reminder,
    make_step,
    make_version,
)
from tests.patients.exercises import prescribed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def up_to_date(people):
    """The plans are worked out: nothing that changed waits for it."""
    PlanRequest.objects.all().delete()


@pytest.fixture
def row(people):
    """A reminder of the smoker's that nothing speaks against."""
    step = people.adult_version.steps.get(key="pack-bag")
    return make_reminder(people.episode, step, occurrence=0)


def verdict(row, now=NOW):
    rows = list(
        Reminder.objects.filter(pk=row.pk).select_related(
            "step", "recipient", "appointment", "episode__patient__clinic", "episode__patient__user"
        )
    )
    return gates.decide(rows[0], gates.Surroundings.of(rows, now))


def answer(row, now=NOW):
    found = verdict(row, now)
    return (found.outcome.value, found.gate)


def change(row, **values):
    Reminder.objects.filter(pk=row.pk).update(**values)


def test_what_nothing_speaks_against_goes(row):
    assert answer(row) == ("send", "all_gates")


def test_nothing_goes_about_somebody_who_died(row, people):
    people.patient.deceased_on = NOW.date()
    people.patient.save()

    assert answer(row) == ("cancel", "patient_deceased")


def test_nothing_goes_about_somebody_nobody_may_write_to(row, people):
    people.patient.is_restricted = True
    people.patient.save()

    assert answer(row) == ("cancel", "no_contact")


@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_a_closed_episode_sends_nothing(row, people, status):
    people.episode.status = status
    people.episode.save()

    assert answer(row) == ("cancel", "episode_closed")


def test_a_closed_episode_still_says_that_it_was_cancelled(row, people):
    people.episode.status = "cancelled"
    people.episode.save()
    change(row, kind="surgery_cancelled", step=None, step_key="", is_essential=True)

    assert answer(row) == ("send", "all_gates")


def test_a_closed_account_gets_nothing(row, people):
    people.patient.user.is_active = False
    people.patient.user.save()

    assert answer(row) == ("cancel", "account_closed")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({}, ("send", "all_gates")),
        ({"starts_on": date(2026, 3, 3)}, ("cancel", "access_ended")),
        ({"ends_on": date(2026, 3, 2)}, ("cancel", "access_ended")),
        ({"ends_on": date(2026, 3, 3)}, ("send", "all_gates")),
        ({"ended_at": NOW}, ("cancel", "access_ended")),
    ],
)
def test_a_carer_gets_it_while_access_holds(row, people, link, expected):
    change(row, recipient=make_carer(people.patient, **link).user)

    assert answer(row) == expected


def test_access_is_counted_in_the_clinics_days(row, people):
    people.clinic.time_zone = "Pacific/Auckland"
    people.clinic.sending_until = "23:30"
    people.clinic.save()
    user = make_carer(people.patient, ends_on=date(2026, 3, 3)).user
    change(row, recipient=user, valid_until=NOW + timedelta(days=5))

    assert answer(row, NOW.replace(hour=10, minute=20)) == ("send", "all_gates")
    assert answer(row, NOW.replace(hour=11, minute=0)) == ("cancel", "access_ended")


def test_access_to_another_patient_is_no_access_to_this_one(row, people):
    change(row, recipient=people.mother)

    assert answer(row) == ("cancel", "access_ended")


def test_a_stranger_gets_nothing(row, people):
    change(row, recipient=people.nobody)

    assert answer(row) == ("cancel", "access_ended")


@pytest.mark.parametrize("status", ["cancelled", "noshow", "fulfilled"])
def test_nobody_is_reminded_of_a_visit_that_does_not_take_place(row, people, status):
    change(row, appointment=make_appointment(people.episode, status=status))

    assert answer(row) == ("cancel", "appointment_off")


def test_what_changed_a_moment_ago_is_planned_first(row):
    PlanRequest.objects.create(episode=row.episode, reason="anchor.surgery", requested_at=NOW)

    found = verdict(row)

    assert (found.outcome, found.gate, found.until) == (
        "wait",
        "plan_changing",
        NOW + timedelta(minutes=1),
    )
    assert answer(row, NOW + gates.PLANNING_TAKES) == ("send", "all_gates")


def test_a_notice_waits_for_no_plan(row):
    change(row, kind="surgery_moved", step=None, step_key="")
    PlanRequest.objects.create(episode=row.episode, reason="anchor.surgery", requested_at=NOW)

    assert answer(row) == ("send", "all_gates")


def test_a_condition_that_does_not_hold_any_more_leaves_it_out(people):
    step = people.adult_version.steps.get(key="stop-smoking")
    row = make_reminder(people.episode, step)
    assert answer(row) == ("send", "all_gates")

    people.patient.uses_nicotine = False
    people.patient.save()

    assert answer(row) == ("skip", "not_for_this_patient")


def test_what_was_done_is_not_asked_for_again_but_the_next_occurrence_is(row, people):
    done = StepResponse.objects.create(
        episode=people.episode,
        step=row.step,
        occurrence=0,
        answer="done",
        by=people.patient.user,
        answered_at=NOW,
    )
    assert answer(row) == ("skip", "already_done")

    done.occurrence = 1
    done.save()
    assert answer(row) == ("send", "all_gates")


def test_a_question_is_not_done(row, people):
    StepResponse.objects.create(
        episode=people.episode,
        step=row.step,
        occurrence=0,
        answer="question",
        by=people.patient.user,
    )

    assert answer(row) == ("send", "all_gates")


def test_what_was_done_under_an_older_version_is_done(row, people):
    newer = make_version(
        people.clinic, {"pack-bag": {}}, pathway=people.adult_version.pathway, number=2
    )
    StepResponse.objects.create(
        episode=people.episode,
        step=newer.steps.get(),
        occurrence=0,
        answer="done",
        by=people.patient.user,
    )

    assert answer(row) == ("skip", "already_done")


@pytest.mark.parametrize(
    ("hour", "expected"), [(9, ("skip", "already_done")), (-10, ("send", "all_gates"))]
)
def test_exercises_logged_today_are_not_asked_for_today(people, hour, expected):
    step = people.adult_version.steps.get(key="exercises")
    row = make_reminder(people.episode, step, occurrence=3)
    StepResponse.objects.create(
        episode=people.episode, step=step, occurrence=1, answer="done", by=people.patient.user,
        answered_at=NOW.replace(hour=0) + timedelta(hours=hour),
    )  # fmt: skip

    assert answer(row) == expected


def test_a_category_switched_off_stays_off_for_that_person_and_category(row, people):
    Preference.objects.create(user=people.other_patient.user, category="preparation", is_on=False)
    Preference.objects.create(user=people.patient.user, category="xray", is_on=False)
    assert answer(row) == ("send", "all_gates")

    Preference.objects.create(user=people.patient.user, category="preparation", is_on=False)
    assert answer(row) == ("skip", "switched_off")


def test_what_is_essential_cannot_be_switched_off(row, people):
    Preference.objects.create(user=people.patient.user, category="preparation", is_on=False)
    change(row, is_essential=True)

    assert answer(row) == ("send", "all_gates")


def test_a_suppressed_address_is_not_tried_until_it_is_lifted(row):
    suppression = Suppression.objects.create(address="pat@example.com", reason="no_such_address")
    assert answer(row) == ("fail", "address_suppressed")

    suppression.lifted_at = NOW
    suppression.save()
    assert answer(row) == ("send", "all_gates")


@pytest.mark.parametrize(
    ("left", "expected"), [(0, ("miss", "too_old")), (1, ("send", "all_gates"))]
)
def test_a_stale_reminder_is_missed_from_the_moment_its_validity_ends(row, left, expected):
    change(row, valid_until=NOW + timedelta(seconds=left))

    assert answer(row) == expected


def test_at_night_it_waits_for_the_morning_of_the_readers_clock(row, people):
    found = verdict(row, NOW.replace(hour=21))
    assert (found.outcome, found.gate, found.until) == (
        Decision.Outcome.WAIT, "sending_window", NOW.replace(day=3, hour=8),
    )  # fmt: skip

    people.patient.user.time_zone = "America/New_York"
    people.patient.user.save()
    assert answer(row, NOW.replace(hour=21)) == ("send", "all_gates")
    assert answer(row, NOW) == ("wait", "sending_window")


def test_at_night_it_is_missed_where_the_morning_is_too_late(row):
    change(row, valid_until=NOW.replace(day=3, hour=8))

    assert answer(row, NOW.replace(hour=21)) == ("miss", "sending_window")


def test_beyond_the_days_limit_it_waits_for_tomorrow(row, people):
    for hour in range(4):
        make_message(people.patient.user, people.clinic, sent_at=NOW - timedelta(hours=hour))

    found = verdict(row)

    assert (found.outcome.value, found.gate, found.value) == ("wait", "daily_cap", "4")
    assert found.until == NOW.replace(day=3, hour=8)
    change(row, is_essential=True)
    assert answer(row) == ("send", "all_gates")


def test_yesterdays_mails_and_other_peoples_do_not_count(row, people):
    for _ in range(3):
        make_message(people.patient.user, people.clinic, sent_at=NOW - timedelta(hours=11))
        make_message(people.other_patient.user, people.clinic, sent_at=NOW)
        make_message(people.patient.user, people.clinic, state="failed", sent_at=None)

    assert answer(row) == ("send", "all_gates")


def test_the_first_objection_decides(row, people):
    Preference.objects.create(user=people.patient.user, category="preparation", is_on=False)
    people.patient.deceased_on = NOW.date()
    people.patient.save()

    assert answer(row) == ("cancel", "patient_deceased")


def test_a_zone_that_the_database_forgot_does_not_stop_the_batch(row, people):
    type(people.patient.user).objects.filter(pk=people.patient.user.pk).update(
        time_zone="Mars/Olympus"
    )

    assert answer(row) == ("send", "all_gates")


def test_the_questions_cost_the_same_queries_for_one_and_for_many(
    people, django_assert_num_queries
):
    step = make_step(make_version(people.clinic, is_approved=False), "own")
    rows = [
        make_reminder(episode, step, recipient=people.mother)
        for episode in people.episodes
        for _ in range(3)
    ]
    for some in (rows[:1], rows):
        ids = [each.pk for each in some]
        loaded = list(
            Reminder.objects.filter(pk__in=ids).select_related(
                "step", "recipient", "episode__patient__clinic"
            )
        )
        with django_assert_num_queries(6):
            gates.Surroundings.of(loaded, NOW)


class TestExercisesLoggedOnTheirPage:
    """What is ticked off on the exercises page counts like “done” in the plan."""

    @pytest.fixture
    def daily(self, people):
        step = people.adult_version.steps.get(key="exercises")
        return make_reminder(people.episode, step, occurrence=3)

    @staticmethod
    def tick(row, now=NOW):
        log_exercise(prescription=row, round=1, by=row.episode.patient.user, now=now)

    def test_logged_today_means_no_mail_today_and_tomorrows_goes(self, people, daily):
        row = prescribed(people, times_a_day=3)
        assert answer(daily) == ("send", "all_gates")
        self.tick(row)
        assert verdict(daily) == (Decision.Outcome.SKIP, "already_done", "today", None)
        assert answer(daily, NOW + timedelta(days=1)) == ("send", "all_gates")

    def test_each_of_todays_exercises_is_wanted(self, people, daily):
        rows = [prescribed(people, key) for key in ("bridge", "squat")]
        prescribed(people, "later", starts_on=NOW.date() + timedelta(days=1))
        prescribed(people, "over", starts_on=date(2026, 1, 1), last_on=date(2026, 2, 1))
        self.tick(rows[0])
        assert answer(daily) == ("send", "all_gates")
        self.tick(rows[1])
        assert answer(daily) == ("skip", "already_done")

    def test_somebody_elses_exercises_count_for_nobody_else(self, people, daily):
        prescribed(people, "bridge")
        self.tick(prescribed(people, "squat", episode=people.other_episode))
        assert answer(daily) == ("send", "all_gates")

    def test_a_step_that_is_not_about_the_days_exercises_goes(self, people, row):
        self.tick(prescribed(people))
        assert answer(row) == ("send", "all_gates")

    def test_reading_them_costs_two_queries_however_many_they_are(
        self, people, daily, django_assert_num_queries
    ):
        step = daily.step
        make_reminder(people.other_episode, step, recipient=people.other_patient.user)
        for number in range(3):
            self.tick(prescribed(people, f"own-{number}"))
            self.tick(prescribed(people, f"other-{number}", episode=people.other_episode))
        rows = Reminder.objects.filter(step=step).select_related(
            "step", "recipient", "episode__patient__clinic"
        )
        for some in (list(rows)[:1], list(rows)):
            with django_assert_num_queries(8):
                gates.Surroundings.of(some, NOW)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, 0, "paused"), (-3, 3, "paused"), (1, 3, "all_gates"), (-3, -1, "all_gates")],
)
def test_a_pause_holds_back_what_can_wait(row, people, first, last, expected):
    user = people.patient.user
    user.paused_from = NOW.date() + timedelta(days=first)
    user.paused_until = NOW.date() + timedelta(days=last)
    user.save()

    assert answer(row)[1] == expected
    change(row, is_essential=True)
    assert answer(row) == ("send", "all_gates")
