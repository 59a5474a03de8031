"""Brings the rows that every clinic shares up to the files: sources, procedures, facts, disagreements, slots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, cast

from django.db.models import ManyToManyField, Model

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
    """What one load knows and has still to write: primary keys by catalogue key, and rows in bulk.

    New rows and their references wait until `flush`, or until somebody asks for the key of one.
    """

    def __init__(self) -> None:
        self._ids: dict[type[Model], dict[str, Any]] = {}
        self._rows: dict[type[Model], list[Model]] = defaultdict(list)
        self._links: dict[type[Model], list[Model]] = defaultdict(list)

    def save(self, row: Model) -> None:
        """Store a row that exists at once, and a new one with the others of its kind."""
        if row._state.adding:
            self._rows[type(row)].append(row)
        else:
            row.save()

    def point(self, row: Model, name: str, model: type[Model], keys: Iterable[str]) -> None:
        """Make the many-to-many field `name` of `row` hold the rows of `model` with these keys, and no other."""
        ids = self.ids(model, keys)
        if not row._state.adding:
            getattr(row, name).set(ids)
            return
        relation = cast("ManyToManyField[Any, Any]", type(row)._meta.get_field(name))
        through = getattr(type(row), name).through
        near, far = relation.m2m_field_name(), relation.m2m_reverse_field_name()
        self._links[through] += [through(**{f"{near}_id": row.pk, f"{far}_id": pk}) for pk in ids]

    def flush(self) -> None:
        """Write what waits, rows before references, in the order in which the kinds came."""
        for waiting in (self._rows, self._links):
            for model, rows in waiting.items():
                model._default_manager.bulk_create(rows)
            waiting.clear()

    def id(self, model: type[Model], key: str) -> Any:
        """The primary key of the row with this key, which the checks have shown to exist."""
        known = self._ids.get(model, {})
        if key not in known:
            self.flush()
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
        for name in self.plain:
            setattr(row, name, content[name])
        for name, model in self.one.items():
            setattr(row, f"{name}_id", keys.id(model, content[name]) if content[name] else None)
        keys.save(row)
        for name, model in self.many.items():
            keys.point(row, name, model, content[name])

    def rows(self) -> dict[str, Any]:
        """The rows in the database by key, references fetched."""
        query = self.model._default_manager.select_related(*self.one).prefetch_related(*self.many)
        return {row.key: row for row in query}  # type: ignore[attr-defined]  # every kind has one


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
        existing = {} if row._state.adding else {v.position: v for v in row.values.all()}
        Kind.write(self, row, content, keys)
        for position, said in enumerate(content["values"], start=1):
            value = existing.pop(position, None)
            value = value or DisagreementValue(disagreement=row, position=position)
            value.statement = said["statement"]
            keys.save(value)
            keys.point(value, "sources", Source, said["sources"])
        for value in existing.values():
            value.delete()

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
            kind.model(key=row.data[key]) if stored is None else stored,  # type: ignore[misc]  # every kind has a key
            row.data[key],
            incoming=kind.incoming(row.data),
            here=kind.stored(stored) if stored else {},
            write=partial(kind.write, keys=keys),
            force=force,
            report=report,
        )
    keys.flush()
    report.gone += [str(row) for found, row in existing.items() if found not in seen and row.loaded]


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
