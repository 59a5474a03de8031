"""Stored rows compared with desired ones: what is kept, moved, new, dropped, already sent, too late."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from reminders.diff import DROPPED, STOPPED_BY_STAFF, Change, Diff, Existing, Item, compare
from reminders.planner import LATE_REPEAT, PORTAL_ONLY, TOO_LATE, plan
from tests.reminders.rules import NOW, SURGERY, case, rule

LATER = SURGERY + timedelta(days=14)
PAST = date(2026, 2, 2)


def wanted(step, on=SURGERY):
    (row,) = plan([step], case(anchors={step.anchor: on}), NOW)
    return row


def stored(row, state="planned", **fields):
    """The desired row as it would have been stored when it was planned."""
    defaults = {
        "id": uuid4(),
        "step_id": row.rule.id,
        "key": row.key,
        "correction": 0,
        "intent": row.intent,
        "state": state,
        "reason": "",
        "valid_until": row.valid_until,
        "is_essential": row.rule.is_essential,
        "category": row.rule.category,
        "counted_from": row.counted_from,
        "due_at": row.due_at,
        "message_id": UUID(int=5) if state in {"sent", "retrying"} else None,
    }
    return Existing(**(defaults | fields))


def outcome(existing, desired, **options):
    return [
        (item.change.value, item.correction) for item in compare(existing, desired, **options).items
    ]


def moved(step, state="planned", **fields):
    """What becomes of the step's row when surgery moves by two weeks."""
    row = stored(wanted(step), state, **fields)
    return outcome([row], [wanted(step, LATER)])


def test_a_row_that_is_not_there_is_new():
    diff = compare([], [wanted(rule())])

    assert diff.counts == {
        "kept": 0,
        "moved": 0,
        "new": 1,
        "dropped": 0,
        "already_sent": 0,
        "too_late": 0,
    }
    assert not diff.is_empty


def test_a_row_that_would_be_late_is_stored_as_left_out():
    diff = compare([], [wanted(rule(), PAST)])

    assert (diff.counts["too_late"], diff.is_empty) == (1, False)


def test_a_row_whose_moment_staff_chose_stays_there_until_the_plan_has_no_place_for_it():
    row = stored(wanted(rule()), is_pinned=True)

    (kept,) = compare([row], [wanted(rule("step", 3, id=row.step_id), LATER)]).items

    assert (kept.change.value, kept.valid_until) == ("kept", row.valid_until)
    assert outcome([row], []) == [("dropped", 0)]


def test_the_same_plan_again_changes_nothing():
    row = wanted(rule())

    diff = compare([stored(row)], [row])

    assert (diff.counts["kept"], diff.is_empty) == (1, True)


@pytest.mark.parametrize("state", ["planned", "retrying"])
def test_what_waits_moves_with_its_anchor(state):
    assert moved(rule(), state) == [("moved", 0)]


def test_what_a_dispatcher_has_claimed_but_made_no_mail_of_moves_too():
    assert moved(rule(), "claimed") == [("moved", 0)]


def test_what_is_with_the_mail_server_stays_and_is_looked_at_again():
    row = stored(wanted(rule()), "claimed", message_id=UUID(int=5))

    diff = compare([row], [wanted(rule(), LATER)])

    assert (diff.counts["already_sent"], diff.is_in_flight, diff.is_empty) == (1, True, True)
    assert compare([row], []).is_in_flight


def test_what_is_with_the_mail_server_as_planned_is_left_to_it():
    row = wanted(rule())

    assert not compare([stored(row, "claimed", message_id=UUID(int=5))], [row]).is_in_flight


@pytest.mark.parametrize("state", ["planned", "retrying", "claimed"])
def test_what_waits_and_is_not_wanted_any_more_is_dropped(state):
    row = stored(wanted(rule()), state, message_id=None)

    assert outcome([row], []) == [("dropped", 0)]


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("sent", "already_sent"),
        ("failed", "kept"),
        ("missed", "kept"),
        ("skipped", "kept"),
        ("cancelled", "kept"),
    ],
)
def test_what_has_ended_and_is_not_wanted_any_more_stays(state, change):
    diff = compare([stored(wanted(rule()), state)], [])

    assert (diff.counts[change], diff.is_empty) == (1, True)


def test_what_waits_and_moved_into_the_past_is_left_out():
    row = stored(wanted(rule()))

    assert outcome([row], [wanted(rule(), PAST)]) == [("too_late", 0)]


def test_what_waits_overdue_is_not_left_out_for_being_late():
    """A row whose time came while it waited to be tried again was on time when it was planned."""
    row = stored(wanted(rule(), PAST), "retrying")

    assert outcome([row], [wanted(rule(), PAST)]) == [("kept", 0)]


