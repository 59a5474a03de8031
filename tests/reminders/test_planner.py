"""The planner's rules, one example each."""

from datetime import date, time, timedelta
from uuid import UUID

import pytest

from procedures.models import LatePolicy, Recipients
from procedures.offsets import Offset
from reminders.planner import (
    LATE_AT_MOST,
    LATE_REPEAT,
    PORTAL_ONLY,
    TOO_LATE,
    inside_window,
    next_in_window,
    plan,
)
from tests.reminders.rules import (
    FATHER,
    MOTHER,
    NOW,
    PATIENT,
    SURGERY,
    carer,
    case,
    child,
    every,
    patient,
    rule,
    utc,
    visit,
)

YESTERDAY = NOW.date() - timedelta(days=1)


def days(rows):
    return [row.intent.local_date for row in rows]


def one(step, of=None, now=NOW):
    (row,) = plan([step], of or case(), now)
    return row


# Where a step falls


@pytest.mark.parametrize(
    ("offset", "unit", "expected"),
    [
        (-1, "days", date(2026, 4, 26)),
        (0, "days", SURGERY),
        (6, "weeks", date(2026, 6, 8)),
        (2, "months", date(2026, 6, 27)),
        (1, "years", date(2027, 4, 27)),
    ],
)
def test_a_step_falls_its_offset_away_from_its_anchor(offset, unit, expected):
    assert days(plan([rule(offset=offset, unit=unit)], case(), NOW)) == [expected]


@pytest.mark.parametrize(
    ("anchor", "offset", "unit", "expected"),
    [
        (date(2026, 1, 31), 1, "months", date(2026, 2, 28)),
        (date(2028, 1, 31), 1, "months", date(2028, 2, 29)),
        (date(2026, 5, 31), -1, "months", date(2026, 4, 30)),
        (date(2026, 12, 31), 2, "months", date(2027, 2, 28)),
        (date(2026, 1, 1), -1, "months", date(2025, 12, 1)),
        (date(2028, 2, 29), 1, "years", date(2029, 2, 28)),
        (date(2028, 2, 29), 4, "years", date(2032, 2, 29)),
        (date(2028, 2, 29), -1, "years", date(2027, 2, 28)),
    ],
)
def test_a_month_end_stays_inside_its_month(anchor, offset, unit, expected):
    planned = plan([rule(offset=offset, unit=unit)], case(anchors={"surgery": anchor}), NOW)

    assert days(planned) == [expected]


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="fortnights"):
        plan([rule(offset=1, unit="fortnights")], case(), NOW)


def test_an_anchor_without_a_date_plans_nothing():
    assert plan([rule(anchor="discharge")], case(), NOW) == []


@pytest.mark.parametrize(
    "anchor", ["decision", "admission", "surgery", "discharge", "quit", "milestone:full_weight"]
)
def test_every_anchor_with_a_date_plans_its_steps(anchor):
    planned = plan([rule(anchor=anchor, offset=1)], case(anchors={anchor: SURGERY}), NOW)

    assert days(planned) == [SURGERY + timedelta(days=1)]


def test_a_step_for_somebody_else_is_not_planned():
    assert plan([rule(condition={"uses_nicotine": False})], case(), NOW) == []
    assert len(plan([rule(condition={"job": ["desk", "heavy"]})], case(), NOW)) == 1


def test_a_step_whose_reason_has_gone_is_not_planned():
    assert plan([rule("ask")], case(ended_steps=frozenset({"ask"})), NOW) == []


@pytest.mark.parametrize(
    ("held", "planned"),
    [
        (set(), ["walk", "wash"]),
        ({"step:walk"}, ["wash"]),
        ({"category:physiotherapy"}, ["wash"]),
        ({"step:wash", "category:xray"}, ["walk"]),
        ({"*"}, []),
    ],
)
def test_what_staff_hold_is_not_planned(held, planned):
    rules = [rule("walk", category="physiotherapy"), rule("wash")]

    rows = plan(rules, case(holds=frozenset(held)), NOW)

    assert [row.key.step for row in rows] == planned


def test_rows_come_in_order_of_their_moments():
    rows = plan([rule("b", 3), rule("a", 1), rule("c", 1)], case(), NOW)

    assert [row.key.step for row in rows] == ["a", "c", "b"]


# Visits


