"""The stored plan: written once, brought up to date, never doubled, never touching what was sent."""

from datetime import date, time, timedelta

import pytest
from django.db import connection

from patients import actions as records
from patients.models import PlanRequest, RelatedPerson
from portal.models import AuditEvent
from reminders import actions
from reminders.diff import DROPPED, STOPPED_BY_STAFF, Change
from reminders.inputs import rules_of
from reminders.models import Message, Reminder
from reminders.overrides import Choice
from reminders.planning import plan_requested
from reminders.reconciler import preview, reconcile, reconcile_all
from reminders.written import NEW
from tests.factories import (
    NOW,
    approve,
    make_appointment,
    make_carer,
    make_episode,
    make_message,
    make_patient,
    make_version,
)

pytestmark = pytest.mark.django_db
TWO_WEEKS = timedelta(days=14)


def rows(episode, **filters):
    return list(Reminder.objects.filter(episode=episode, **filters).order_by("id").values())


def row(episode, key, **filters):
    return Reminder.objects.get(episode=episode, step_key=key, **filters)


def everything():
    return [
        list(model.objects.order_by("pk").values())
        for model in (Reminder, Message, PlanRequest, AuditEvent)
    ]


def move(people, on, **fields):
    fields = {"anchor": "surgery", "by": people.clerk, "now": people.now} | fields
    return actions.move_anchor(episode=people.episode, on=on, **fields)


def send(people, key, **filters):
    """Mark a planned row as sent, as the pipeline does."""
    reminder = row(people.episode, key, **filters)
    make_message(reminder.recipient, people.clinic, [reminder])
    reminder.refresh_from_db()
    return reminder


def test_the_plan_is_stored_as_intent_and_moment(planned):
    stored = row(planned.episode, "pack-bag")

    assert (stored.local_date, stored.local_time, stored.time_zone) == (
        date(2026, 4, 25),
        time(9),
        "Europe/London",
    )
    assert stored.due_at.isoformat() == "2026-04-25T08:00:00+00:00"
    assert (stored.state, stored.category, stored.counted_from) == (
        "planned",
        "preparation",
        "2026-04-27",
    )


def test_a_smoker_gets_the_smoking_steps_and_a_non_smoker_none(planned):
    smoking = {"step_key": "stop-smoking"}

    assert len(rows(planned.episode, **smoking)) == 6
    assert rows(planned.other_episode, **smoking) == []


def test_a_child_is_planned_for_both_parents(planned):
    who = Reminder.objects.filter(episode=planned.child_episode, step_key="day-before")

    assert {each.recipient for each in who} == {planned.mother, planned.father}


def test_planning_twice_writes_nothing(planned):
    before = everything()

    diffs = [reconcile(episode, now=planned.now) for episode in planned.episodes]

    assert [diff.is_empty for diff in diffs] == [True] * 5
    assert everything() == before


def test_planning_again_later_writes_nothing_while_everything_is_on_time(planned):
    before = everything()

    reconcile(planned.episode, now=planned.now + timedelta(days=2))

    assert everything() == before


def test_a_preview_writes_nothing(planned):
    before = everything()

    preview(planned.episode, now=planned.now)
    actions.preview_anchor(
        episode=planned.episode,
        anchor="surgery",
        on=planned.surgery_on + TWO_WEEKS,
        now=planned.now,
    )
    actions.preview_booking(
        patient=planned.patient,
        version=planned.adult_version,
        surgery_on=planned.surgery_on,
        now=planned.now,
    )

    assert everything() == before


def test_a_preview_shows_what_the_move_then_does(planned):
    send(planned, "insurer")
    on = planned.surgery_on + TWO_WEEKS
    shown = actions.preview_anchor(
        episode=planned.episode, anchor="surgery", on=on, now=planned.now
    )

    done = move(planned, on)

    assert shown.counts == done.counts
    assert [(item.change, item.key) for item in shown.items] == [
        (item.change, item.key) for item in done.items
    ]


def test_a_preview_with_other_rules_shows_them(planned):
    assert preview(planned.episode, now=planned.now, rules=[]).counts["dropped"] == len(
        rows(planned.episode)
    )


