"""Brings the guide pages up to the files; American pages are made of the British ones where words differ."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.glossary import Glossary
from procedures.loading.merge import Content, LoadReport
from procedures.loading.relations import Relations
from procedures.loading.rows import Keys, put
from procedures.models import Disagreement, Fact, Page, PageSection, Procedure, Slot

PLAIN = ("audience", "position", "title", "summary")
SECTION = "section."


def load_pages(catalogue: Catalogue, *, force: bool, report: LoadReport) -> None:
    """Make or bring up every page, each section by itself, keeping what was edited here."""
    query = Page.objects.select_related("procedure").prefetch_related(
        "sections__facts", "sections__disagreements", "sections__slots"
    )
    existing = {(page.key, page.language): page for page in query}
    keys = Keys()
    for name, incoming in _incoming(catalogue):
        stored = existing.pop(name, None)
        put(
            stored or Page(key=name[0], language=name[1]),
            f"{name[0]} ({name[1]})",
            incoming=incoming,
            here=_stored(stored) if stored else {},
            write=partial(_write, keys=keys),
            force=force,
            report=report,
        )
    keys.flush()
    report.gone += [f"{page.key} ({page.language})" for page in existing.values() if page.loaded]


def _incoming(catalogue: Catalogue) -> Iterator[tuple[tuple[str, str], Content]]:
    relations, glossary = Relations(catalogue.disagreements), Glossary(catalogue.words)
    own = {(row.data["page"], row.data["language"]) for row in catalogue.pages}
    for row in catalogue.pages:
        content = _content(row, relations)
        yield (row.data["page"], row.data["language"]), content
        american = _american(content, glossary)
        is_source = row.data["language"] == "en-gb" and (row.data["page"], "en-us") not in own
        if is_source and american != content:
            yield (row.data["page"], "en-us"), american


def _content(row: Row, relations: Relations) -> Content:
    sections = {
        f"{SECTION}{section['key']}": {
            "position": position,
            "heading": section["heading"],
            "body": section["body"].strip(),
            **relations.of(section, [section["body"]]),
        }
        for position, section in enumerate(row.data["sections"], start=1)
    }
    return {
        **{name: row.data[name] for name in PLAIN},
        "procedure": row.data["procedure"],
        **sections,
    }


def _american(content: Content, glossary: Glossary) -> Content:
    def section(value: dict[str, Any]) -> dict[str, Any]:
        words = {name: glossary.american(value[name]) for name in ("heading", "body")}
        return {**value, **words}

    return {
        **{name: section(v) if name.startswith(SECTION) else v for name, v in content.items()},
        "title": glossary.american(content["title"]),
        "summary": glossary.american(content["summary"]),
    }


def _stored(page: Page) -> Content:
    sections = {
        f"{SECTION}{section.key}": {
            "position": section.position,
            "heading": section.heading,
            "body": section.body,
            "facts": sorted(row.key for row in section.facts.all()),
            "disagreements": sorted(row.key for row in section.disagreements.all()),
            "slots": sorted(row.key for row in section.slots.all()),
        }
        for section in page.sections.all()
    }
    return {**{n: getattr(page, n) for n in PLAIN}, "procedure": page.procedure.key, **sections}


def _write(page: Page, content: Content, keys: Keys) -> None:
    existing = {} if page._state.adding else {row.key: row for row in page.sections.all()}
    for name in PLAIN:
        setattr(page, name, content[name])
    page.procedure_id = keys.id(Procedure, content["procedure"])
    keys.save(page)
    for name, value in content.items():
        if name.startswith(SECTION):
            key = name.removeprefix(SECTION)
            section = existing.pop(key) if key in existing else PageSection(page=page, key=key)
            _write_section(section, value, keys)
    for section in existing.values():
        section.delete()


def _write_section(section: PageSection, value: dict[str, Any], keys: Keys) -> None:
    for name in ("position", "heading", "body"):
        setattr(section, name, value[name])
    keys.save(section)
    for field, model in (("facts", Fact), ("disagreements", Disagreement), ("slots", Slot)):
        keys.point(section, field, model, value[field])
