"""The catalogue as it stands in the files: which files there are, and their rows with their places."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procedures.loading.documents import Document, Problem, Trail

CATALOGUE = Path(__file__).resolve().parent.parent / "catalogue"

# Which files hold what: a pattern below the catalogue folder, the kind of file, and, for files that
# are one list of rows, the name of the list.
FILES = (
    ("sources.yaml", "sources_file", "sources"),
    ("procedures.yaml", "procedures_file", "procedures"),
    ("facts/*.yaml", "facts_file", "facts"),
    ("disagreements.yaml", "disagreements_file", "disagreements"),
    ("slots.yaml", "slots_file", "slots"),
    ("glossary.yaml", "glossary_file", "words"),
    ("shared/steps/*.yaml", "step_group_file", "step_groups"),
    ("pathways/*.yaml", "pathway_file", "pathways"),
    ("shared/pages/*.yaml", "shared_page_file", "shared_pages"),
    ("guides/*.yaml", "guide_file", "guides"),
    ("questionnaires/*.yaml", "questionnaire_file", "questionnaires"),
    ("exercises/*.yaml", "exercises_file", "exercises"),
)


class CatalogueError(Exception):
    """The catalogue's files cannot be loaded; `problems` lists everything wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its data, and where it stands, so that a problem can point at it.

    A row that another file shares and this one changes has the changes in `over`: a problem in what
    they say points at them, any other at the shared file. `parts` are what a pathway or a page is put
    together from, each where it stands.
    """

    data: dict[str, Any]
    document: Document
    trail: Trail
    over: Row | None = None
    parts: tuple[Row, ...] = ()

    def problem(self, message: str, *trail: str | int) -> Problem:
        """A problem at a place inside this row."""
        if self.over is not None and self.over.says(trail):
            return self.over.problem(message, *trail)
        return self.document.problem((*self.trail, *trail), message)

    def says(self, trail: Trail) -> bool:
        """Whether something stands at this place of the row."""
        found: Any = self.data
        for part in trail:
            is_there = part in found if isinstance(found, dict) else part in range(_length(found))
            if not is_there:
                return False
            found = found[part]
        return bool(trail)

    @property
    def is_sound(self) -> bool:
        """Whether the schema has nothing against it. What is not sound is not looked into further."""
        return isinstance(self.data, dict) and not self.document.faults_below(self.trail)

    @property
    def digest(self) -> str:
        """SHA-256 of what the row says, however it is laid out, with what it shares put in."""
        text = json.dumps(self.data, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


@dataclass(slots=True)
class Catalogue:
    """The rows of all files, by kind, in the order of the files. `pages` are put together from the guides."""

    sources: list[Row] = field(default_factory=list)
    procedures: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    disagreements: list[Row] = field(default_factory=list)
    slots: list[Row] = field(default_factory=list)
    words: list[Row] = field(default_factory=list)
    step_groups: list[Row] = field(default_factory=list)
    pathways: list[Row] = field(default_factory=list)
    shared_pages: list[Row] = field(default_factory=list)
    guides: list[Row] = field(default_factory=list)
    pages: list[Row] = field(default_factory=list)
    questionnaires: list[Row] = field(default_factory=list)
    exercises: list[Row] = field(default_factory=list)