def test_moving_surgery_moves_what_counts_from_it_and_nothing_else(planned):
    before = {each["id"]: each for each in rows(planned.episode)}

    move(planned, planned.surgery_on + TWO_WEEKS)

    for after in rows(planned.episode, kind="step"):
        was = before[after["id"]]
        expected = was["local_date"] + (
            TWO_WEEKS if after["step_key"] != "insurer" else timedelta()
        )
        if after["step_key"] != "driving":  # two months later: the months have different lengths
            assert after["local_date"] == expected, after["step_key"]


def test_moving_there_and_back_restores_the_plan(planned):
    before = rows(planned.episode)

    move(planned, planned.surgery_on + TWO_WEEKS)
    move(planned, planned.surgery_on)

    assert rows(planned.episode, kind="step") == before


def test_moving_into_the_past_and_back_restores_the_plan(planned):
    def open_rows():
        return rows(planned.episode, kind="step", state="planned")

    before = open_rows()

    move(planned, planned.now.date() - timedelta(days=40))
    assert open_rows() != before
    move(planned, planned.surgery_on)

    assert open_rows() == before


def test_what_was_sent_never_changes(planned):
    sent = send(planned, "pack-bag")
    before = rows(planned.episode, id=sent.id)

    move(planned, planned.surgery_on + TWO_WEEKS)
    actions.cancel_surgery(episode=planned.episode, by=planned.clerk, now=planned.now, reason="ill")

    assert rows(planned.episode, id=sent.id) == before


def test_a_step_that_corrects_is_sent_again_once_for_each_new_date(planned):
    send(planned, "pack-bag")
    move(planned, planned.surgery_on + TWO_WEEKS)
    correction = row(planned.episode, "pack-bag", correction=1)
    assert (correction.state, correction.local_date) == ("planned", date(2026, 5, 9))

    send(planned, "pack-bag", correction=1)
    reconcile(planned.episode, now=planned.now)
    assert len(rows(planned.episode, step_key="pack-bag")) == 2

    move(planned, planned.surgery_on + 2 * TWO_WEEKS)
    assert len(rows(planned.episode, step_key="pack-bag")) == 3


def test_a_correction_not_sent_yet_is_dropped_when_the_date_moves_back(planned):
    send(planned, "pack-bag")
    move(planned, planned.surgery_on + TWO_WEEKS)
    move(planned, planned.surgery_on)

    correction = row(planned.episode, "pack-bag", correction=1)
    assert (correction.state, correction.reason) == ("cancelled", DROPPED)


def test_a_step_that_asks_is_sent_again_only_when_staff_said_so(planned):
    records.set_anchor(
        episode=planned.episode,
        anchor="admission",
        on=planned.surgery_on,
        by=planned.clerk,
        now=planned.now,
    )
    reconcile(planned.episode, now=planned.now)
    send(planned, "come-in")
    later = planned.surgery_on + timedelta(days=1)

    shown = actions.preview_anchor(
        episode=planned.episode, anchor="admission", on=later, now=planned.now
    )
    assert [item.key.step for item in shown.items if item.asks] == ["come-in"]

    move(planned, later, anchor="admission")
    assert len(rows(planned.episode, step_key="come-in")) == 1
    move(
        planned,
        later + timedelta(days=1),
        anchor="admission",
        choices={(Change.ALREADY_SENT, "come-in"): Choice.SEND},
    )
    assert len(rows(planned.episode, step_key="come-in")) == 2


def test_another_sending_window_moves_what_waits_and_corrects_nothing(planned):
    sent = send(planned, "pack-bag")
    planned.clinic.sending_from = time(11)
    planned.clinic.save()

    reconcile(planned.episode, now=planned.now)

    assert rows(planned.episode, step_key="pack-bag") == rows(planned.episode, id=sent.id)
    assert row(planned.episode, "xray-window").local_time == time(11)


def test_another_zone_of_the_reader_moves_what_waits_and_corrects_nothing(planned):
    send(planned, "pack-bag")
    planned.patient.user.time_zone = "Asia/Tokyo"
    planned.patient.user.save()

    reconcile(planned.episode, now=planned.now)

    waiting = row(planned.episode, "xray-window")
    assert (waiting.time_zone, waiting.due_at.isoformat()) == (
        "Asia/Tokyo",
        "2026-06-08T00:00:00+00:00",
    )
    assert len(rows(planned.episode, step_key="pack-bag")) == 1