def test_a_step_about_visits_is_planned_for_each_visit_of_its_kind():
    first = visit(date(2026, 6, 10), id=UUID(int=8))
    second = visit(date(2026, 7, 10), id=UUID(int=9))
    other = visit(date(2026, 8, 10), kind="clinic")
    step = rule(offset=-3, anchor="appointment", appointment_kind="xray")

    rows = plan([step], case(visits=(first, second, other)), NOW)

    assert [(row.key.appointment_id, row.intent.local_date) for row in rows] == [
        (UUID(int=8), date(2026, 6, 7)),
        (UUID(int=9), date(2026, 7, 7)),
    ]


def test_a_reminder_of_a_visit_ends_when_the_visit_begins():
    step = rule(offset=-1, anchor="appointment", appointment_kind="xray")

    row = one(step, case(visits=(visit(date(2026, 6, 10), time(8)),)))

    assert row.valid_until == utc(2026, 6, 10, 7)


def test_a_reminder_that_would_come_after_its_visit_began_is_left_out():
    step = rule(offset=0, anchor="appointment", appointment_kind="xray")

    row = one(step, case(visits=(visit(date(2026, 6, 10), time(8, 30)),)))

    assert row.skipped == TOO_LATE


def test_what_follows_a_visit_does_not_end_with_it():
    step = rule(offset=1, anchor="appointment", appointment_kind="xray")

    row = one(step, case(visits=(visit(date(2026, 6, 10)),)))

    assert row.valid_until == row.due_at + timedelta(days=2)


# Repetition


def test_a_repetition_ends_after_its_count():
    rows = plan([rule(offset=1, repetition=every(3, count=3))], case(), NOW)

    assert days(rows) == [date(2026, 4, 28), date(2026, 5, 1), date(2026, 5, 4)]
    assert [row.key.occurrence for row in rows] == [0, 1, 2]


def test_a_count_of_none_at_all_plans_nothing():
    assert plan([rule(repetition=every(1, count=0))], case(), NOW) == []


def test_a_repetition_ends_with_and_on_its_last_day():
    repetition = every(7, until_anchor="surgery", until=Offset(14, "days"))

    assert days(plan([rule(repetition=repetition)], case(), NOW)) == [
        SURGERY,
        SURGERY + timedelta(days=7),
        SURGERY + timedelta(days=14),
    ]


def test_a_repetition_ends_at_whichever_end_comes_first():
    repetition = every(1, count=2, until_anchor="surgery", until=Offset(9, "days"))

    assert len(plan([rule(repetition=repetition)], case(), NOW)) == 2


def test_an_end_that_hangs_on_an_event_without_a_date_is_not_known_yet():
    open_ended = every(1, until_anchor="discharge", until=Offset(9, "days"))
    counted = every(1, count=2, until_anchor="discharge", until=Offset(9, "days"))

    assert plan([rule(repetition=open_ended)], case(), NOW) == []
    assert len(plan([rule(repetition=counted)], case(), NOW)) == 2


def test_a_repetition_keeps_to_its_weekdays():
    repetition = every(1, count=4, weekdays=(0, 3))

    assert days(plan([rule(repetition=repetition)], case(), NOW)) == [
        date(2026, 4, 27),
        date(2026, 4, 30),
        date(2026, 5, 4),
        date(2026, 5, 7),
    ]


def test_a_repetition_without_an_end_is_bounded():
    assert len(plan([rule(repetition=every(1, count=30_000))], case(), NOW)) == 3660


# Recipients


def test_an_adult_gets_the_mail_and_the_carer_does_not():
    rows = plan([rule()], case(patient(), carer()), NOW)

    assert [row.key.recipient_id for row in rows] == [PATIENT]


def test_every_live_carer_of_a_child_gets_the_mail_in_their_own_zone():
    people = (carer(MOTHER), carer(FATHER, "America/New_York"))

    rows = plan([rule()], child(*people), NOW)

    assert [(row.key.recipient_id, row.due_at) for row in rows] == [
        (MOTHER, utc(2026, 4, 27, 8)),
        (FATHER, utc(2026, 4, 27, 13)),
    ]


def test_a_young_person_whom_nobody_cares_for_gets_the_mail():
    ended = carer(ends_on=date(2026, 4, 1))

    rows = plan([rule()], child(patient(), ended), NOW)

    assert [row.key.recipient_id for row in rows] == [PATIENT]


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Recipients.PATIENT, {PATIENT}),
        (Recipients.CARERS, {MOTHER, FATHER}),
        (Recipients.BOTH, {PATIENT, MOTHER, FATHER}),
        (Recipients.DEFAULT, {MOTHER, FATHER}),
    ],
)
def test_a_step_can_say_who_gets_it(audience, expected):
    rows = plan([rule(recipients=audience)], child(patient(), carer(), carer(FATHER)), NOW)

    assert {row.key.recipient_id for row in rows} == expected