# What was sent


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("never", [("already_sent", 0)]),
        ("ask", [("already_sent", 0)]),
        ("correct", [("already_sent", 0), ("new", 1)]),
    ],
)
def test_what_was_sent_is_sent_again_as_its_policy_says(policy, expected):
    assert moved(rule(repeat_policy=policy), "sent") == expected


def test_a_step_that_asks_is_sent_again_only_where_staff_said_so():
    step = rule("pack", repeat_policy="ask")
    row, new = stored(wanted(step), "sent"), wanted(step, LATER)

    assert compare([row], [new]).items[0].asks
    assert outcome([row], [new], resend=frozenset({"other"})) == [("already_sent", 0)]
    assert outcome([row], [new], resend=frozenset({"pack"})) == [("already_sent", 0), ("new", 1)]


def test_a_step_that_is_never_repeated_is_not_even_on_request():
    step = rule("pack", repeat_policy="never")

    assert outcome(
        [stored(wanted(step), "sent")], [wanted(step, LATER)], resend=frozenset({"pack"})
    ) == [("already_sent", 0)]


def test_no_correction_follows_where_the_date_is_the_same():
    """Another window, zone, time of day or offset is no news about the date."""
    step = rule(repeat_policy="correct")
    row = stored(wanted(step), "sent")
    otherwise = replace(wanted(step), intent=wanted(rule(offset=-3)).intent)

    assert outcome([row], [otherwise]) == [("already_sent", 0)]


def test_no_correction_follows_of_a_row_from_before_its_date_was_kept():
    assert moved(rule(repeat_policy="correct"), "sent", counted_from="") == [("already_sent", 0)]


def test_no_correction_follows_that_would_come_too_late():
    step = rule(repeat_policy="correct")

    assert outcome([stored(wanted(step), "sent")], [wanted(step, PAST)]) == [("already_sent", 0)]


def test_a_correction_that_was_sent_is_not_sent_again():
    step = rule(repeat_policy="correct")
    first, second = stored(wanted(step), "sent"), stored(wanted(step, LATER), "sent", correction=1)

    assert outcome([first, second], [wanted(step, LATER)]) == [
        ("already_sent", 0),
        ("already_sent", 0),
    ]


def test_a_third_date_needs_a_second_correction():
    step = rule(repeat_policy="correct")
    first, second = stored(wanted(step), "sent"), stored(wanted(step, LATER), "sent", correction=1)
    third = wanted(step, LATER + timedelta(days=7))

    assert ("new", 2) in outcome([second, first], [third])


def test_a_correction_that_waits_moves_on():
    step = rule(repeat_policy="correct")
    first, second = stored(wanted(step), "sent"), stored(wanted(step, LATER), correction=1)
    third = wanted(step, LATER + timedelta(days=7))

    assert sorted(outcome([first, second], [third])) == [("already_sent", 0), ("moved", 0)]


def test_a_correction_is_dropped_when_the_date_moves_back():
    step = rule(repeat_policy="correct")
    first, second = stored(wanted(step), "sent"), stored(wanted(step, LATER), correction=1)

    diff = compare([first, second], [wanted(step)])

    assert [item.existing for item in diff.of(Change.DROPPED)] == [second]
    assert diff.counts["new"] == 0


def test_a_dropped_correction_comes_back_when_the_date_moves_again():
    step = rule(repeat_policy="correct")
    first = stored(wanted(step), "sent")
    second = stored(wanted(step, LATER), "cancelled", correction=1, reason=DROPPED)

    diff = compare([first, second], [wanted(step, LATER)])

    assert [item.existing for item in diff.of(Change.NEW)] == [second]


def test_a_first_row_that_waits_again_beside_its_correction_is_dropped():
    """Its mail was refused for now while the date moved: only the correction may go."""
    step = rule(repeat_policy="correct")
    first, second = stored(wanted(step), "retrying"), stored(wanted(step, LATER), correction=1)

    diff = compare([first, second], [wanted(step, LATER)])

    assert [item.existing for item in diff.of(Change.DROPPED)] == [first]
    assert [item.existing for item in diff.of(Change.KEPT)] == [second]


# What was laid aside


def test_what_was_dropped_comes_back_at_its_old_moment():
    row = stored(wanted(rule()), "cancelled", reason=DROPPED)

    assert outcome([row], [wanted(rule())]) == [("new", 0)]


