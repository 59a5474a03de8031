"""One step of a pathway file as content, one step of the database as content, and writing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from procedures.loading.glossary import Glossary
from procedures.loading.merge import Content
from procedures.loading.relations import Relations
from procedures.loading.rows import Keys
from procedures.models import Disagreement, Fact, PathwayVersion, Slot, Step, StepText

PARTS = ("subject", "title", "todo", "body")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAYS_IN = {"day": 1, "week": 7}
HOURS_IN = {"hour": 1, "day": 24}
# Fields whose content is the value of the model's field as it is.
SAME = (
    "position",
    "category",
    "anchor",
    "appointment_kind",
    "repeat_every_days",
    "repeat_weekdays",
    "repeat_count",
    "repeat_until_anchor",
    "repeat_until_value",
    "repeat_until_unit",
    "condition",
    "ends_when",
    "recipients",
    "window_days",
    "late_policy",
    "repeat_policy",
    "is_essential",
)


@dataclass(frozen=True, slots=True)
class StepReader:
    """Turns a step of a file into content, with what other files say about its facts and its words."""

    relations: Relations
    glossary: Glossary

    def content(self, data: Mapping[str, Any], position: int) -> Content:
        """The content of the step `data`, at `position` of its pathway."""
        texts = self._texts(data["text"])
        return {
            "position": position,
            **_what(data),
            **_when(data),
            **self._references(data, texts.values()),
            **texts,
        }

    def _texts(self, texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        british = texts["en-gb"]
        american = {
            **{p: self.glossary.american(british[p]) for p in PARTS},
            **texts.get("en-us", {}),
        }
        whole = {**texts, "en-us": american}
        if american == dict(british):
            del whole["en-us"]
        return {
            f"text.{language}.{part}": words[part].strip()
            for language, words in whole.items()
            for part in PARTS
        }

    def _references(self, data: Mapping[str, Any], texts: Iterable[str]) -> Content:
        offset = data["offset"]
        needed = {offset["slot"]} if isinstance(offset, dict) else set()
        return self.relations.of(data, texts, further_slots=needed)


def _what(data: Mapping[str, Any]) -> Content:
    return {
        "category": data["category"],
        "condition": data.get("when", {}),
        "ends_when": data.get("ends_when", ""),
        "recipients": data.get("recipients", "default"),
        "late_policy": data.get("if_late", "skip"),
        "repeat_policy": data.get("if_moved", "never"),
        "is_essential": data.get("essential", False),
    }


def _when(data: Mapping[str, Any]) -> Content:
    repeat = data.get("repeat", {})
    until = offset_parts(repeat["until"]) if "until" in repeat else (None, "")
    return {
        "anchor": data["anchor"],
        "appointment_kind": data.get("appointment_kind", ""),
        "offset": data["offset"]
        if isinstance(data["offset"], dict)
        else list(offset_parts(data["offset"])),
        "at": data["at"],
        "valid_for": _amount(data["valid_for"], HOURS_IN),
        "window_days": _amount(data["window"], DAYS_IN) if "window" in data else None,
        "repeat_every_days": _amount(repeat["every"], DAYS_IN) if repeat else None,
        "repeat_weekdays": [WEEKDAYS.index(day) for day in repeat.get("on", ())],
        "repeat_count": repeat.get("times"),
        "repeat_until_anchor": repeat.get("until_anchor", data["anchor"])
        if "until" in repeat
        else "",
        "repeat_until_value": until[0],
        "repeat_until_unit": until[1],
    }


def offset_parts(text: str) -> tuple[int, str]:
    """`-6 weeks` as (-6, "weeks"). The text has passed the schema."""
    number, unit = text.split(" ")
    return int(number), unit.rstrip("s") + "s"


def _amount(text: str, factors: Mapping[str, int]) -> int:
    number, unit = text.split(" ")
    return int(number) * factors[unit.rstrip("s")]


def stored_content(step: Step) -> Content:
    """The content of a step in the database. Reads prefetched texts and references.

    Where the offset comes from a slot, only the direction counts: approval has put in the number.
    """
    slot = step.offset_slot
    before = {"before": True} if step.offset_value < 0 else {}
    return {
        **{name: getattr(step, name) for name in SAME},
        "offset": {"slot": slot.key, **before} if slot else [step.offset_value, step.offset_unit],
        "at": f"{step.at:%H:%M}",
        "valid_for": int(step.valid_for / timedelta(hours=1)),
        "facts": sorted(fact.key for fact in step.facts.all()),
        "disagreements": sorted(row.key for row in step.disagreements.all()),
        "slots": sorted(row.key for row in step.slots.all()),
        **{
            f"text.{text.language}.{part}": getattr(text, part)
            for text in step.texts.all()
            for part in PARTS
        },
    }


def write_step(step: Step, content: Content, keys: Keys) -> None:
    """Store `content` in `step` of a draft, words and references included; a new one with `keys.flush()`."""
    texts = {} if step._state.adding else {text.language: text for text in step.texts.all()}
    for name in SAME:
        setattr(step, name, content[name])
    hours, minutes = content["at"].split(":")
    step.at = time(int(hours), int(minutes))
    step.valid_for = timedelta(hours=content["valid_for"])
    _put_offset(step, content["offset"], keys)
    keys.save(step)
    for field, model in (("facts", Fact), ("disagreements", Disagreement), ("slots", Slot)):
        keys.point(step, field, model, content[field])
    _write_texts(step, texts, content, keys)


def _put_offset(step: Step, offset: Any, keys: Keys) -> None:
    if isinstance(offset, dict):
        slot = Slot.objects.get(pk=keys.id(Slot, offset["slot"]))
        step.offset_slot, step.offset_unit = slot, slot.kind
        step.offset_value = -1 if offset.get("before") else 1
    else:
        step.offset_slot = None
        step.offset_value, step.offset_unit = offset


def _write_texts(step: Step, existing: dict[str, StepText], content: Content, keys: Keys) -> None:
    languages = {name.split(".")[1] for name in content if name.startswith("text.")}
    for language in sorted(languages):
        text = existing.pop(language, None) or StepText(step=step, language=language)
        for part in PARTS:
            setattr(text, part, content.get(f"text.{language}.{part}", ""))
        keys.save(text)
    for text in existing.values():
        text.delete()


def new_step(version: PathwayVersion, key: str) -> Step:
    """A step of `version` that is not stored yet."""
    return Step(version=version, key=key)
