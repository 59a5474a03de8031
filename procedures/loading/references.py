"""Checks what a schema cannot see: references between files, cycles, placeholders, and rules of wording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.documents import Problem
from procedures.loading.question_references import questionnaire_problems
from procedures.markdown import faults
from procedures.wording import (
    APPOINTMENT_PLACEHOLDERS,
    WINDOW_PLACEHOLDERS,
    is_known_placeholder,
    placeholders_in,
)

# What a subject must not give away to whoever sees the inbox over a shoulder.
TELLING = re.compile(
    r"\b(hip|leg|thigh|pelvi\w*|femur|femoral|bones?|osteotom\w*|pao|vdro|dega|plates?|screws?|"
    r"surg\w*|operation\w*|smok\w*|nicotine|x-?rays?|wounds?|skin|wheelchairs?|cerebral|"
    r"dysplasia|dislocat\w*|crutch\w*|fast|fasting|cadera|pierna|ciru\w*|opera\w*|fum\w*|"
    r"herida|radiograf\w*)\b",
    re.IGNORECASE,
)
# The kinds of appointment that patients.Appointment knows.
APPOINTMENT_KINDS = frozenset({"pre_assessment", "admission", "clinic", "physiotherapy", "xray"})
EARLIEST, LATEST = "08:00", "19:59"


def reference_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Everything that does not fit together, among the rows that are each right by themselves."""
    known = _Known(catalogue)
    yield from _all_duplicates(catalogue)
    yield from _row_problems(catalogue, known)
    yield from _cycles(catalogue.procedures)
    for pathway in catalogue.pathways:
        yield from _pathway_problems(pathway, known)
    for guide in catalogue.guides:
        yield from _missing(guide, known.procedures, "procedure", "guide")
    for page in catalogue.pages:
        yield from _page_problems(page, known)
    yield from _translation_problems(catalogue.pages)
    for row in _sound(catalogue.questionnaires):
        yield from questionnaire_problems(row, known.facts, known.slots, known.disagreements)
    for row in _sound(catalogue.exercises):
        yield from _exercise_problems(row)


def _sound(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.is_sound]


# What no two rows of a kind may share: the kind, and the fields.
UNIQUE = (
    ("sources", "key"),
    ("procedures", "key"),
    ("facts", "key"),
    ("disagreements", "key"),
    ("slots", "key"),
    ("step_groups", "group"),
    ("pathways", "pathway"),
    ("shared_pages", "shared", "language"),
    ("guides", "guide", "language"),
    ("pages", "page", "language"),
    ("questionnaires", "questionnaire"),
    ("exercises", "key"),
)


def _all_duplicates(catalogue: Catalogue) -> Iterator[Problem]:
    for kind, *names in UNIQUE:
        rows = getattr(catalogue, kind)
        yield from _duplicates((row for row in rows if set(names) <= row.data.keys()), *names)


def _exercise_problems(row: Row) -> Iterator[Problem]:
    """Words are shown as they stand: they have no placeholders and no markup."""
    for language, words in row.data["text"].items():
        lines = (words.get("name", ""), *words.get("instructions", ()))
        for name in sorted(placeholders_in(*lines)):
            yield row.problem(f"an exercise cannot fill {{{name}}}", "text", language)
        if any("<" in line for line in lines):
            yield row.problem("words of an exercise are plain, without markup", "text", language)