@pytest.mark.parametrize("on", [SURGERY, LATER])
def test_what_staff_stopped_never_comes_back(on):
    row = stored(wanted(rule()), "cancelled", reason=STOPPED_BY_STAFF)

    assert outcome([row], [wanted(rule(), on)]) == [("kept", 0)]
    assert compare([row], [wanted(rule(), on)]).is_empty


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("missed", "too_old"),
        ("failed", "refused"),
        ("skipped", "switched_off"),
        ("skipped", "already_done"),
    ],
)
def test_what_ended_at_its_moment_comes_back_with_a_new_one_only(state, reason):
    row = stored(wanted(rule()), state, reason=reason)

    assert outcome([row], [wanted(rule())]) == [("kept", 0)]
    assert outcome([row], [wanted(rule(), LATER)]) == [("new", 0)]


@pytest.mark.parametrize(
    ("state", "reason"), [("missed", "too_old"), ("failed", "refused"), ("skipped", "already_done")]
)
def test_how_a_row_ended_is_not_written_over_by_its_being_late(state, reason):
    row = stored(wanted(rule()), state, reason=reason)

    diff = compare([row], [wanted(rule(), PAST)])

    assert (diff.counts["kept"], diff.is_empty) == (1, True)


@pytest.mark.parametrize("reason", [TOO_LATE, PORTAL_ONLY, LATE_REPEAT])
def test_what_was_too_late_is_planned_once_it_can_be_sent(reason):
    row = stored(wanted(rule(), PAST), "skipped", reason=reason)

    assert outcome([row], [wanted(rule(), LATER)]) == [("new", 0)]


def test_what_is_shown_in_the_portal_only_takes_its_new_day():
    step = rule(late_policy="portal_only")
    row = stored(wanted(step, PAST), "skipped", reason=PORTAL_ONLY)

    diff = compare([row], [wanted(step, PAST + timedelta(days=3))])

    assert (diff.counts["too_late"], diff.is_empty) == (1, False)


def test_what_was_too_late_and_still_is_writes_nothing():
    row = stored(wanted(rule(), PAST), "skipped", reason=TOO_LATE)

    assert compare([row], [wanted(rule(), PAST)]).is_empty


def test_what_was_dropped_and_would_now_be_late_writes_nothing():
    row = stored(wanted(rule(), PAST), "cancelled", reason=DROPPED)

    assert compare([row], [wanted(rule(), PAST)]).is_empty


# Rows that keep their moment


def test_a_row_that_keeps_its_moment_takes_the_new_versions_step():
    old, new = rule("pack"), rule("pack", is_essential=True, category="recovery")

    (item,) = compare([stored(wanted(old))], [wanted(new)]).items

    assert (item.change, item.refreshes, item.writes) == (Change.KEPT, True, True)


def test_what_was_sent_under_one_version_is_not_sent_again_under_the_next():
    old, new = (
        rule("pack", repeat_policy="correct"),
        rule("pack", offset=-4, repeat_policy="correct"),
    )

    diff = compare([stored(wanted(old), "sent")], [wanted(new)])

    assert (diff.counts["already_sent"], diff.counts["new"], diff.is_empty) == (1, 0, True)


def test_a_row_that_keeps_its_moment_takes_an_earlier_end():
    row = wanted(rule())
    sooner = replace(row, valid_until=row.valid_until - timedelta(hours=3))

    (item,) = compare([stored(row)], [sooner]).items

    assert (item.refreshes, item.valid_until) == (True, sooner.valid_until)


def test_planning_again_does_not_stretch_what_is_late():
    step = rule(anchor="discharge", late_policy="send_now")
    (before,) = plan([step], case(anchors={"discharge": NOW.date()}), NOW)
    (after,) = plan([step], case(anchors={"discharge": NOW.date()}), NOW + timedelta(hours=3))

    (item,) = compare([stored(before)], [after]).items

    assert after.valid_until > before.valid_until
    assert (item.writes, item.valid_until) == (False, before.valid_until)


def test_what_has_ended_takes_nothing_of_a_new_version():
    old, new = rule("pack"), rule("pack", category="recovery")

    assert compare([stored(wanted(old), "sent")], [wanted(new)]).is_empty
    assert compare([stored(wanted(old), "missed", reason="too_old")], [wanted(new)]).is_empty


def test_items_come_in_order_of_their_moments():
    rows = [wanted(rule("c", 3)), wanted(rule("a", 1)), wanted(rule("b", 1))]

    diff = compare([stored(rows[0])], rows[1:])

    assert [item.key.step for item in diff.items] == ["a", "b", "c"]


def test_an_item_about_nothing_is_refused():
    with pytest.raises(ValueError, match="about"):
        Item(Change.NEW).key  # noqa: B018


def test_a_diff_of_nothing_is_empty():
    assert Diff().is_empty