def test_what_staff_stopped_is_never_planned_again(planned):
    stopped = row(planned.episode, "pack-bag")
    actions.stop(reminder=stopped, by=planned.nurse, now=planned.now, reason="told by phone")

    move(planned, planned.surgery_on + TWO_WEEKS)
    move(planned, planned.surgery_on)

    stopped.refresh_from_db()
    assert (stopped.state, stopped.reason) == ("cancelled", STOPPED_BY_STAFF)


def test_rows_dropped_with_a_cleared_date_come_back_with_a_new_one(planned):
    before = rows(planned.episode)

    move(planned, None)
    assert {each["state"] for each in rows(planned.episode, kind="step")} == {
        "planned",
        "cancelled",
    }
    move(planned, planned.surgery_on)

    assert rows(planned.episode, kind="step") == before


def test_discharge_gives_its_steps_dates(planned):
    move(planned, planned.surgery_on + timedelta(days=4), anchor="discharge")

    exercises = Reminder.objects.filter(episode=planned.episode, step_key="exercises")
    assert [each.local_date for each in exercises] == [
        date(2026, 5, 2) + timedelta(days=n) for n in range(5)
    ]


@pytest.mark.parametrize("change", [{"is_restricted": True}, {"deceased_on": date(2026, 3, 1)}])
def test_nothing_is_planned_about_somebody_nobody_may_write_to(planned, change):
    records.update_patient(patient=planned.patient, by=planned.clerk, now=planned.now, **change)

    reconcile(planned.episode, now=planned.now)

    assert {each["state"] for each in rows(planned.episode)} == {"cancelled"}


def test_giving_up_smoking_drops_the_smoking_steps_and_starting_again_brings_them_back(planned):
    before = rows(planned.episode)
    for smokes, state in ((False, {"cancelled"}), (True, {"planned"})):
        records.update_patient(
            patient=planned.patient, by=planned.clerk, now=planned.now, uses_nicotine=smokes
        )
        plan_requested(now=planned.now)
        assert {each["state"] for each in rows(planned.episode, step_key="stop-smoking")} == state

    assert rows(planned.episode) == before


def test_a_closed_account_is_planned_nothing(planned):
    planned.father.is_active = False
    planned.father.save()

    reconcile(planned.child_episode, now=planned.now)

    states = (
        Reminder.objects.filter(episode=planned.child_episode)
        .values_list("recipient", "state")
        .distinct()
    )
    assert set(states) == {(planned.mother.id, "planned"), (planned.father.id, "cancelled")}


def test_ending_a_parents_access_drops_their_rows_and_keeps_the_others(planned):
    link = RelatedPerson.objects.get(patient=planned.child, user=planned.father)
    records.end_carer(link=link, by=planned.clerk, now=planned.now)

    plan_requested(now=planned.now)

    states = (
        Reminder.objects.filter(episode=planned.child_episode)
        .values_list("recipient", "state")
        .distinct()
    )
    assert set(states) == {(planned.mother.id, "planned"), (planned.father.id, "cancelled")}


def test_a_parent_who_may_not_see_everything_is_not_asked_to_check_in(planned):
    RelatedPerson.objects.filter(user=planned.father).update(scope="appointments")

    records.set_anchor(
        episode=planned.child_episode, anchor="discharge", on=date(2026, 5, 1), by=planned.clerk,
        now=planned.now,
    )  # fmt: skip
    plan_requested(now=planned.now)

    checks = Reminder.objects.filter(episode=planned.child_episode, category="check_in")
    assert {row.recipient for row in checks.open()} == {planned.mother}


def test_a_parent_linked_again_gets_their_rows_back(planned):
    before = rows(planned.child_episode)
    link = RelatedPerson.objects.get(patient=planned.child, user=planned.father)
    records.end_carer(link=link, by=planned.clerk, now=planned.now)
    plan_requested(now=planned.now)

    records.link_carer(
        patient=planned.child, email=planned.father.email, name="", relationship="father",
        by=planned.clerk, now=planned.now,
    )  # fmt: skip
    plan_requested(now=planned.now)

    assert rows(planned.child_episode) == before


# Appointments


