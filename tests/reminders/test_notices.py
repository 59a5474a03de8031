"""Notices: the one mail that says that surgery moved, or was cancelled."""

from datetime import timedelta

import pytest

from patients import actions as records
from reminders import actions, pipeline
from reminders.models import Reminder

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


def move(people, on, episode=None):
    actions.move_anchor(
        episode=episode or people.episode, anchor="surgery", on=on, by=people.clerk, now=people.now
    )


def notices(episode, **filters):
    return Reminder.objects.filter(episode=episode, **filters).exclude(kind="step")


def test_a_move_is_told_once_with_both_dates(planned, mailoutbox):
    move(planned, planned.surgery_on + WEEK)
    pipeline.dispatch(now=planned.now)

    (mail,) = [each for each in mailoutbox if each.to == ["pat@example.com"]]
    assert mail.subject == "Your date has changed"
    assert "Monday 4 May 2026" in mail.body
    assert "Monday 27 April 2026" in mail.body


def test_a_notice_is_essential_and_goes_even_to_who_stopped_mail(planned, mailoutbox):
    actions.choose(
        user=planned.patient.user,
        category="appointment",
        is_on=False,
        by=planned.patient.user,
        now=planned.now,
    )
    move(planned, planned.surgery_on + WEEK)

    pipeline.dispatch(now=planned.now)

    assert len(mailoutbox) == 1


def test_both_parents_are_told_each_by_their_own_clock(planned):
    move(planned, planned.surgery_on + WEEK, planned.child_episode)

    rows = {row.recipient: row for row in notices(planned.child_episode)}
    assert rows.keys() == {planned.mother, planned.father}
    assert (rows[planned.mother].due_at, rows[planned.father].due_at) == (
        planned.now, planned.now.replace(hour=13),
    )  # fmt: skip


def test_moves_before_anybody_was_told_are_one_notice_from_the_date_they_know(planned, mailoutbox):
    for weeks in (1, 2, 3):
        move(planned, planned.surgery_on + weeks * WEEK)
    pipeline.dispatch(now=planned.now)

    (mail,) = mailoutbox
    assert "Monday 18 May 2026" in mail.body
    assert "Monday 27 April 2026" in mail.body
    assert "Monday 11 May 2026" not in mail.body


def test_a_move_there_and_back_before_anybody_was_told_is_told_to_nobody(planned, mailoutbox):
    move(planned, planned.surgery_on + WEEK)
    move(planned, planned.surgery_on)

    pipeline.dispatch(now=planned.now)

    assert mailoutbox == []


def test_a_move_back_after_people_were_told_is_told_again(planned, mailoutbox):
    move(planned, planned.surgery_on + WEEK)
    pipeline.dispatch(now=planned.now)
    move(planned, planned.surgery_on)
    pipeline.dispatch(now=planned.now)

    assert [each.subject for each in mailoutbox] == ["Your date has changed"] * 2


def test_setting_the_same_date_and_the_first_date_tell_nobody(planned):
    move(planned, planned.surgery_on)
    actions.move_anchor(
        episode=planned.episode,
        anchor="discharge",
        on=planned.surgery_on + WEEK,
        by=planned.clerk,
        now=planned.now,
    )

    assert not notices(planned.episode).exists()


def test_nobody_is_told_about_somebody_nobody_may_write_to(planned):
    records.update_patient(
        patient=planned.patient, by=planned.clerk, now=planned.now, is_restricted=True
    )

    move(planned, planned.surgery_on + WEEK)

    assert not notices(planned.episode).exists()


def test_a_cancelled_operation_is_told_once_and_nothing_else_goes(planned, mailoutbox):
    move(planned, planned.surgery_on + WEEK)
    actions.cancel_surgery(episode=planned.episode, by=planned.clerk, now=planned.now, reason="ill")

    for hours in range(0, 24 * 60, 24):
        pipeline.dispatch(now=planned.now + timedelta(hours=hours))

    mine = [each.subject for each in mailoutbox if each.to == ["pat@example.com"]]
    assert mine == ["Your date has been cancelled"]


def test_planning_leaves_notices_alone(planned):
    move(planned, planned.surgery_on + WEEK)
    before = list(notices(planned.episode).values())

    actions.move_anchor(
        episode=planned.episode,
        anchor="discharge",
        on=planned.surgery_on + 2 * WEEK,
        by=planned.clerk,
        now=planned.now,
    )

    assert list(notices(planned.episode).values()) == before
