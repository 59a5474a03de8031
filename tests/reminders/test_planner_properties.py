"""What holds for every plan, whatever the steps, dates, people and moment."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procedures.models import LatePolicy, Recipients
from procedures.offsets import Offset
from reminders.planner import LATE_AT_MOST, Person, Repetition, next_in_window, plan
from tests.reminders.rules import ADULT, PATIENT, case, rule, visit

ANCHORS = ["decision", "admission", "surgery", "discharge", "quit", "milestone:full_weight"]
UNITS = ["days", "weeks", "months", "years"]
DAYS = st.dates(date(2026, 1, 1), date(2028, 12, 31))
MOMENTS = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
ZONES = st.sampled_from(
    ["Europe/London", "America/New_York", "Pacific/Auckland", "Pacific/Kiritimati", "Australia/Lord_Howe",
     "Asia/Kolkata", "America/Santiago", "Africa/Casablanca", "UTC"]
)  # fmt: skip
OFFSETS = st.builds(Offset, st.integers(-60, 60), st.sampled_from(UNITS[:2])) | st.builds(
    Offset, st.integers(-14, 14), st.just("months")
)
REPETITIONS = st.none() | st.builds(
    Repetition,
    every_days=st.integers(1, 14),
    count=st.integers(0, 12),
    until_anchor=st.sampled_from(ANCHORS),
    until=st.none() | OFFSETS,
    weekdays=st.lists(st.integers(0, 6), max_size=3).map(tuple),
)


@st.composite
def rules(draw, key):
    on_visit = draw(st.booleans())
    own = (
        {"anchor": "appointment", "appointment_kind": "xray"}
        if on_visit
        else {"anchor": draw(st.sampled_from(ANCHORS))}
    )
    offset = draw(OFFSETS)
    return rule(
        key, offset.value, offset.unit,
        at=draw(TIMES),
        valid_for=timedelta(hours=draw(st.integers(1, 96))),
        repetition=None if on_visit else draw(REPETITIONS),
        late_policy=draw(st.sampled_from(LatePolicy.values)),
        recipients=draw(st.sampled_from(Recipients.values)),
        condition=draw(st.sampled_from([{}, {"uses_nicotine": True}, {"job": ["heavy"]}])),
        **own,
    )  # fmt: skip


@st.composite
def people(draw):
    carers = [
        Person(UUID(int=10 + n), draw(ZONES), False, draw(DAYS), draw(st.none() | DAYS))
        for n in range(draw(st.integers(0, 2)))
    ]
    return [Person(PATIENT, draw(ZONES), is_patient=True), *carers][draw(st.integers(0, 1)) :]


@st.composite
def cases(draw):
    opens, closes = sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True)))
    return case(
        *draw(people()),
        anchors=draw(st.dictionaries(st.sampled_from(ANCHORS), DAYS)),
        adult_on=draw(DAYS),
        window=(opens, closes),
        zone=draw(ZONES),
        attributes=ADULT,
        visits=tuple(
            visit(draw(DAYS), draw(TIMES), id=UUID(int=100 + n))
            for n in range(draw(st.integers(0, 2)))
        ),
    )


STEPS = st.integers(1, 4).flatmap(
    lambda n: st.tuples(*(rules(f"step-{number}") for number in range(n)))
)


@given(STEPS, cases(), MOMENTS)
def test_no_two_rows_have_one_key(steps, of, now):
    keys = [row.key for row in plan(steps, of, now)]

    assert len(keys) == len(set(keys))


@given(STEPS, cases(), MOMENTS)
def test_the_same_question_has_the_same_answer(steps, of, now):
    by_key = {row.key: row for row in plan(tuple(reversed(steps)), of, now)}

    assert {row.key: row for row in plan(steps, of, now)} == by_key


@given(STEPS, cases(), MOMENTS)
def test_what_is_to_be_sent_is_due_from_now_on_inside_the_window_and_before_it_ends(steps, of, now):
    for row in plan(steps, of, now):
        if not row.skipped:
            zone = zone_of(of, row)
            assert now <= row.due_at < row.valid_until
            assert next_in_window(row.due_at, zone, of.window) == row.due_at or moved_by_a_change(
                row, zone
            )


def zone_of(of, row):
    return next(person.zone for person in of.people if person.id == row.key.recipient_id)


def moved_by_a_change(row, zone):
    """On the day of a clock change the local time meant may not exist, and the moment lies after it."""
    return row.due_at.astimezone(zoneinfo.ZoneInfo(zone)).time() != row.intent.local_time


@given(STEPS, cases(), MOMENTS)
def test_a_row_is_for_somebody_of_the_case_in_their_own_zone(steps, of, now):
    zones = {person.id: person.zone for person in of.people}

    for row in plan(steps, of, now):
        assert row.intent.zone == zones[row.key.recipient_id]


@given(STEPS, cases(), MOMENTS)
def test_nothing_is_left_out_that_could_come_on_time(steps, of, now):
    for row in plan(steps, of, now):
        if row.skipped and row.intent.moment >= now:
            ends = [v.starts_at for v in of.visits if v.id == row.key.appointment_id]
            assert (ends and ends[0] <= row.intent.moment) or prepares(row, of)


def prepares(row, of):
    """Its day's window opens after the day it prepares for is over, as the reader's zone has it."""
    return row.rule.anchor in of.anchors and row.intent.local_date < of.anchors[row.rule.anchor]


@given(STEPS, cases(), MOMENTS)
def test_nothing_follows_its_event_more_than_two_weeks_late(steps, of, now):
    for row in plan(steps, of, now):
        if not row.skipped and row.rule.anchor not in {"decision", "appointment"}:
            anchor = of.anchors[row.rule.anchor]
            if row.intent.local_date >= anchor:
                assert row.due_at <= max(now, row.intent.moment) + timedelta(days=2)
                assert row.due_at == row.intent.moment or now < row.intent.moment + LATE_AT_MOST


@given(STEPS, cases(), MOMENTS, st.integers(1, 60))
def test_as_time_goes_by_only_what_was_due_becomes_late(steps, of, now, days):
    later = now + timedelta(days=days)
    before = {row.key: row for row in plan(steps, of, now)}

    for row in plan(steps, of, later):
        if row.intent.moment >= later:
            assert before[row.key] == row


@given(DAYS, st.integers(-600, 600), st.sampled_from(UNITS))
def test_months_and_years_keep_the_day_or_end_with_the_month(day, value, unit):
    result = Offset(value if unit != "years" else value // 10, unit).added_to(day)

    if unit in {"months", "years"}:
        assert result.day == day.day or (
            result.day < day.day and (result + timedelta(days=1)).day == 1
        )
    else:
        assert (result - day).days == value * (7 if unit == "weeks" else 1)


@given(MOMENTS, ZONES, st.lists(TIMES, min_size=2, max_size=2, unique=True).map(sorted))
def test_the_next_moment_inside_the_window_is_never_in_the_past_and_within_two_days(
    now, zone, window
):
    moment = next_in_window(now, zone, tuple(window))

    assert now <= moment <= now + timedelta(hours=50)


def test_a_fault_in_the_window_rule_would_be_found():
    """The check above can fail: a row due at night does not pass it."""
    of = case(window=(time(8), time(20)))
    (row,) = plan([rule(at=time(9))], of, datetime(2026, 1, 1, tzinfo=UTC))
    night = row.due_at.replace(hour=3)

    with pytest.raises(AssertionError):
        assert next_in_window(night, "Europe/London", of.window) == night
