"""Reads all files of the catalogue with every check applied. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procedures.loading.catalogue import CATALOGUE, FILES, Catalogue, CatalogueError, Row
from procedures.loading.documents import Document, Problem, read_document
from procedures.loading.references import reference_problems
from procedures.loading.schema import schema_problems


def read_catalogue(folder: Path = CATALOGUE) -> Catalogue:
    """Read and check every file below `folder`.

    Raises CatalogueError with every problem of every file; references between files are looked at
    once each file is right by itself.
    """
    catalogue = Catalogue()
    problems = list(_read_files(folder, catalogue))
    if not problems:
        problems = list(reference_problems(catalogue))
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
    if name in ("pathways", "pages", "questionnaires"):
        yield Row(document.data, document, ())
        return
    for i, data in enumerate(document.data.get(name) or ()):
        yield Row(data, document, (name, i))


def _strangers(folder: Path) -> Iterator[Problem]:
    """Files that no pattern reads: a misspelt folder must not make a pathway vanish in silence."""
    read = {path for pattern, _, _ in FILES for path in folder.glob(pattern)}
    for path in sorted(folder.rglob("*.y*ml")):
        if path not in read and path.name != "schema.yaml":
            yield Problem(
                str(path.relative_to(folder)), 1, "", "no part of the catalogue has this name"
            )
