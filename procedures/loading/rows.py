"""Brings the rows that every clinic shares up to the files: sources, procedures, facts, disagreements, slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import Model

from procedures.loading.catalogue import Catalogue, Row
from procedures.loading.merge import Content, LoadReport, merged
from procedures.models import (
    CatalogueRow,
    Disagreement,
    DisagreementValue,
    Fact,
    Pathway,
    Procedure,
    Slot,
    Source,
)


class Keys:
    """Primary keys by catalogue key, one query for each model. Lasts for one load."""

    def __init__(self) -> None:
        self._ids: dict[type[Model], dict[str, Any]] = {}

    def id(self, model: type[Model], key: str) -> Any:
        """The primary key of the row with this key, which the checks have shown to exist."""
        known = self._ids.get(model, {})
        if key not in known:
            rows = model._default_manager.values_list("key", "pk")
            known = self._ids[model] = dict(rows)
        return known[key]

    def ids(self, model: type[Model], keys: Iterable[str]) -> list[Any]:
        """The primary keys of several rows."""
        return [self.id(model, key) for key in keys]


@dataclass(frozen=True, slots=True)
class Kind:
    """One model of the catalogue: which fields come from the files, and which are references by key."""

    model: type[CatalogueRow]
    plain: Mapping[str, Any]
    rename: Mapping[str, str] = field(default_factory=dict)
    one: Mapping[str, type[Model]] = field(default_factory=dict)
    many: Mapping[str, type[Model]] = field(default_factory=dict)

    def incoming(self, data: Mapping[str, Any]) -> Content:
        """What the files say about one row; fields they leave out have their empty value."""
        named = {self.rename.get(name, name): value for name, value in data.items()}
        return {
            **{name: _plain(named.get(name, empty)) for name, empty in self.plain.items()},
            **{name: named.get(name) for name in self.one},
            **{name: sorted(named.get(name, ())) for name in self.many},
        }

    def stored(self, row: Any) -> Content:
        """The same of a row in the database. Reads prefetched references."""
        return {
            **{name: _plain(getattr(row, name)) for name in self.plain},
            **{name: getattr(getattr(row, name), "key", None) for name in self.one},
            **{name: sorted(other.key for other in getattr(row, name).all()) for name in self.many},
        }

    def write(self, row: Any, content: Content, keys: Keys) -> None:
        """Store `content` in `row`."""
        is_new = row._state.adding
        for name in self.plain:
            setattr(row, name, content[name])
        for name, model in self.one.items():
            setattr(row, f"{name}_id", keys.id(model, content[name]) if content[name] else None)
        row.save()
        for name, model in self.many.items():
            point_to(getattr(row, name), keys.ids(model, content[name]), is_new=is_new)

    def rows(self) -> dict[str, Any]:
        """The rows in the database by key, references fetched."""
        query = self.model._default_manager.select_related(*self.one).prefetch_related(*self.many)
        return {row.key: row for row in query}  # type: ignore[attr-defined]


class DisagreementKind(Kind):
    """Disagreements, which carry their values, in order, as part of their content."""

    __slots__ = ()

    def incoming(self, data: Mapping[str, Any]) -> Content:
        values = [
            {"statement": v["statement"], "sources": sorted(v["sources"])} for v in data["values"]
        ]
        return {**Kind.incoming(self, data), "values": values}

    def stored(self, row: Any) -> Content:
        values = [
            {"statement": value.statement, "sources": sorted(s.key for s in value.sources.all())}
            for value in row.values.all()
        ]
        return {**Kind.stored(self, row), "values": values}

    def write(self, row: Any, content: Content, keys: Keys) -> None:
        Kind.write(self, row, content, keys)
        for position, value in enumerate(content["values"], start=1):
            stored, is_new = DisagreementValue.objects.update_or_create(
                disagreement=row, position=position, defaults={"statement": value["statement"]}
            )
            point_to(stored.sources, keys.ids(Source, value["sources"]), is_new=is_new)
        row.values.filter(position__gt=len(content["values"])).delete()

    def rows(self) -> dict[str, Any]:
        query = Disagreement.objects.prefetch_related("facts", "values__sources")
        return {row.key: row for row in query}


SOURCES = Kind(
    Source,
    dict.fromkeys(("title", "publisher", "jurisdiction", "audience", "scope", "quality_note"), ""),
)
PROCEDURES = Kind(
    Procedure,
    {
        **dict.fromkeys(
            ("reference", "name", "audience", "what_is_done", "code_system", "code"), ""
        ),
        "aliases": [],
        "related": [],
        "is_bookable": True,
    },
    rename={"bookable": "is_bookable"},
    one={"parent": Procedure},
    many={"sources": Source},
)
FACTS = Kind(
    Fact,
    {
        **dict.fromkeys(
            ("topic", "statement", "unit", "anchor", "strength", "audience", "reviewed_by"), ""
        ),
        **dict.fromkeys(("offset_from", "offset_to", "reviewed_on")),
    },
    rename={"from": "offset_from", "to": "offset_to"},
    many={"procedures": Procedure, "sources": Source},
)
DISAGREEMENTS = DisagreementKind(
    Disagreement, dict.fromkeys(("topic", "question", "comment"), ""), many={"facts": Fact}
)
SLOTS = Kind(Slot, dict.fromkeys(("name", "kind", "hint"), ""))
PATHWAYS = Kind(
    Pathway,
    dict.fromkeys(("name", "audience"), ""),
    one={"procedure": Procedure},
)


def load_rows(catalogue: Catalogue, *, force: bool, report: LoadReport) -> None:
    """Bring the shared rows up to the files, in the order in which they refer to each other."""
    keys = Keys()
    _load(SOURCES, catalogue.sources, keys, force=force, report=report)
    _load(PROCEDURES, _parents_first(catalogue.procedures), keys, force=force, report=report)
    _load(FACTS, catalogue.facts, keys, force=force, report=report)
    _load(DISAGREEMENTS, catalogue.disagreements, keys, force=force, report=report)
    _load(SLOTS, catalogue.slots, keys, force=force, report=report)
    _load(PATHWAYS, catalogue.pathways, keys, force=force, report=report, key="pathway")


def _load(
    kind: Kind,
    rows: Iterable[Row],
    keys: Keys,
    *,
    force: bool,
    report: LoadReport,
    key: str = "key",
) -> None:
    existing = kind.rows()
    seen = set()
    for row in rows:
        seen.add(row.data[key])
        stored = existing.get(row.data[key])
        put(
            kind.model(key=row.data[key]) if stored is None else stored,  # type: ignore[misc]
            row.data[key],
            incoming=kind.incoming(row.data),
            here=kind.stored(stored) if stored else {},
            write=partial(kind.write, keys=keys),
            force=force,
            report=report,
        )
    report.gone += [str(row) for found, row in existing.items() if found not in seen and row.loaded]


def point_to(related: Any, ids: list[Any], *, is_new: bool) -> None:
    """Make a many-to-many relation hold exactly these rows; a new row has none to compare with."""
    if is_new:
        related.add(*ids)
    else:
        related.set(ids)


def put(
    row: Any,
    name: str,
    *,
    incoming: Content,
    here: Content,
    write: Callable[[Any, Content], None],
    force: bool,
    report: LoadReport,
) -> None:
    """Make or bring up one row, keeping what was edited here, and count it in `report`."""
    result = merged(
        f"{row._meta.verbose_name} {name}",
        here=here,
        loaded=row.loaded,
        incoming=incoming,
        force=force,
        report=report,
    )
    if not row._state.adding and result == here and row.loaded == incoming:
        report.counts["unchanged"] += 1
        return
    report.counts["changed" if here else "new"] += 1
    row.loaded = incoming
    write(row, result)


def _parents_first(rows: list[Row]) -> list[Row]:
    by_key = {row.data["key"]: row for row in rows}

    def depth(row: Row) -> int:
        parent = row.data.get("parent")
        return 1 + depth(by_key[parent]) if parent else 0

    return sorted(rows, key=depth)


def _plain(value: Any) -> Any:
    """A value as JSON holds it, so that what was loaded and what is stored compare equal."""
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
