"""Checks of questionnaires that a schema cannot see: what a rule compares, and what its words may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from procedures.loading.catalogue import Row
from procedures.loading.documents import Problem
from procedures.wording import placeholders_in

# Which comparisons make sense for which kind of question.
COMPARABLE: Mapping[str, frozenset[str]] = {
    "scale": frozenset({"is", "at_least", "at_most"}),
    "number": frozenset({"at_least", "at_most"}),
    "yes_no": frozenset({"is"}),
    "choice": frozenset({"is"}),
    "text": frozenset(),
}
SIGNS = frozenset(f"W{number}" for number in range(1, 15))


def questionnaire_problems(
    row: Row, facts: set[str], slots: set[str], disagreements: set[str]
) -> Iterator[Problem]:
    """Everything in one questionnaire that does not fit together, or refers to what does not exist."""
    by_key = {question["key"]: question for question in row.data["questions"]}
    known = {"slot": slots, "settled": disagreements}
    yield from _twice(row, "questions")
    yield from _twice(row, "red_flags")
    for i, question in enumerate(row.data["questions"]):
        part = Row(question, row.document, ("questions", i))
        yield from _question_problems(part, row, by_key, known)
    for i, rule in enumerate(row.data.get("red_flags", ())):
        part = Row(rule, row.document, ("red_flags", i))
        yield from _rule_problems(part, by_key, known)
        if rule["sign"] not in facts or rule["sign"] not in SIGNS:
            yield part.problem(f"there is no warning sign “{rule['sign']}”", "sign")


def _twice(row: Row, name: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, part in enumerate(row.data.get(name, ())):
        if part["key"] in seen:
            yield row.problem(f"“{part['key']}” stands here twice", name, i, "key")
        seen.add(part["key"])


def _question_problems(
    part: Row, row: Row, by_key: Mapping[str, Any], known: Mapping[str, set[str]]
) -> Iterator[Problem]:
    question = part.data
    if not question.get("licensed") and "en-gb" not in question.get("text", {}):
        yield part.problem("there are no words in en-gb", "text")
    for language in row.data.get("languages", ()):
        if question.get("text") and language not in question["text"]:
            yield part.problem(f"there are no words in {language}", "text")
    if (question["kind"] == "choice") != bool(question.get("choices")):
        yield part.problem("a choice, and nothing else, has choices", "choices")
    yield from _asked_if_problems(part, by_key)
    for language, words in question.get("text", {}).items():
        yield from _words_problems(part, language, words, known)


def _asked_if_problems(part: Row, by_key: Mapping[str, Any]) -> Iterator[Problem]:
    wanted = part.data.get("asked_if")
    if not wanted:
        return
    other = by_key.get(wanted["question"])
    if other is None or other is part.data:
        yield part.problem(
            f"there is no other question “{wanted['question']}”", "asked_if", "question"
        )
    elif not _can_be(other, wanted["is"]):
        yield part.problem("is no answer to that question", "asked_if", "is")


def _words_problems(
    part: Row, language: str, words: Mapping[str, Any], known: Mapping[str, set[str]]
) -> Iterator[Problem]:
    if set(words.get("choices", {})) != set(part.data.get("choices", ())):
        yield part.problem(
            "must have words for each choice, and no others", "text", language, "choices"
        )
    for name in sorted(placeholders_in(words.get("help", ""))):
        kind, _, key = name.partition(":")
        if key not in known.get(kind, ()):
            yield part.problem(f"there is no {{{name}}}", "text", language, "help")
    if placeholders_in(words["label"]):
        yield part.problem(
            "a question must be complete without placeholders", "text", language, "label"
        )


def _rule_problems(
    part: Row, by_key: Mapping[str, Any], known: Mapping[str, set[str]]
) -> Iterator[Problem]:
    rule = part.data
    question = by_key.get(rule["question"])
    if question is None:
        yield part.problem(f"there is no question “{rule['question']}”", "question")
        return
    if rule["comparison"] not in COMPARABLE[question["kind"]]:
        yield part.problem(f"makes no sense for a {question['kind']}", "comparison")
    elif not isinstance(rule["value"], dict) and not _can_be(question, rule["value"]):
        yield part.problem("is no answer to that question", "value")
    yield from _decided_problems(part, question, known)
    for language, words in rule["text"].items():
        if placeholders_in(words["summary"], words["advice"]):
            yield part.problem("advice must be complete without placeholders", "text", language)


def _decided_problems(
    part: Row, question: Mapping[str, Any], known: Mapping[str, set[str]]
) -> Iterator[Problem]:
    value = part.data["value"]
    if not isinstance(value, dict):
        return
    if question["kind"] != "number":
        yield part.problem("only a number can be what the clinic decided", "value")
    for kind in ("settled", "slot"):
        if kind in value and value[kind] not in known[kind]:
            yield part.problem(f"there is no {{{kind}:{value[kind]}}}", "value", kind)


def _can_be(question: Mapping[str, Any], answer: Any) -> bool:
    match question["kind"]:
        case "yes_no":
            return isinstance(answer, bool)
        case "choice":
            return answer in question.get("choices", ())
        case "scale":
            return isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer <= 10
        case "number":
            return isinstance(answer, int | float) and not isinstance(answer, bool)
    return False