class _Known:
    """The keys that exist, to look references up in."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.sources = _keys(catalogue.sources)
        self.procedures = _keys(catalogue.procedures)
        self.facts = _keys(catalogue.facts)
        self.disagreements = _keys(catalogue.disagreements)
        self.slots = _keys(catalogue.slots)
        self.slot_kinds = {row.data.get("key"): row.data.get("kind") for row in catalogue.slots}


def _keys(rows: Iterable[Row]) -> set[str]:
    return {str(row.data.get("key")) for row in rows}


def _duplicates(rows: Iterable[Row], *names: str) -> Iterator[Problem]:
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row.data[name] for name in names)
        if key in first:
            other = first[key].problem("", names[0])
            yield row.problem(f"“{key[0]}” stands in {other.file}:{other.line} already", names[0])
        first.setdefault(key, row)


def _missing(row: Row, known: set[str], what: str, *trail: str | int) -> Iterator[Problem]:
    """Problems for each reference at `trail` (one key or a list of them) that does not exist."""
    found: Any = row.data
    for part in trail:
        found = found.get(part) if isinstance(found, dict) else found[int(part)]
        if found is None:
            return
    if isinstance(found, str):
        found, places = [found], [trail]
    else:
        places = [(*trail, i) for i in range(len(found))]
    for key, place in zip(found, places, strict=True):
        if key not in known:
            yield row.problem(f"there is no {what} “{key}”", *place)


def _row_problems(catalogue: Catalogue, known: _Known) -> Iterator[Problem]:
    for row in _sound(catalogue.procedures):
        yield from _missing(row, known.sources, "source", "sources")
        yield from _missing(row, known.procedures, "procedure", "parent")
    for row in _sound(catalogue.facts):
        yield from _missing(row, known.sources, "source", "sources")
        yield from _missing(row, known.procedures, "procedure", "procedures")
    for row in _sound(catalogue.disagreements):
        yield from _missing(row, known.facts, "fact", "facts")
        for i in range(len(row.data["values"])):
            yield from _missing(row, known.sources, "source", "values", i, "sources")


def _cycles(procedures: list[Row]) -> Iterator[Problem]:
    parents = {row.data.get("key"): row.data.get("parent") for row in procedures}
    for row in _sound(procedures):
        seen, key = [], row.data["key"]
        while key and key not in seen:
            seen.append(key)
            key = parents.get(key)
        if key == row.data["key"]:
            yield row.problem("is its own ancestor: " + " → ".join([*seen, key]), "parent")


def _pathway_problems(pathway: Row, known: _Known) -> Iterator[Problem]:
    yield from _missing(pathway, known.procedures, "procedure", "procedure")
    yield from _repeated(pathway, "step")
    for row in _sound(pathway.parts):
        yield from _step_problems(row, known)
        for language in pathway.data.get("languages", ()):
            if language not in row.data["text"] and language != "en-us":
                yield row.problem(f"there are no words in {language}", "text")


def _repeated(owner: Row, what: str) -> Iterator[Problem]:
    """The parts of a pathway or a page that stand in it twice, wherever they come from."""
    seen: set[str] = set()
    for row in owner.parts:
        key = str(row.data.get("key"))
        if key in seen:
            yield row.problem(f"the {what} “{key}” stands here twice", "key")
        seen.add(key)


def _step_problems(row: Row, known: _Known) -> Iterator[Problem]:
    yield from _missing(row, known.facts, "fact", "facts")
    yield from _missing(row, known.disagreements, "disagreement", "disagreements")
    yield from _missing(row, known.slots, "clinic slot", "slots")
    yield from _timing_problems(row, known)
    for language, text in row.data["text"].items():
        yield from _text_problems(row, known, language, text)


def _timing_problems(row: Row, known: _Known) -> Iterator[Problem]:
    step = row.data
    if not EARLIEST <= step["at"] <= LATEST:
        yield row.problem(f"is outside {EARLIEST} to {LATEST}, when mail may go out", "at")
    if (step["anchor"] == "appointment") != ("appointment_kind" in step):
        yield row.problem("an appointment step, and no other, names its appointment_kind", "anchor")
    if step.get("appointment_kind", "clinic") not in APPOINTMENT_KINDS:
        yield row.problem(f"is none of {', '.join(sorted(APPOINTMENT_KINDS))}", "appointment_kind")
    repeat = step.get("repeat")
    if repeat and "times" not in repeat and "until" not in repeat:
        yield row.problem("never ends: say “times” or “until”", "repeat")
    yield from _offset_problems(row, known)


def _offset_problems(row: Row, known: _Known) -> Iterator[Problem]:
    offset = row.data["offset"]
    if not isinstance(offset, dict):
        return
    yield from _missing(row, known.slots, "clinic slot", "offset", "slot")
    if known.slot_kinds.get(offset["slot"], "days") not in ("days", "weeks"):
        yield row.problem("an offset needs a slot of days or weeks", "offset", "slot")


def _text_problems(
    row: Row, known: _Known, language: str, text: dict[str, str]
) -> Iterator[Problem]:
    for part, words in text.items():
        where = ("text", language, part)
        for name in sorted(placeholders_in(words)):
            for message in _placeholder_faults(name, row.data, known):
                yield row.problem(message, *where)
        for fault in faults(words):
            yield row.problem(fault, *where)
    telling = TELLING.search(text.get("subject", ""))
    if telling:
        message = f"“{telling[0]}” tells whoever sees the inbox too much"
        yield row.problem(message, "text", language, "subject")


def _placeholder_faults(name: str, step: dict[str, Any], known: _Known) -> Iterator[str]:
    kind, _, key = name.partition(":")
    if not is_known_placeholder(name):
        yield f"there is no placeholder {{{name}}}"
    elif kind == "slot" and key not in known.slots:
        yield f"there is no clinic slot “{key}”"
    elif kind == "settled" and key not in known.disagreements:
        yield f"there is no disagreement “{key}”"
    elif name in APPOINTMENT_PLACEHOLDERS and step["anchor"] != "appointment":
        yield f"{{{name}}} needs the anchor “appointment”"
    elif name in WINDOW_PLACEHOLDERS and "window" not in step:
        yield f"{{{name}}} needs a “window”"


def _page_problems(page: Row, known: _Known) -> Iterator[Problem]:
    yield from _repeated(page, "section")
    if not page.parts:
        yield page.problem("has no sections", "page")
    for row in _sound(page.parts):
        yield from _missing(row, known.facts, "fact", "facts")
        yield from _missing(row, known.disagreements, "disagreement", "disagreements")
        yield from _missing(row, known.slots, "clinic slot", "slots")
        for fault in faults(row.data["body"]):
            yield row.problem(fault, "body")
        yield from _page_placeholder_problems(row, known)


def _translation_problems(pages: Iterable[Row]) -> Iterator[Problem]:
    """A guide in another language has every page of the British one, with every section, and no other."""
    outline: dict[tuple[str, str], dict[str, set[str]]] = {}
    for page in pages:
        sections = {part.data.get("key", "") for part in page.parts}
        guide = outline.setdefault((page.data["procedure"], page.data["language"]), {})
        guide[page.data["page"]] = sections
    for page in pages:
        british = outline.get((page.data["procedure"], "en-gb"), {})
        own = outline[page.data["procedure"], page.data["language"]]
        missing = british.get(page.data["page"], set()) - own[page.data["page"]]
        words = f"there are no words in {page.data['language']} for: "
        if missing:
            yield page.problem(words + ", ".join(sorted(missing)), "page")
        if page.data["position"] == 1 and (gone := british.keys() - own.keys()):
            yield page.problem(words + ", ".join(sorted(gone)), "page")


def _page_placeholder_problems(row: Row, known: _Known) -> Iterator[Problem]:
    for name in sorted(placeholders_in(row.data["body"])):
        kind, _, key = name.partition(":")
        if not (
            (kind == "slot" and key in known.slots)
            or (kind == "settled" and key in known.disagreements)
        ):
            yield row.problem(f"a page cannot fill {{{name}}}", "body")
