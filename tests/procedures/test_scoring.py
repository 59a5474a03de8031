"""Scores of outcome questionnaires: 0 is worst, 100 is best, whichever end of an item is good."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from procedures.scoring import score

ITEMS = ["a", "b", "c", "d"]
RULE = {"worst": 4, "best": 0, "may_miss": 1}


def test_the_best_answers_score_100_and_the_worst_0():
    assert score(RULE, ITEMS, dict.fromkeys(ITEMS, 0)) == Decimal("100.0")
    assert score(RULE, ITEMS, dict.fromkeys(ITEMS, 4)) == Decimal("0.0")


def test_the_good_end_may_be_the_higher_one():
    assert score({"worst": 0, "best": 4, "may_miss": 0}, ITEMS, dict.fromkeys(ITEMS, 4)) == 100


def test_a_missing_item_counts_as_the_mean_of_the_others():
    assert score(RULE, ITEMS, {"a": 0, "b": 1, "c": 2}) == Decimal("75.0")


def test_with_too_many_missing_there_is_no_score():
    assert score(RULE, ITEMS, {"a": 0, "b": 0}) is None
    assert score(RULE, ITEMS, {}) is None


@given(st.dictionaries(st.sampled_from(ITEMS), st.integers(0, 4), min_size=3))
def test_a_score_is_never_outside_the_scale(answers):
    result = score(RULE, ITEMS, answers)
    assert result is not None
    assert 0 <= result <= 100
