"""Which answers of a check-in are warning signs. Pure: rules and answers in, the rules that fire out.

Temperatures are compared in °C. A rule whose question was not answered does not fire: the form asks
for every answer that a rule needs, or offers another question for the same sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# The order in which people are told what to do.
SEVERITIES = ("emergency", "urgent", "call")

_CELSIUS = re.compile(r"(\d{2}(?:[.,]\d{1,2})?)\s*°\s*C\b")
# A settled sentence may hold other numbers; only these can be where a fever begins.
_FEVERS = (Decimal("37"), Decimal("40"))

Answer = bool | int | str | Decimal


@dataclass(frozen=True, slots=True)
class Rule:
    """When the answer to `question` is the warning sign `key`, and how pressing that is."""

    key: str
    question: str
    comparison: str
    value: Any
    severity: str


def firing(
    rules: Iterable[Rule], answers: Mapping[str, Answer], clinic_values: Mapping[str, str]
) -> list[Rule]:
    """The rules that the answers meet, the most pressing first.

    `clinic_values` holds what the clinic settled and filled in, as `wording.clinic_values` gives it.
    """
    found = [rule for rule in rules if fires(rule, answers, clinic_values)]
    return sorted(found, key=lambda rule: SEVERITIES.index(rule.severity))


def fires(rule: Rule, answers: Mapping[str, Answer], clinic_values: Mapping[str, str]) -> bool:
    """Whether one rule is met. Raises ValueError for a comparison that is not known."""
    if rule.question not in answers:
        return False
    answer, value = answers[rule.question], threshold(rule.value, clinic_values)
    match rule.comparison:
        case "is":
            return answer == value
        case "at_least":
            return _number(answer) >= _number(value)
        case "at_most":
            return _number(answer) <= _number(value)
    raise ValueError(f"There is no comparison “{rule.comparison}”.")


def threshold(value: Any, clinic_values: Mapping[str, str]) -> Any:
    """What an answer is compared with: the value itself, or the number in what the clinic decided.

    Where the clinic's words hold no temperature in which a fever can begin, the value for otherwise counts.
    """
    if not isinstance(value, dict):
        return value
    kind = "settled" if "settled" in value else "slot"
    found = celsius_in(clinic_values.get(f"{kind}:{value[kind]}", ""))
    return value["otherwise"] if found is None else found


def celsius_in(words: str) -> Decimal | None:
    """The lowest temperature in °C that a sentence names and a fever can begin at; None without one."""
    named = [Decimal(number.replace(",", ".")) for number in _CELSIUS.findall(words)]
    return min((one for one in named if _FEVERS[0] <= one <= _FEVERS[1]), default=None)


def to_celsius(degrees: Decimal, unit: str) -> Decimal:
    """A temperature in °C, to two decimals; `unit` is “celsius” or “fahrenheit”."""
    if unit == "fahrenheit":
        degrees = (degrees - 32) * 5 / 9
    return degrees.quantize(Decimal("0.01"))


def _number(value: Any) -> Decimal:
    return Decimal(str(value))
