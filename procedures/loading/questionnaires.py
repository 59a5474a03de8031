"""Brings the questionnaires up to the files: each with its questions and its red-flag rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.glossary import Glossary
from procedures.loading.merge import Content, LoadReport
from procedures.loading.rows import Keys, put
from procedures.loading.steps import offset_parts
from procedures.models import Fact, Question, Questionnaire, RedFlagRule

QUESTION, RULE = "question.", "rule."
PLAIN = (
    "kind", "audience", "version", "anchor", "from_value", "from_unit", "until_value", "until_unit",
    "words", "scoring", "licence",
)  # fmt: skip
OF_QUESTION = (
    "position", "kind", "unit", "least", "most", "choices", "is_required", "is_licensed", "asked_if",
    "words",
)  # fmt: skip
OF_RULE = ("position", "question", "comparison", "value", "severity", "words")


def load_questionnaires(catalogue: Catalogue, *, force: bool, report: LoadReport) -> None:
    """Make or bring up every questionnaire, keeping what was edited here."""
    query = Questionnaire.objects.prefetch_related("questions", "rules__sign")
    existing = {row.key: row for row in query}
    keys, glossary = Keys(), Glossary(catalogue.words)
    for row in catalogue.questionnaires:
        key = row.data["questionnaire"]
        stored = existing.pop(key, None)
        put(
            stored or Questionnaire(key=key),
            key,
            incoming=_content(row, glossary),
            here=_stored(stored) if stored else {},
            write=partial(_write, keys=keys),
            force=force,
            report=report,
        )
    report.gone += [row.key for row in existing.values() if row.loaded]


def _content(row: Row, glossary: Glossary) -> Content:
    data = row.data
    from_value, from_unit = offset_parts(data["stage"]["from"])
    until_value, until_unit = offset_parts(data["stage"]["until"])
    return {
        "kind": data.get("kind", "check_in"),
        "audience": data["audience"],
        "version": data["version"],
        "anchor": data["stage"]["anchor"],
        "from_value": from_value,
        "from_unit": from_unit,
        "until_value": until_value,
        "until_unit": until_unit,
        "words": _words(data["text"], glossary),
        "scoring": data.get("scoring", {}),
        "licence": data.get("licence", ""),
        **dict(_questions(data, glossary)),
        **dict(_rules(data, glossary)),
    }


def _questions(data: Mapping[str, Any], glossary: Glossary) -> Iterator[tuple[str, Content]]:
    for position, question in enumerate(data["questions"], start=1):
        yield (
            f"{QUESTION}{question['key']}",
            {
                "position": position,
                "kind": question["kind"],
                "unit": question.get("unit", ""),
                "least": _float(question.get("least")),
                "most": _float(question.get("most")),
                "choices": question.get("choices", []),
                "is_required": not question.get("optional", False),
                "is_licensed": question.get("licensed", False),
                "asked_if": question.get("asked_if", {}),
                "words": _words(question.get("text", {}), glossary),
            },
        )


def _rules(data: Mapping[str, Any], glossary: Glossary) -> Iterator[tuple[str, Content]]:
    for position, rule in enumerate(data.get("red_flags", ()), start=1):
        yield (
            f"{RULE}{rule['key']}",
            {
                "position": position,
                **{
                    name: rule[name]
                    for name in ("question", "comparison", "value", "severity", "sign")
                },
                "words": _words(rule["text"], glossary),
            },
        )


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _words(texts: Mapping[str, Any], glossary: Glossary) -> dict[str, Any]:
    """The words by language; American ones are made of the British where they differ."""
    if "en-gb" not in texts:
        return dict(texts)
    american = {**_american(texts["en-gb"], glossary), **texts.get("en-us", {})}
    return {**texts, **({"en-us": american} if american != texts["en-gb"] else {})}


def _american(words: Any, glossary: Glossary) -> Any:
    if isinstance(words, dict):
        return {name: _american(value, glossary) for name, value in words.items()}
    return glossary.american(words)


def _stored(row: Questionnaire) -> Content:
    questions = {
        f"{QUESTION}{one.key}": {name: getattr(one, name) for name in OF_QUESTION}
        for one in row.questions.all()
    }
    rules = {
        f"{RULE}{one.key}": {**{n: getattr(one, n) for n in OF_RULE}, "sign": one.sign.key}
        for one in row.rules.all()
    }
    return {**{name: getattr(row, name) for name in PLAIN}, **questions, **rules}


def _write(row: Questionnaire, content: Content, keys: Keys) -> None:
    for name in PLAIN:
        setattr(row, name, content[name])
    row.save()
    for key, value, question in _pair(content, QUESTION, row.questions.all()):
        _write_part(question or Question(questionnaire=row, key=key), value)
    for key, value, stored in _pair(content, RULE, row.rules.all()):
        rule = stored or RedFlagRule(questionnaire=row, key=key)
        rule.sign_id = keys.id(Fact, value["sign"])
        _write_part(rule, {name: value[name] for name in OF_RULE})


def _pair(
    content: Content, prefix: str, stored: Iterable[Any]
) -> Iterator[tuple[str, Content, Any]]:
    """Each part of the content with the row that holds it now. Rows that the content no longer has go."""
    rows = {row.key: row for row in stored}
    wanted = {
        name.removeprefix(prefix): value
        for name, value in content.items()
        if name.startswith(prefix)
    }
    for key in rows.keys() - wanted.keys():
        rows[key].delete()
    for key, value in wanted.items():
        yield key, value, rows.get(key)


def _write_part(part: Question | RedFlagRule, value: Content) -> None:
    for name, content in value.items():
        setattr(part, name, content)
    part.save()
