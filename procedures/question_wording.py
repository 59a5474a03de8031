"""The words of a questionnaire in a reader's language: questions, choices and advice, with what stands in for them.

A question and a piece of advice are complete by themselves; only a line of help may rest on what a
clinic settled or filled in, and it is left out where that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from portal.models import Language
from procedures.models import Question, Questionnaire, RedFlagRule
from procedures.red_flags import Rule
from procedures.wording import FALLBACK, UnfilledPlaceholder, fill


class AskedIf(NamedTuple):
    """The question on whose answer another one hangs, and that answer."""

    question: str
    answer: str | bool | int


class Asked(NamedTuple):
    """One question as one reader gets it. `language` is that of the words, which may not be the reader's.

    Plain values, so that its HTML can be kept.
    """

    key: str
    kind: str
    unit: str
    least: float | None
    most: float | None
    is_required: bool
    asked_if: AskedIf | None
    language: str
    label: str
    help: str
    low: str
    high: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning sign in words: what it is, and what to do now."""

    key: str
    severity: str
    sign: str
    language: str
    summary: str
    advice: str


def in_language(words: Mapping[str, Any], language: str) -> tuple[str, Mapping[str, Any]]:
    """The words in `language`, or in the next that stands in for it, and which that is.

    Raises LookupError where there are none, as for an item that waits for its licence.
    """
    for wanted in (language, *FALLBACK.get(language, (Language.BRITISH_ENGLISH,))):
        if wanted in words:
            return wanted, words[wanted]
    raise LookupError(f"No words in {language}.")


def questions_of(
    questionnaire: Questionnaire, language: str, clinic_values: Mapping[str, str]
) -> list[Asked]:
    """The questions in order. Reads prefetched ones where there are any. Raises LookupError."""
    return [_asked(one, language, clinic_values) for one in questionnaire.questions.all()]


def _asked(question: Question, language: str, clinic_values: Mapping[str, str]) -> Asked:
    found, words = in_language(question.words, language)
    choices, wanted = words.get("choices", {}), question.asked_if
    return Asked(
        key=question.key,
        kind=question.kind,
        unit=question.unit,
        least=question.least,
        most=question.most,
        is_required=question.is_required,
        asked_if=AskedIf(wanted["question"], wanted["is"]) if wanted else None,
        language=found,
        label=words["label"],
        help=_help(words.get("help", ""), clinic_values),
        low=words.get("low", ""),
        high=words.get("high", ""),
        choices=tuple((key, choices[key]) for key in question.choices),
    )


def _help(text: str, clinic_values: Mapping[str, str]) -> str:
    try:
        return fill(text, clinic_values)
    except UnfilledPlaceholder:
        return ""


def advice_of(rule: RedFlagRule, language: str) -> Advice:
    """What a rule tells somebody who reads `language`. Reads the rule's sign."""
    found, words = in_language(rule.words, language)
    return Advice(rule.key, rule.severity, rule.sign.key, found, words["summary"], words["advice"])


def rule_of(row: RedFlagRule) -> Rule:
    """A rule as `red_flags` compares it."""
    return Rule(row.key, row.question, row.comparison, row.value, row.severity)
