"""What changed in a plan: kept from the diff that was written, and told on “My plan” in words."""

from datetime import time, timedelta

import pytest

from patients.actions import (
    book_appointment,
    cancel_appointment,
    link_carer,
    move_appointment,
    place_hold,
    update_patient,
)
from reminders import actions
from reminders.models import PlanChange, Reminder
from reminders.planning import plan_requested
from reminders.reconciler import reconcile
from tests.factories import NOW, make_version
from tests.people import ADULT_STEPS

DAY = timedelta(days=1)


def told(planned, sign_in, user=None) -> str:
    text = sign_in(user or planned.patient.user).get("/plan/").text
    _before, _mark, section = text.partition('id="changes"')
    return section.partition("</section>")[0]


def move_surgery(planned, days: int, now=NOW) -> None:
    planned.episode.refresh_from_db()
    on = planned.surgery_on + timedelta(days=days)
    actions.move_anchor(episode=planned.episode, anchor="surgery", on=on, by=planned.clerk, now=now)


@pytest.fixture
def visit(planned):
    row = book_appointment(
        episode=planned.episode, kind="xray", on=planned.surgery_on + 40 * DAY, at=time(10, 30),
        by=planned.clerk, now=NOW,
    )  # fmt: skip
    plan_requested(now=NOW)
    PlanChange.objects.all().delete()
    return row


class TestKept:
    def test_a_first_plan_is_no_change(self, planned):
        assert not PlanChange.objects.exists()

    def test_planning_twice_is_no_change(self, planned):
        reconcile(planned.episode, now=NOW + DAY)
        assert not PlanChange.objects.exists()

    def test_each_recipient_is_told_of_their_own_steps(self, planned):
        move_surgery(planned, 14)
        (change,) = PlanChange.objects.all()
        mine = change.news[str(planned.patient.user.pk)]
        assert mine["dates"]["surgery"] == [
            str(planned.surgery_on), str(planned.surgery_on + 14 * DAY),
        ]  # fmt: skip
        assert [
            "day-before",
            str(planned.surgery_on - DAY),
            str(planned.surgery_on + 13 * DAY),
        ] in mine["moved"]
        assert "full-weight" not in {step for step, *_days in mine["moved"]}

    def test_another_time_of_day_is_no_change(self, planned):
        planned.patient.user.mail_at = time(18)
        planned.patient.user.save()
        reconcile(planned.episode, now=NOW)
        assert not PlanChange.objects.exists()

    def test_whoever_is_new_to_the_plan_is_told_nothing(self, planned):
        link = link_carer(
            patient=planned.child, email="new@example.com", name="New Carer", relationship="aunt",
            by=planned.clerk, now=NOW,
        )  # fmt: skip
        plan_requested(now=NOW)
        assert Reminder.objects.filter(recipient=link.user).exists()
        assert not any(str(link.user_id) in row.news for row in PlanChange.objects.all())


class TestTold:
    def test_nothing_is_said_where_nothing_changed(self, planned, sign_in):
        assert "What changed" not in sign_in(planned.patient.user).get("/plan/").text

    def test_surgery_and_what_moved_with_it(self, planned, sign_in):
        move_surgery(planned, 14)
        text = told(planned, sign_in)
        assert "The day of surgery: moved from Mon 27 Apr 2026 to Mon 11 May 2026." in text
        assert "These moved with it:" in text
        assert '<bdi>Pack bag</bdi> <span class="sw-soft">(Sat 9 May 2026)</span>' in text
        assert "more</li>" in text

    def test_a_second_move_is_told_from_where_the_first_one_led(self, planned, sign_in):
        move_surgery(planned, 14)
        move_surgery(planned, 21, now=NOW + timedelta(hours=1))
        text = told(planned, sign_in)
        assert "from Mon 11 May 2026 to Mon 18 May 2026" in text
        assert text.index("18 May") < text.index("27 Apr")

    def test_a_visit_that_moved(self, planned, visit, sign_in):
        on = visit.local_date + 2 * DAY
        move_appointment(appointment=visit, on=on, at=time(9), by=planned.clerk, now=NOW)
        plan_requested(now=NOW)
        text = told(planned, sign_in)
        assert "X-ray: moved from Sat 6 Jun 2026, 10:30 to Mon 8 Jun 2026, 09:00." in text

    def test_a_visit_that_was_called_off(self, planned, visit, sign_in):
        cancel_appointment(appointment=visit, by=planned.clerk, now=NOW)
        plan_requested(now=NOW)
        assert "X-ray on Sat 6 Jun 2026: called off." in told(planned, sign_in)

    def test_steps_that_do_not_apply_any_more(self, planned, sign_in):
        update_patient(patient=planned.patient, by=planned.clerk, now=NOW, drives=False)
        plan_requested(now=NOW)
        _before, _words, dropped = told(planned, sign_in).partition("No longer in your plan:")
        assert "Driving" in dropped

    def test_what_is_done_is_not_taken_away(self, planned, sign_in):
        (due,) = planned.episode.imaging_requests.all()
        book_appointment(
            episode=planned.episode, kind="xray", on=due.window_from, at=time(10), by=planned.clerk, now=NOW,
            imaging_request=due,
        )  # fmt: skip
        plan_requested(now=NOW)
        assert PlanChange.objects.exists()
        assert "No longer" not in told(planned, sign_in)

    def test_steps_that_have_a_date_now(self, planned, sign_in):
        actions.move_anchor(
            episode=planned.episode, anchor="discharge", on=planned.surgery_on + 4 * DAY, by=planned.nurse, now=NOW,
        )  # fmt: skip
        assert "These have a date now:" in told(planned, sign_in)

    def test_a_newer_version_and_its_new_step(self, planned, sign_in):
        steps = {**ADULT_STEPS, "new-shoes": {"offset_value": -20}}
        newer = make_version(planned.clinic, steps, pathway=planned.adult_version.pathway, number=2)
        actions.follow_version(episode=planned.episode, version=newer, by=planned.manager, now=NOW)
        text = told(planned, sign_in)
        assert "newer version of this plan" in text
        assert "New shoes" in text.partition("New:")[2]

    def test_a_step_that_staff_stopped(self, planned, sign_in):
        place_hold(
            episode=planned.episode, step_key="driving", category="", by=planned.nurse, now=NOW, reason="x"
        )  # fmt: skip
        plan_requested(now=NOW)
        _before, _words, dropped = told(planned, sign_in).partition("No longer in your plan:")
        assert "Driving" in dropped

    def test_it_is_news_for_two_months(self, planned, sign_in, stopped_clock):
        move_surgery(planned, 90)
        stopped_clock.shift(timedelta(days=59))
        assert "The day of surgery" in told(planned, sign_in)
        stopped_clock.shift(timedelta(days=2))
        assert "The day of surgery" not in told(planned, sign_in)

    def test_the_earlier_days_are_folded_away(self, planned, sign_in):
        move_surgery(planned, 14, now=NOW - 3 * DAY)
        move_surgery(planned, 21)
        assert told(planned, sign_in).count("<details") == 1

    @pytest.mark.parametrize("moves", [1, 3])
    def test_it_costs_the_same_for_one_change_and_for_three(
        self, planned, sign_in, moves, django_assert_num_queries
    ):
        for number in range(moves):
            move_surgery(planned, 7 + 7 * number)
        browser = sign_in(planned.patient.user)
        browser.get("/plan/")
        with django_assert_num_queries(15):
            browser.get("/plan/")