def xray(people, on, at=time(14), **fields):
    appointment = records.book_appointment(
        episode=people.episode, kind="xray", on=on, at=at, by=people.clerk, now=people.now, location=people.location,
        **fields,
    )  # fmt: skip
    reconcile(people.episode, now=people.now)
    return appointment


def test_a_booked_visit_is_reminded_of_and_the_asking_for_it_stops(planned):
    request = planned.episode.imaging_requests.get()

    appointment = xray(planned, date(2026, 6, 10), imaging_request=request)

    assert row(planned.episode, "xray-visit").appointment == appointment
    assert row(planned.episode, "xray-window").state == "cancelled"


def test_a_visit_called_off_takes_its_reminder_with_it_and_is_asked_for_again(planned):
    request = planned.episode.imaging_requests.get()
    appointment = xray(planned, date(2026, 6, 10), imaging_request=request)

    records.cancel_appointment(appointment=appointment, by=planned.clerk, now=planned.now)
    plan_requested(now=planned.now)

    assert row(planned.episode, "xray-visit").state == "cancelled"
    assert row(planned.episode, "xray-window").state == "planned"


def test_a_visit_moved_to_another_hour_of_the_day_corrects_what_was_sent(planned):
    appointment = xray(planned, date(2026, 6, 10))
    send(planned, "xray-visit")

    records.move_appointment(
        appointment=appointment,
        on=date(2026, 6, 10),
        at=time(16),
        by=planned.clerk,
        now=planned.now,
    )
    reconcile(planned.episode, now=planned.now)

    assert row(planned.episode, "xray-visit", correction=1).state == "planned"


def test_a_visit_moved_to_an_earlier_hour_ends_its_reminder_earlier(planned):
    appointment = xray(planned, date(2026, 6, 10))
    before = row(planned.episode, "xray-visit")
    Reminder.objects.filter(id=before.id).update(attempts=2, valid_until=appointment.starts_at)

    records.move_appointment(
        appointment=appointment, on=date(2026, 6, 10), at=time(8), by=planned.clerk, now=planned.now
    )
    reconcile(planned.episode, now=planned.now)

    after = row(planned.episode, "xray-visit")
    assert (after.due_at, after.attempts) == (before.due_at, 2)
    assert after.valid_until == min(before.due_at + timedelta(days=2), appointment.starts_at)
    assert after.counted_from == appointment.starts_at.isoformat()


def test_two_visits_of_one_kind_are_two_reminders(planned):
    xray(planned, date(2026, 6, 10))
    xray(planned, date(2026, 7, 10))

    assert len(rows(planned.episode, step_key="xray-visit")) == 2


# Rows on their way


def retry(reminder, people):
    message = make_message(reminder.recipient, people.clinic, state="retrying", sent_at=None)
    Reminder.objects.filter(id=reminder.id).update(
        state="retrying", message=message, attempts=3, due_at=people.now + timedelta(minutes=4)
    )
    return message


def test_a_mail_that_waits_to_be_tried_again_is_withdrawn_when_its_date_moves(planned):
    message = retry(row(planned.episode, "pack-bag"), planned)

    move(planned, planned.surgery_on + TWO_WEEKS)

    moved = row(planned.episode, "pack-bag")
    assert (moved.state, moved.message, moved.local_date) == ("planned", None, date(2026, 5, 9))
    message.refresh_from_db()
    assert message.state == "withdrawn"


def test_a_mail_that_waits_to_be_tried_again_is_withdrawn_when_the_episode_closes(planned):
    message = retry(row(planned.episode, "pack-bag"), planned)

    actions.cancel_surgery(episode=planned.episode, by=planned.clerk, now=planned.now, reason="ill")

    message.refresh_from_db()
    assert (message.state, row(planned.episode, "pack-bag").state) == ("withdrawn", "cancelled")


def test_a_mail_keeps_waiting_for_the_reminders_that_stay_in_it(planned):
    first, second = row(planned.episode, "pack-bag"), row(planned.episode, "insurer")
    message = retry(first, planned)
    Reminder.objects.filter(id=second.id).update(state="retrying", message=message)

    move(planned, planned.surgery_on + TWO_WEEKS)

    message.refresh_from_db()
    assert (message.state, list(message.reminders.all())) == ("retrying", [second])


