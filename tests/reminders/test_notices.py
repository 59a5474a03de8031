"""Notices: the one mail that says that surgery moved, was put off or cancelled, or that a visit was."""

from datetime import date, timedelta

import pytest

from patients import actions as records
from reminders import actions, pipeline
from reminders.models import Message, Reminder
from reminders.reconciler import reconcile
from tests.factories import make_appointment

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


def test_a_notice_that_a_dead_worker_had_only_claimed_is_replaced_too(planned, mailoutbox):
    move(planned, planned.surgery_on + WEEK)
    notices(planned.episode).update(
        state="claimed", claimed_by="dead", lease_until=planned.now + timedelta(minutes=5)
    )
    move(planned, planned.surgery_on + 2 * WEEK)
    later = planned.now + timedelta(minutes=10)
    pipeline.recover(now=later)

    pipeline.dispatch(now=later)

    (mail,) = [each for each in mailoutbox if each.subject == "Your date has changed"]
    assert "Monday 11 May 2026" in mail.body
    assert "Monday 27 April 2026" in mail.body


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


# The day of surgery is taken away


def subjects(mailoutbox, address="pat@example.com"):
    return [each.subject for each in mailoutbox if each.to == [address]]


def test_a_day_that_is_taken_away_is_told_once(planned, mailoutbox):
    move(planned, None)
    for hours in range(0, 24 * 60, 24):
        pipeline.dispatch(now=planned.now + timedelta(hours=hours))

    assert subjects(mailoutbox).count("Your date has been put off") == 1
    told = next(each for each in mailoutbox if each.subject == "Your date has been put off")
    assert "Your operation will not be on Monday 27 April 2026" in told.body


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (7, ["Your new date is Monday 4 May 2026", "The date was Monday 27 April 2026"]),
        (0, ["Your new date is Monday 27 April 2026", "please come as first planned"]),
    ],
)
def test_the_day_after_one_that_was_taken_away_is_told(planned, mailoutbox, days, words):
    move(planned, None)
    pipeline.dispatch(now=planned.now)
    move(planned, planned.surgery_on + timedelta(days=days))
    pipeline.dispatch(now=planned.now)

    assert subjects(mailoutbox) == ["Your date has been put off", "Your date has changed"]
    body = " ".join(mailoutbox[-1].body.split())
    assert [each for each in words if each not in body] == []


def test_a_day_taken_away_and_given_back_before_anybody_was_told_is_told_to_nobody(
    planned, mailoutbox
):
    move(planned, None)
    move(planned, planned.surgery_on)
    pipeline.dispatch(now=planned.now)

    assert mailoutbox == []


def test_a_day_moved_taken_away_and_moved_again_is_one_notice_from_the_date_people_know(
    planned, mailoutbox
):
    for on in (planned.surgery_on + WEEK, None, planned.surgery_on + 2 * WEEK):
        move(planned, on)
    pipeline.dispatch(now=planned.now)

    assert subjects(mailoutbox) == ["Your date has changed"]
    assert "Monday 27 April 2026" in mailoutbox[0].body
    assert "Monday 11 May 2026" in mailoutbox[0].body


def test_a_first_day_of_surgery_is_no_news(planned, mailoutbox):
    planned.episode.anchor_dates.filter(anchor="surgery").delete()

    move(planned, planned.surgery_on + WEEK)

    assert not notices(planned.episode).exists()


# A visit is called off


def cancel(people, visit):
    records.cancel_appointment(appointment=visit, by=people.clerk, now=people.now)
    return reconcile(people.episode, now=people.now)


def test_a_visit_that_is_called_off_is_told_once_with_a_file_that_takes_it_out_of_calendars(
    planned, mailoutbox
):
    visit = make_appointment(planned.episode, location=planned.location)

    cancel(planned, visit)
    reconcile(planned.episode, now=planned.now)
    pipeline.dispatch(now=planned.now)

    (mail,) = mailoutbox
    assert mail.subject == "Your visit has been cancelled"
    assert "Wednesday 10 June 2026 at 14:30" in mail.body
    calendar = Message.objects.get().calendar
    assert "METHOD:CANCEL" in calendar
    assert f"UID:{visit.uid}" in calendar
    assert "SEQUENCE:1" in calendar


def test_each_visit_is_told_of_and_both_parents_are(planned):
    for day in (10, 11):
        visit = make_appointment(planned.child_episode, on=date(2026, 6, day))
        records.cancel_appointment(appointment=visit, by=planned.clerk, now=planned.now)
        reconcile(planned.child_episode, now=planned.now)

    rows = notices(planned.child_episode, kind="visit_cancelled")
    assert sorted(rows.values_list("occurrence", "recipient__email")) == sorted(
        (number, user.email) for number in (0, 1) for user in (planned.mother, planned.father)
    )


def test_a_visit_that_is_over_or_was_missed_is_told_to_nobody(planned):
    past = make_appointment(planned.episode, on=planned.now.date() - WEEK)
    missed = make_appointment(planned.episode)
    records.mark_missed(appointment=missed, by=planned.clerk, now=planned.now)

    cancel(planned, past)

    assert not notices(planned.episode).exists()


def test_nobody_is_told_of_the_visits_of_somebody_who_died(planned):
    make_appointment(planned.episode)
    records.mark_deceased(
        patient=planned.patient, on=planned.now.date(), by=planned.clerk, now=planned.now
    )

    reconcile(planned.episode, now=planned.now)

    assert not notices(planned.episode).exists()


def test_an_operation_and_its_visits_called_off_are_one_mail(planned, mailoutbox):
    make_appointment(planned.episode)
    actions.cancel_surgery(episode=planned.episode, by=planned.clerk, now=planned.now, reason="ill")

    for hours in range(0, 24 * 60, 24):
        pipeline.dispatch(now=planned.now + timedelta(hours=hours))

    (mail,) = [each for each in mailoutbox if each.to == ["pat@example.com"]]
    assert "Your operation on Monday 27 April 2026 will not take place" in mail.body
    assert "Your visit on Wednesday 10 June 2026 at 14:30 will not take place" in mail.body
    assert "METHOD:CANCEL" in Message.objects.get(recipient=planned.patient.user).calendar


def test_visits_ahead_of_an_episode_that_is_finished_are_called_off_and_told(planned, mailoutbox):
    visit = make_appointment(planned.episode)
    seen_to = make_appointment(planned.episode, on=planned.now.date() - WEEK)

    records.close_episode(
        episode=planned.episode, status="finished", by=planned.clerk, now=planned.now
    )
    reconcile(planned.episode, now=planned.now)
    pipeline.dispatch(now=planned.now)

    visit.refresh_from_db()
    seen_to.refresh_from_db()
    assert (visit.status, seen_to.status) == ("cancelled", "booked")
    assert subjects(mailoutbox) == ["Your visit has been cancelled"]
