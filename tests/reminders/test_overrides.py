"""What staff choose otherwise in a diff: what is offered, what it becomes, and that it lasts."""

from datetime import timedelta

import pytest

from reminders.diff import Change, compare
from reminders.overrides import NONE, Choice, offered, overridden
from tests.reminders.rules import NOW, rule
from tests.reminders.test_diff import LATER, PAST, stored, wanted


def chosen(existing, desired, change: Change, choice: Choice) -> list[tuple]:
    diff = overridden(compare(existing, desired), {(change, "step"): choice}, NOW)
    return [(item.change.value, item.correction, item.pins, item.stops) for item in diff.items]


def test_without_a_choice_nothing_is_otherwise():
    diff = compare([stored(wanted(rule()))], [wanted(rule(), LATER)])
    assert overridden(diff, NONE, NOW) is diff


@pytest.mark.parametrize(
    ("existing", "desired", "change", "choices"),
    [
        ([stored(wanted(rule()))], [wanted(rule(), LATER)], "moved", {"keep", "drop"}),
        ([stored(wanted(rule()))], [wanted(rule())], "kept", {"drop"}),
        ([stored(wanted(rule()))], [], "dropped", set()),
        ([], [wanted(rule())], "new", {"drop"}),
        ([], [wanted(rule(), PAST)], "too_late", {"send"}),
        ([stored(wanted(rule()), "sent")], [wanted(rule(), LATER)], "already_sent", {"send"}),
        ([stored(wanted(rule()), "sent")], [wanted(rule())], "already_sent", set()),
        ([stored(wanted(rule()), "sent")], [], "already_sent", set()),
        ([stored(wanted(rule()), "cancelled", reason="stopped_by_staff")], [wanted(rule())], "kept", set()),
    ],
)  # fmt: skip
def test_what_is_offered(existing, desired, change, choices):
    diff = compare(existing, desired)
    (item,) = [item for item in diff.items if item.change.value == change]
    assert set(offered(item, diff)) == choices


def test_a_correction_that_comes_anyway_is_not_offered_twice():
    step = rule(repeat_policy="correct")
    diff = compare([stored(wanted(step), "sent")], [wanted(step, LATER)])
    assert [offered(item, diff) for item in diff.items if item.change is Change.ALREADY_SENT] == [
        ()
    ]


def test_each_choice_becomes_what_it_says():
    row, later = stored(wanted(rule())), wanted(rule(), LATER)
    assert chosen([row], [later], Change.MOVED, Choice.KEEP) == [("kept", 0, True, False)]
    assert chosen([row], [later], Change.MOVED, Choice.DROP) == [("dropped", 0, False, True)]
    assert chosen([row], [], Change.DROPPED, Choice.KEEP) == [("dropped", 0, False, False)]
    assert chosen([], [later], Change.NEW, Choice.DROP) == [("new", 0, False, True)]
    assert chosen([row], [later], Change.MOVED, Choice.SEND) == [("moved", 0, False, False)]


def test_what_is_too_late_goes_now_and_is_valid_from_now():
    diff = compare([], [wanted(rule(), PAST)])
    (item,) = overridden(diff, {(Change.TOO_LATE, "step"): Choice.SEND}, NOW).items
    assert item.desired is not None
    assert (item.change, item.desired.skipped, item.desired.due_at, item.pins) == (
        Change.NEW, "", NOW, True,
    )  # fmt: skip
    assert item.desired.valid_until == NOW + timedelta(days=2)


def test_what_was_sent_is_sent_again_as_a_correction():
    sent = stored(wanted(rule()), "sent")
    found = chosen([sent], [wanted(rule(), LATER)], Change.ALREADY_SENT, Choice.SEND)
    assert sorted(found) == [("already_sent", 0, False, False), ("new", 1, True, False)]


def test_a_pinned_row_stays_for_as_long_as_it_has_a_place_in_the_plan():
    row = stored(wanted(rule()), is_pinned=True)
    for desired in (wanted(rule(), LATER), wanted(rule(), PAST)):
        assert compare([row], [desired]).items[0].change is Change.KEPT
    assert compare([row], []).items[0].change is Change.DROPPED
