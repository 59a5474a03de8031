"""Brings the library of exercises up to the files, in the order of the files."""

from __future__ import annotations

from typing import Any

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.glossary import Glossary
from procedures.loading.merge import Content, LoadReport
from procedures.loading.rows import put
from procedures.models import Exercise

FIELDS = ("audience", "phase", "position", "words")


def load_exercises(catalogue: Catalogue, *, force: bool, report: LoadReport) -> None:
    """Make or bring up every exercise, keeping what was edited here."""
    existing = {row.key: row for row in Exercise.objects.all()}
    glossary = Glossary(catalogue.words)
    for position, row in enumerate(catalogue.exercises, start=1):
        key = row.data["key"]
        stored = existing.pop(key, None)
        put(
            stored or Exercise(key=key),
            key,
            incoming=_content(row, position, glossary),
            here={name: getattr(stored, name) for name in FIELDS} if stored else {},
            write=_write,
            force=force,
            report=report,
        )
    report.gone += [row.key for row in existing.values() if row.loaded]


def _content(row: Row, position: int, glossary: Glossary) -> Content:
    return {
        "audience": row.data["audience"],
        "phase": row.data["phase"],
        "position": position,
        "words": _words(row.data["text"], glossary),
    }


def _words(texts: dict[str, Any], glossary: Glossary) -> dict[str, Any]:
    """The words by language; American ones are made of the British where they differ."""
    british = texts["en-gb"]
    american = {
        "name": glossary.american(british["name"]),
        "instructions": [glossary.american(line) for line in british["instructions"]],
    } | texts.get("en-us", {})
    return {**texts, **({"en-us": american} if american != british else {})}


def _write(row: Exercise, content: Content) -> None:
    for name in FIELDS:
        setattr(row, name, content[name])
    row.save()