def test_a_patient_who_is_also_named_a_carer_gets_one_mail():
    rows = plan([rule(recipients=Recipients.BOTH)], child(patient(), carer(PATIENT)), NOW)

    assert len(rows) == 1


def test_from_the_day_of_coming_of_age_the_mail_is_the_patients():
    family = child(patient(), carer(), adult_on=SURGERY + timedelta(days=1))

    rows = plan([rule(repetition=every(1, count=2))], family, NOW)

    assert [row.key.recipient_id for row in rows] == [MOTHER, PATIENT]


def test_a_step_that_needs_the_full_view_goes_to_who_has_it():
    partly = carer(FATHER, has_full_view=False)
    steps = [rule("visit"), rule("form", needs_full_view=True)]

    rows = plan(steps, child(carer(), partly), NOW)

    assert [(row.key.step, row.key.recipient_id) for row in rows] == [
        ("form", MOTHER),
        ("visit", MOTHER),
        ("visit", FATHER),
    ]


def test_where_no_carer_has_the_full_view_the_young_person_gets_what_needs_it():
    partly = carer(has_full_view=False)

    rows = plan([rule(needs_full_view=True)], child(patient(), partly), NOW)

    assert [row.key.recipient_id for row in rows] == [PATIENT]


def test_a_carer_gets_what_falls_inside_their_access_and_nothing_else():
    short = carer(starts_on=SURGERY + timedelta(days=1), ends_on=SURGERY + timedelta(days=3))

    rows = plan([rule(repetition=every(1, count=5))], child(short), NOW)

    assert days(rows) == [SURGERY + timedelta(days=1), SURGERY + timedelta(days=2)]


def test_a_parent_linked_today_gets_what_is_sent_late_today():
    today = carer(starts_on=NOW.date())
    step = rule(offset=-9, unit="weeks", late_policy=LatePolicy.SEND_NOW)

    assert one(step, child(today)).skipped == ""


def test_a_parent_linked_today_does_not_get_what_is_left_out_when_late():
    today = carer(starts_on=NOW.date())

    assert plan([rule(offset=-9, unit="weeks")], child(today), NOW) == []


def test_a_carer_whose_access_has_ended_gets_nothing_late():
    ended = carer(ends_on=NOW.date())
    step = rule(offset=-9, unit="weeks", late_policy=LatePolicy.SEND_NOW, recipients="carers")

    assert plan([step], child(ended), NOW) == []


# Late


def late(policy, **fields):
    fields = {"anchor": "discharge", "offset": 0, "late_policy": policy} | fields
    return one(rule(**fields), case(anchors={"discharge": YESTERDAY}))


@pytest.mark.parametrize(
    ("policy", "skipped"),
    [
        (LatePolicy.SKIP, TOO_LATE),
        (LatePolicy.SEND_NOW, ""),
        (LatePolicy.CATCH_UP, ""),
        (LatePolicy.PORTAL_ONLY, PORTAL_ONLY),
    ],
)
def test_a_late_step_does_as_its_policy_says(policy, skipped):
    assert late(policy).skipped == skipped


def test_a_step_due_this_very_moment_is_not_late():
    step = rule(offset=0, anchor="discharge", at=time(10))

    row = one(step, case(anchors={"discharge": NOW.date()}))

    assert (row.skipped, row.due_at) == ("", NOW)


def test_a_late_step_keeps_its_own_moment_as_intent_and_goes_now():
    row = late(LatePolicy.SEND_NOW)

    assert (row.intent.local_date, row.due_at) == (YESTERDAY, NOW)
    assert row.valid_until == NOW + timedelta(days=2)


def test_a_late_step_planned_at_night_waits_for_the_morning_and_is_valid_from_there():
    night = utc(2026, 3, 2, 23, 30)
    step = rule(anchor="discharge", late_policy="send_now", valid_for=timedelta(hours=1))

    row = one(step, case(anchors={"discharge": YESTERDAY}), night)

    assert (row.skipped, row.due_at, row.valid_until) == (
        "",
        utc(2026, 3, 3, 8),
        utc(2026, 3, 3, 9),
    )


