"""Puts together what files share: steps and pages that are written once and used, with changes, in many places.

A pathway uses groups of steps, a guide uses whole pages (docs/decisions/0096). Each part remembers the
file it comes from.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.documents import Problem

# What is changed word by word; any other field is changed as a whole.
MERGED = "text"
AMERICAN = "en-us"  # made of British words where it is not written out


def put_together(catalogue: Catalogue) -> Iterator[Problem]:
    """Give every pathway its steps and every guide its pages; yields what is wrong with how they share."""
    groups = {row.data.get("group"): row for row in catalogue.step_groups}
    shared = {
        (row.data.get("shared"), row.data.get("language")): row for row in catalogue.shared_pages
    }
    used: set[Any] = set()
    users = [*catalogue.pathways, *catalogue.guides]
    pathways = []
    for row in catalogue.pathways:
        pathways.append((yield from _pathway(row, groups, used)))
    catalogue.pathways = [row for row in pathways if row]
    for guide in catalogue.guides:
        catalogue.pages += yield from _pages_of(guide, shared, used)
    if not any(row.document.faults for row in users):
        yield from _unused(groups, "group", used)
        yield from _unused(shared, "shared", used)


def _unused(rows: Mapping[Any, Row], name: str, used: set[Any]) -> Iterator[Problem]:
    for key, row in rows.items():
        if key not in used:
            yield row.problem("nothing uses it", name)


def _pathway(
    pathway: Row, groups: Mapping[Any, Row], used: set[Any]
) -> Generator[Problem, None, Row | None]:
    if pathway.document.faults_below((), but_not_in="steps"):
        return None
    parts: list[Row] = []
    for row in _rows(pathway, "steps"):
        if "use" not in row.data:
            parts.append(row)
        elif row.is_sound:
            used.add(row.data["use"])
            parts += yield from _shared_parts(row, groups.get(row.data["use"]), "steps")
    data = {**pathway.data, "steps": [part.data for part in parts]}
    return replace(pathway, data=data, parts=tuple(parts))


def _pages_of(
    guide: Row, shared: Mapping[Any, Row], used: set[Any]
) -> Generator[Problem, None, list[Row]]:
    if guide.document.faults_below((), but_not_in="pages"):
        return []
    pages = []
    for position, row in enumerate(_rows(guide, "pages"), start=1):
        if not guide.document.faults_below(row.trail, but_not_in="sections"):
            pages.append((yield from _page(row, guide.data, position, shared, used)))
    return pages


def _page(
    entry: Row, guide: Mapping[str, Any], position: int, shared: Mapping[Any, Row], used: set[Any]
) -> Generator[Problem, None, Row]:
    parts: list[Row] = []
    base: dict[str, Any] = {}
    if name := entry.data.get("use"):
        key = (name, guide["language"])
        used.add(key)
        found = shared.get(key)
        base = found.data if found else base
        parts += yield from _shared_parts(entry, found, "sections")
    parts += _rows(entry, "sections")
    data: dict[str, Any] = {
        "title": base.get("title", ""),
        "summary": base.get("summary", ""),
        **{name: entry.data[name] for name in ("page", "title", "summary") if name in entry.data},
        "procedure": guide["guide"],
        "audience": guide["audience"],
        "language": guide["language"],
        "position": position,
        "sections": [part.data for part in parts],
    }
    return replace(entry, data=data, parts=tuple(parts))


def _rows(owner: Row, name: str) -> list[Row]:
    places = enumerate(owner.data.get(name, ()))
    return [
        Row(data, owner.document, (*owner.trail, name, i))
        for i, data in places
        if isinstance(data, dict)
    ]


def _shared_parts(entry: Row, group: Row | None, name: str) -> Generator[Problem, None, list[Row]]:
    """The parts of `group`, as `entry` uses it: some left out, some changed."""
    if group is None:
        yield entry.problem(f"there is nothing shared that is called “{entry.data['use']}”", "use")
        return []
    if group.document.faults_below(group.trail, but_not_in=name):
        return []
    rows = {row.data["key"]: row for row in _rows(group, name) if "key" in row.data}
    yield from _strangers(entry, rows)
    changes = entry.data.get("but", {})
    parts = []
    for key in _chosen(entry, rows):
        row = rows[key]
        if key in changes and row.is_sound:
            change = Row(changes[key], entry.document, (*entry.trail, "but", key))
            yield from _change_problems(row, change)
            row = _changed(row, change)
        parts.append(row)
    return parts


def _chosen(entry: Row, keys: Iterable[str]) -> list[str]:
    """The keys of a group that `entry` uses, in the group's order."""
    only, without = entry.data.get("only"), entry.data.get("without", ())
    return [key for key in keys if key not in without and (only is None or key in only)]


def _strangers(entry: Row, rows: Mapping[str, Row]) -> Iterator[Problem]:
    """What `entry` leaves out or changes although the group does not have it."""
    used = _chosen(entry, rows)
    named: list[tuple[str, tuple[str | int, ...]]] = [
        (key, (name, i))
        for name in ("only", "without")
        for i, key in enumerate(entry.data.get(name, ()))
    ]
    for key, place in named:
        if key not in rows:
            yield entry.problem(f"“{entry.data['use']}” has no “{key}”", *place)
    for key in entry.data.get("but", {}):
        if key not in used:
            yield entry.problem(f"nothing is used that is called “{key}”", "but", key)


def _change_problems(row: Row, change: Row) -> Iterator[Problem]:
    """New words in one language leave the others behind: they are changed together."""
    if "key" in change.data:
        yield change.problem("a part keeps its key", "key")
    texts = change.data.get(MERGED, {})
    parts = {part for words in texts.values() for part in words}
    for language in sorted(row.data.get(MERGED, {}).keys() - {AMERICAN}):
        missing = sorted(parts - texts.get(language, {}).keys())
        if missing:
            yield change.problem(f"there are no words in {language}: {', '.join(missing)}", MERGED)


def _changed(row: Row, change: Row) -> Row:
    data = {**row.data, **change.data}
    if MERGED in change.data:
        old, new = row.data[MERGED], change.data[MERGED]
        data[MERGED] = {
            language: {**old.get(language, {}), **new.get(language, {})}
            for language in (*old, *(name for name in new if name not in old))
        }
    return replace(row, data=data, over=change)