def test_a_mail_that_waits_to_be_tried_again_keeps_its_tries_while_nothing_changes(planned):
    retry(row(planned.episode, "pack-bag"), planned)
    before = rows(planned.episode)

    reconcile(planned.episode, now=planned.now + timedelta(minutes=1))

    assert rows(planned.episode) == before


def test_what_is_claimed_but_not_handed_over_moves_with_its_date(planned):
    claimed = row(planned.episode, "pack-bag")
    Reminder.objects.filter(id=claimed.id).update(
        state="claimed", claimed_by="worker", lease_until=planned.now + timedelta(minutes=5)
    )

    move(planned, planned.surgery_on + TWO_WEEKS)

    claimed.refresh_from_db()
    assert (claimed.state, claimed.local_date, claimed.lease_until) == (
        "planned",
        date(2026, 5, 9),
        None,
    )


def test_what_is_with_the_mail_server_stays_and_the_plan_is_looked_at_again(planned):
    handed = row(planned.episode, "pack-bag")
    message = make_message(handed.recipient, planned.clinic, state="sending", sent_at=None)
    Reminder.objects.filter(id=handed.id).update(
        state="claimed",
        claimed_by="worker",
        lease_until=planned.now + timedelta(minutes=5),
        message=message,
    )
    before = rows(planned.episode, id=handed.id)

    move(planned, planned.surgery_on + TWO_WEEKS)

    assert rows(planned.episode, id=handed.id) == before
    assert planned.episode.plan_requests.values_list("reason", flat=True).get() == "in_flight"


# Versions


def test_a_step_sent_under_one_version_is_not_sent_again_under_the_next(planned):
    send(planned, "pack-bag")
    newer = make_version(
        planned.clinic,
        {
            "pack-bag": {"offset_value": -4, "repeat_policy": "correct"},
            "new-step": {"offset_value": 1},
        },
        pathway=planned.adult_version.pathway,
        number=2,
    )
    planned.episode.version = newer
    planned.episode.save()

    reconcile(planned.episode, now=planned.now)

    assert [each["state"] for each in rows(planned.episode, step_key="pack-bag")] == ["sent"]
    assert row(planned.episode, "new-step").state == "planned"
    assert row(planned.episode, "xray-window").state == "cancelled"


def test_a_row_that_keeps_its_moment_gets_the_words_of_the_new_version(planned):
    newer = make_version(
        planned.clinic,
        {"pack-bag": {"offset_value": -2, "category": "recovery", "is_essential": True}},
        pathway=planned.adult_version.pathway,
        number=2,
    )
    planned.episode.version = newer
    planned.episode.save()

    reconcile(planned.episode, now=planned.now)

    kept = row(planned.episode, "pack-bag")
    assert (kept.step.version, kept.category, kept.is_essential) == (newer, "recovery", True)


# Requests for plans


def test_requests_are_worked_through_and_taken_away(people):
    assert PlanRequest.objects.count() == 5

    assert plan_requested(now=people.now) == 5
    assert plan_requested(now=people.now) == 0
    assert Reminder.objects.exists()


def test_an_episode_is_planned_once_however_often_it_was_asked_for(people):
    records.request_plan(people.episode, people.episode, reason="again", now=people.now)

    assert plan_requested(now=people.now) == 5


def test_an_episode_that_cannot_be_planned_holds_up_no_other_and_does_not_spin(
    people, monkeypatch, caplog
):
    tried = []

    def fail_for_one(ids, *, now):
        tried.append(list(ids))
        if people.child_episode.id in ids:
            raise RuntimeError("no such step")
        return reconcile_all(ids, now=now)

    monkeypatch.setattr("reminders.planning.reconcile_all", fail_for_one)

    assert plan_requested(now=people.now) == 4
    assert tried.count([people.child_episode.id]) == 1
    assert [each.episode for each in PlanRequest.objects.all()] == [people.child_episode]
    assert str(people.child_episode.id) in caplog.text


