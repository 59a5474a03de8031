"""The catalogue as it stands in the files: which files there are, and their rows with their places."""

from __future__ import annotations

import hashlib
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
    ("pathways/*.yaml", "pathway_file", "pathways"),
    ("pages/*.yaml", "page_file", "pages"),
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
    """One row of a file: its data, and where it stands, so that a problem can point at it."""

    data: dict[str, Any]
    document: Document
    trail: Trail

    def problem(self, message: str, *trail: str | int) -> Problem:
        """A problem at a place inside this row."""
        return self.document.problem((*self.trail, *trail), message)

    @property
    def digest(self) -> str:
        """SHA-256 of the text of the file the row stands in."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()


@dataclass(slots=True)
class Catalogue:
    """The rows of all files, by kind, in the order of the files."""

    sources: list[Row] = field(default_factory=list)
    procedures: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    disagreements: list[Row] = field(default_factory=list)
    slots: list[Row] = field(default_factory=list)
    words: list[Row] = field(default_factory=list)
    pathways: list[Row] = field(default_factory=list)
    pages: list[Row] = field(default_factory=list)
    questionnaires: list[Row] = field(default_factory=list)
    exercises: list[Row] = field(default_factory=list)
