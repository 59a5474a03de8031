"""Reads all files of the catalogue with every check applied. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procedures.loading.catalogue import CATALOGUE, FILES, Catalogue, CatalogueError, Row
from procedures.loading.documents import Document, Problem, read_document
from procedures.loading.references import reference_problems
from procedures.loading.reuse import put_together
from procedures.loading.schema import schema_problems

# Kinds of file that are one row each.
WHOLE_FILES = frozenset({"step_groups", "pathways", "shared_pages", "guides", "questionnaires"})


def read_catalogue(folder: Path = CATALOGUE) -> Catalogue:
    """Read and check every file below `folder`.

    Raises CatalogueError with every problem of every file. A row that its schema refuses is not
    looked into further; all others are, so that one run shows everything.
    """
    catalogue = Catalogue()
    problems = [
        *_read_files(folder, catalogue),
        *put_together(catalogue),
        *reference_problems(catalogue),
    ]
    if problems:
        raise CatalogueError(problems)
    return catalogue


def _read_files(folder: Path, catalogue: Catalogue) -> Iterator[Problem]:
    for pattern, kind, name in FILES:
        for path in sorted(folder.glob(pattern)):
            document = read_document(path, str(path.relative_to(folder)))
            yield from document.problems
            if document.data is not None:
                yield from schema_problems(document, kind)
                getattr(catalogue, name).extend(_rows(document, name))
    yield from _strangers(folder)


def _rows(document: Document, name: str) -> Iterator[Row]:
    if not isinstance(document.data, dict):
        return
    if name in WHOLE_FILES:
        yield Row(document.data, document, ())
        return
    rows = document.data.get(name)
    for i, data in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(data, dict):
            yield Row(data, document, (name, i))


def _strangers(folder: Path) -> Iterator[Problem]:
    """Files that no pattern reads: a misspelt folder must not make a pathway vanish in silence."""
    read = {path for pattern, _, _ in FILES for path in folder.glob(pattern)}
    for path in sorted(folder.rglob("*.y*ml")):
        if path not in read and path.name != "schema.yaml":
            yield Problem(
                str(path.relative_to(folder)), 1, "", "no part of the catalogue has this name"
            )