def test_what_changes_while_a_plan_is_made_is_planned_next(people):
    """A request is taken away only by a plan that was made from what it speaks of."""
    reads = []

    def change_after_the_patient_was_read(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        is_reading = "patients_patient" in sql or "inputs._episodes" in sql
        if not reads and is_reading and sql.startswith(("SELECT", "EXECUTE")):
            reads.append(sql)
            records.update_patient(
                patient=people.patient, by=people.clerk, now=people.now, uses_nicotine=False
            )
        return result

    with connection.execute_wrapper(change_after_the_patient_was_read):
        reconcile(people.episode, now=people.now)

    assert reads
    assert people.episode.plan_requests.values_list("reason", flat=True).get() == "patient.update"


def test_a_run_ends_though_planning_leaves_a_request_behind(planned):
    handed = row(planned.episode, "pack-bag")
    message = make_message(handed.recipient, planned.clinic, state="sending", sent_at=None)
    Reminder.objects.filter(id=handed.id).update(
        state="claimed",
        claimed_by="worker",
        lease_until=planned.now + timedelta(minutes=5),
        message=message,
    )
    move(planned, planned.surgery_on + TWO_WEEKS)

    assert plan_requested(now=planned.now) == 1
    assert PlanRequest.objects.count() == 1


# How much it costs


# Each of these counts the two of a savepoint, which a plan outside of a test has not.


def test_planning_costs_the_same_queries_however_many_rows(people, django_assert_num_queries):
    reconcile(people.other_episode, now=people.now)
    with django_assert_num_queries(7):
        reconcile(people.episode, now=people.now)  # 13 rows, all new


def test_planning_what_is_up_to_date_costs_fewer(planned, django_assert_num_queries):
    with django_assert_num_queries(6):
        reconcile(planned.episode, now=planned.now)


def test_many_episodes_cost_no_more_queries_than_one(planned, django_assert_num_queries):
    with django_assert_num_queries(6):
        reconcile_all([episode.id for episode in planned.episodes], now=planned.now)


def test_moving_costs_no_query_per_row(planned, django_assert_num_queries):
    long = make_version(
        planned.clinic,
        {
            "daily": {"repeat_every_days": 1, "repeat_count": 150},
            "weekly": {"repeat_every_days": 7, "repeat_count": 20},
        },
    )
    patient = make_patient(planned.clinic)
    episode = make_episode(patient, long)
    reconcile(episode, now=NOW)
    episode.anchor_dates.update(on=planned.surgery_on + TWO_WEEKS)

    with django_assert_num_queries(8):
        reconcile(episode, now=NOW)


def test_moving_dropping_keeping_and_correcting_at_once_cost_nine_queries(
    planned, django_assert_num_queries
):
    """The dearest of plans: all that changes in one UPDATE, a correction in one INSERT."""
    send(planned, "pack-bag")
    newer = make_version(
        planned.clinic,
        {
            "pack-bag": {"offset_value": -2, "repeat_policy": "correct", "late_policy": "send_now"},
            "insurer": {"anchor": "decision", "offset_value": 3, "category": "recovery"},
            "day-before": {"offset_value": -1, "at": time(12)},
        },
        pathway=planned.adult_version.pathway,
        number=2,
    )
    planned.episode.version = newer
    planned.episode.save()
    planned.episode.anchor_dates.filter(anchor="surgery").update(on=planned.surgery_on + TWO_WEEKS)
    reconcile(planned.other_episode, now=planned.now)
    rules_of(newer)

    with django_assert_num_queries(9):
        diff = reconcile(planned.episode, now=planned.now)

    assert {name for name, number in diff.counts.items() if number} == {
        "kept", "moved", "new", "dropped", "already_sent",
    }  # fmt: skip
    assert row(planned.episode, "insurer").category == "recovery"


def test_more_carers_and_visits_cost_no_further_queries(planned, django_assert_num_queries):
    for _ in range(3):
        make_carer(planned.child)
        make_appointment(planned.child_episode)

    with django_assert_num_queries(7):
        reconcile(planned.child_episode, now=planned.now)


def test_a_new_row_says_what_every_column_holds():
    assert set(NEW) == {field.name for field in Reminder._meta.concrete_fields}


def test_an_older_version_can_still_be_followed(planned):
    make_version(
        planned.clinic,
        {"other": {}},
        pathway=planned.adult_version.pathway,
        number=2,
        is_approved=False,
    )
    draft = planned.adult_version.pathway.versions.get(number=2)
    approve(draft)

    assert reconcile(planned.episode, now=planned.now).is_empty
