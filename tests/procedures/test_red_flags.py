"""Red-flag rules: each of the catalogue fires at its threshold, just there, and for nothing less."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procedures.loading import read_catalogue
from procedures.red_flags import (
    SEVERITIES,
    Rule,
    celsius_in,
    fires,
    firing,
    threshold,
    to_celsius,
)

CATALOGUE = read_catalogue()
RULES = [
    pytest.param(
        questionnaire.data, rule, id=f"{questionnaire.data['questionnaire']}-{rule['key']}"
    )
    for questionnaire in CATALOGUE.questionnaires
    for rule in questionnaire.data.get("red_flags", ())
]
# What a clinic may have settled about fever, and where it begins then.
SETTLED = [
    ("", Decimal(38)),
    ("38 °C (100.4 °F) or more, or shivering.", Decimal(38)),
    ("more than 38 °C.", Decimal(38)),
    ("37.8 °C or more", Decimal("37.8")),
    ("a partir de 38,5 °C", Decimal("38.5")),
    ("38.5 °C once, or 38 °C for a day", Decimal(38)),
    ("fever with chills, whatever the number.", Decimal(38)),
    ("after 20 °C baths, from 39 °C", Decimal(39)),
    ("99 °C", Decimal(38)),
]
tenths = st.integers(340, 430).map(lambda number: Decimal(number) / 10)


def rule_of(data) -> Rule:
    return Rule(data["key"], data["question"], data["comparison"], data["value"], data["severity"])


def answers_to(question) -> list:
    """Every answer that a question can have, numbers in steps of a tenth."""
    match question["kind"]:
        case "yes_no":
            return [True, False]
        case "choice":
            return question["choices"]
        case "scale":
            return list(range(11))
        case "number":
            return [Decimal(number) / 10 for number in range(340, 431)]
    return []


@pytest.mark.parametrize(("questionnaire", "data"), RULES)
def test_a_rule_fires_at_its_threshold_and_nowhere_else(questionnaire, data):
    rule = rule_of(data)
    question = next(q for q in questionnaire["questions"] if q["key"] == rule.question)
    fired = [a for a in answers_to(question) if fires(rule, {rule.question: a}, {})]
    limit = threshold(rule.value, {})
    expected = {
        "is": [limit],
        "at_least": [
            a for a in answers_to(question) if rule.comparison == "at_least" and a >= limit
        ],
        "at_most": [a for a in answers_to(question) if rule.comparison == "at_most" and a <= limit],
    }[rule.comparison]
    assert fired == expected
    assert 0 < len(fired) < len(answers_to(question))


def test_every_warning_sign_that_a_patient_can_tell_is_asked_for_after_surgery():
    asked = {rule.values[1]["sign"] for rule in RULES}
    # W11 is watched for in hospital.
    assert asked == {f"W{number}" for number in range(1, 15)} - {"W11"}


@pytest.mark.parametrize(("words", "begins"), SETTLED)
@given(measured=tenths)
def test_fever_begins_where_the_clinic_settled_it(words, begins, measured):
    rule = Rule("fever", "temperature", "at_least", {"settled": "D23", "otherwise": 38}, "urgent")
    fired = fires(rule, {"temperature": measured}, {"settled:D23": words} if words else {})
    assert fired == (measured >= begins)


def test_no_answer_fires_nothing():
    rule = Rule("fever", "temperature", "at_least", 38, "urgent")
    assert not fires(rule, {}, {})


def test_the_most_pressing_comes_first():
    rules = [Rule(name, "q", "is", True, name) for name in reversed(SEVERITIES)]
    assert [rule.severity for rule in firing(rules, {"q": True}, {})] == list(SEVERITIES)


def test_an_unknown_comparison_is_an_error():
    with pytest.raises(ValueError, match="no comparison"):
        fires(Rule("x", "q", "about", 1, "call"), {"q": 1}, {})


def test_a_rule_may_take_its_number_from_a_slot():
    value = {"slot": "fever_from", "otherwise": 38}
    assert threshold(value, {"slot:fever_from": "37.5 °C"}) == Decimal("37.5")
    assert threshold(value, {}) == 38


@pytest.mark.parametrize(
    ("typed", "unit", "celsius"),
    [
        ("38", "celsius", "38.00"),
        ("100.4", "fahrenheit", "38.00"),
        ("100.3", "fahrenheit", "37.94"),
    ],
)
def test_a_temperature_in_fahrenheit_counts_as_the_same_in_celsius(typed, unit, celsius):
    assert to_celsius(Decimal(typed), unit) == Decimal(celsius)


def test_words_without_a_temperature_name_none():
    assert celsius_in("call us when you shiver, 24 hours a day") is None
