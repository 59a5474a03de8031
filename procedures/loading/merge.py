"""Bringing three versions of a row together: what the files said last, what they say, and what stands here.

Pure: contents are plain dictionaries, field by field, with references as keys.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """A field that somebody edited here and that the files want otherwise."""

    row: str
    field: str
    here: Any
    in_files: Any

    def __str__(self) -> str:
        return f"{self.row}, {self.field}: here {_short(self.here)}, in the files {_short(self.in_files)}"


@dataclass(slots=True)
class LoadReport:
    """What a load did: rows by outcome, edits kept or overwritten, drafts made, rows gone from the files."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Edit] = field(default_factory=list)
    overwritten: list[Edit] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def merged(
    name: str, *, here: Content, loaded: Content, incoming: Content, force: bool, report: LoadReport
) -> Content:
    """The content the row `name` shall have.

    A field that was edited here since the last load stays as it is, unless `force`; any other takes
    what the files say. A row that the files never made counts as edited in every field. What was
    kept or overwritten goes into `report`.
    """
    result = {**here, **incoming}
    for part in incoming.keys() | _edited_away(here, loaded):
        if not _is_edited(part, here, loaded) or here.get(part) == incoming.get(part):
            continue
        edit = Edit(name, part, here.get(part), incoming.get(part))
        (report.overwritten if force else report.kept).append(edit)
        if not force:
            result.pop(part, None)
            result |= {part: here[part]} if part in here else {}
    for part in here.keys() - incoming.keys():
        if part in loaded and (force or not _is_edited(part, here, loaded)):
            del result[part]
    return result


def is_edited(here: Content, loaded: Content) -> bool:
    """Whether a row that the files made was edited here since."""
    return any(_is_edited(part, here, loaded) for part in here.keys() | loaded.keys())


def _edited_away(here: Content, loaded: Content) -> set[str]:
    return {part for part in here.keys() & loaded.keys() if here[part] != loaded[part]}


def _is_edited(part: str, here: Content, loaded: Content) -> bool:
    if not loaded:
        return bool(here)
    return part in loaded and here.get(part) != loaded[part]


def _short(value: Any) -> str:
    text = str(value)
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"
