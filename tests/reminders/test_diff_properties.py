"""What holds for every comparison, whatever was planned, sent, refused or stopped before."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from reminders.diff import DROPPED, STOPPED_BY_STAFF, Change, Existing, compare
from reminders.planner import TOO_LATE, plan
from tests.reminders.rules import case, rule
from tests.reminders.test_planner_properties import DAYS, MOMENTS, STEPS, cases

POLICIES = st.sampled_from(["never", "correct", "ask"])
# How a row may have ended, or be on its way, with its reason.
ENDS = st.sampled_from(
    [
        ("planned", "", False),
        ("retrying", "server_busy", True),
        ("claimed", "", False),
        ("claimed", "", True),
        ("sent", "", True),
        ("failed", "refused", True),
        ("skipped", "switched_off", False),
        ("skipped", TOO_LATE, False),
        ("missed", "too_old", False),
        ("cancelled", DROPPED, False),
        ("cancelled", STOPPED_BY_STAFF, False),
        ("cancelled", "access_ended", False),
    ]
)
MESSAGE = UUID(int=9)
# What a row that only takes other details keeps.
KEEPS = ("id", "state", "reason", "correction", "message_id")


def stored(desired):
    state = "skipped" if desired.skipped else "planned"
    return Existing(
        id=uuid4(),
        step_id=desired.rule.id,
        key=desired.key,
        correction=0,
        intent=desired.intent,
        state=state,
        reason=desired.skipped,
        valid_until=desired.valid_until,
        is_essential=desired.rule.is_essential,
        category=desired.rule.category,
        counted_from=desired.counted_from,
        due_at=desired.due_at,
    )


def applied(rows, diff):
    """The rows after the diff was written, as the reconciler writes it."""
    after = {row.id: row for row in rows}
    for item in diff.items:
        if not item.writes:
            continue
        if item.change is Change.DROPPED:
            after[item.existing.id] = item.existing._replace(state="cancelled", reason=DROPPED)
        elif item.change is Change.KEPT:
            after[item.existing.id] = stored(item.desired)._replace(
                **{
                    name: getattr(item.existing, name)
                    for name in ("id", "state", "reason", "correction", "message_id")
                },
                valid_until=item.valid_until,
            )
        else:
            new = stored(item.desired)._replace(correction=item.correction)
            if item.existing:
                new = new._replace(id=item.existing.id, correction=item.existing.correction)
            after[new.id] = new
    return list(after.values())


def ended(rows, ends):
    """The rows with the ends that were drawn for them."""
    return [
        row._replace(state=state, reason=reason, message_id=MESSAGE if has_message else None)
        for row, (state, reason, has_message) in zip(rows, ends, strict=False)
    ] + rows[len(ends) :]


def with_policy(steps, policy):
    return [replace(step, repeat_policy=policy) for step in steps]


def waiting(rows):
    """What is still to be sent: its key, its moment and what it speaks of."""
    return {(row.key, row.intent, row.counted_from, row.valid_until) for row in rows if row.waits}


@given(STEPS, cases(), cases(), MOMENTS, POLICIES, st.lists(ENDS, max_size=30))
def test_comparing_again_after_writing_finds_nothing_to_write(steps, one, other, now, policy, ends):
    steps = with_policy(steps, policy)
    rows = ended([stored(each) for each in plan(steps, one, now)], ends)
    wanted = plan(steps, replace(other, people=one.people), now)

    after = applied(rows, compare(rows, wanted))

    assert compare(after, wanted).is_empty


@given(STEPS, cases(), cases(), MOMENTS, POLICIES, st.lists(ENDS, max_size=30))
def test_what_was_sent_or_is_with_the_mail_server_is_never_written(
    steps, one, other, now, policy, ends
):
    rows = ended([stored(each) for each in plan(with_policy(steps, policy), one, now)], ends)

    diff = compare(rows, plan(with_policy(steps, policy), other, now))

    assert not [
        item for item in diff.items if item.writes and item.existing and item.existing.in_hand
    ]


@given(STEPS, cases(), cases(), MOMENTS, POLICIES, st.lists(ENDS, max_size=30))
def test_what_staff_stopped_is_never_written(steps, one, other, now, policy, ends):
    rows = ended([stored(each) for each in plan(with_policy(steps, policy), one, now)], ends)

    diff = compare(rows, plan(with_policy(steps, policy), other, now))

    assert not [
        item
        for item in diff.items
        if item.writes and item.existing and item.existing.reason == STOPPED_BY_STAFF
    ]


@given(STEPS, cases(), cases(), MOMENTS, POLICIES, st.lists(ENDS, max_size=30))
def test_no_key_waits_twice_and_no_correction_has_a_twin(steps, one, other, now, policy, ends):
    steps = with_policy(steps, policy)
    rows = ended([stored(each) for each in plan(steps, one, now)], ends)

    after = applied(rows, compare(rows, plan(steps, other, now)))

    keys = [row.key for row in after if row.waits]
    assert len(keys) == len(set(keys))
    numbers = [(row.key, row.correction) for row in after]
    assert len(numbers) == len(set(numbers))


@given(STEPS, cases(), st.integers(-60, 60), MOMENTS, POLICIES)
def test_moving_every_date_there_and_back_restores_what_waits(steps, of, days, now, policy):
    steps = with_policy(steps, policy)
    before = plan(steps, of, now)
    anchors = {name: on + timedelta(days=days) for name, on in of.anchors.items()}
    rows = [stored(each) for each in before]

    there = applied(rows, compare(rows, plan(steps, replace(of, anchors=anchors), now)))
    back = applied(there, compare(there, before))

    assert waiting(back) == waiting(rows)


@given(DAYS, DAYS, MOMENTS, st.lists(st.booleans(), min_size=1, max_size=6))
def test_corrections_come_to_an_end(first, second, now, moves):
    """However often a date moves between two days, with everything sent at once, each move is told once."""
    step = rule(repeat_policy="correct", late_policy="send_now")
    rows, told = [], []
    for to_second in moves:
        wanted = plan([step], case(anchors={"surgery": second if to_second else first}), now)
        rows = applied(rows, compare(rows, wanted))
        rows = [
            row._replace(state="sent", message_id=MESSAGE) if row.waits else row for row in rows
        ]
        told.append(len([row for row in rows if row.state == "sent"]))

    assert told[-1] <= 1 + sum(a != b for a, b in pairwise(moves))