def test_of_a_repeated_step_only_the_last_one_past_is_sent_late():
    step = rule(anchor="discharge", late_policy="send_now", repetition=every(1, count=5))

    rows = plan([step], case(anchors={"discharge": NOW.date() - timedelta(days=2)}), NOW)

    assert [row.skipped for row in rows] == [LATE_REPEAT, LATE_REPEAT, "", "", ""]
    assert [row.due_at >= NOW for row in rows] == [False, False, True, True, True]


def test_an_occurrence_is_overtaken_by_the_next_at_the_moment_that_one_is_due():
    step = rule(
        anchor="discharge", at=time(10), late_policy="send_now", repetition=every(1, count=2)
    )

    rows = plan([step], case(anchors={"discharge": YESTERDAY}), NOW)

    assert [row.skipped for row in rows] == [LATE_REPEAT, ""]


def test_a_step_that_prepares_for_a_day_ends_with_that_day():
    row = one(rule(offset=-1, valid_for=timedelta(days=9)))

    assert row.valid_until == utc(2026, 4, 27, 23)


@pytest.mark.parametrize("repetition", [None, every(1, count=3)])
def test_what_prepares_for_an_event_is_not_sent_late_once_the_day_is_over(repetition):
    step = rule(offset=-9, late_policy="send_now", repetition=repetition)

    rows = plan([step], case(anchors={"surgery": YESTERDAY}), NOW)

    assert {row.skipped for row in rows} <= {TOO_LATE, LATE_REPEAT}


def test_what_follows_an_event_is_sent_late_for_two_weeks_and_no_longer():
    step = rule(anchor="discharge", at=time(10), late_policy="send_now")
    at_last = case(anchors={"discharge": (NOW - LATE_AT_MOST).date() + timedelta(days=1)})
    too_late = case(anchors={"discharge": (NOW - LATE_AT_MOST).date()})

    assert (one(step, at_last).skipped, one(step, too_late).skipped) == ("", TOO_LATE)


def test_what_follows_the_decision_prepares_for_surgery_and_is_sent_late_until_then():
    step = rule(anchor="decision", offset=3, late_policy="catch_up")
    decided = {"decision": date(2025, 12, 1)}

    assert one(step, case(anchors=decided)).skipped == ""
    assert one(step, case(anchors=decided | {"surgery": SURGERY})).skipped == ""
    assert one(step, case(anchors=decided | {"surgery": YESTERDAY})).skipped == TOO_LATE


# The sending window


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (time(6), time(8)),
        (time(8), time(8)),
        (time(12, 30), time(12, 30)),
        (time(19, 45), time(19, 45)),
        (time(19, 50), time(19, 45)),
        (time(23), time(19, 45)),
    ],
)
def test_a_time_outside_the_window_moves_to_its_nearest_end(at, expected):
    assert inside_window(at, (time(8), time(20))) == expected


@pytest.mark.parametrize("window", [(time(0), time(0, 10)), (time(12), time(12, 5))])
def test_a_window_shorter_than_the_margin_leaves_its_opening(window):
    assert inside_window(time(15), window) == window[0]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (utc(2026, 3, 2, 7, 59), utc(2026, 3, 2, 8)),
        (utc(2026, 3, 2, 8), utc(2026, 3, 2, 8)),
        (utc(2026, 3, 2, 19, 59), utc(2026, 3, 2, 19, 59)),
        (utc(2026, 3, 2, 20), utc(2026, 3, 3, 8)),
        # The night on which London's clocks go forward is an hour shorter.
        (utc(2026, 3, 28, 20), utc(2026, 3, 29, 7)),
    ],
)
def test_the_next_moment_inside_the_window(now, expected):
    assert next_in_window(now, "Europe/London", (time(8), time(20))) == expected


def test_the_window_counts_on_the_recipients_clock():
    early = rule(at=time(6))

    row = one(early, case(patient("Asia/Tokyo")))

    assert row.due_at == utc(2026, 4, 26, 23)


def test_a_row_says_what_its_words_speak_of():
    step = rule(offset=-3, anchor="appointment", appointment_kind="xray")

    assert one(rule(offset=-3)).counted_from == "2026-04-27"
    assert (
        one(step, case(visits=(visit(date(2026, 6, 10)),))).counted_from
        == "2026-06-10T13:00:00+00:00"
    )
