"""Related rows that come with the row they belong to, in the same query.

`prefetch_related` asks once for each relation, and once more for what those point to; where one row
is read at a time and often, the asking is most of the time. Here a relation comes along as one list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Aggregate, JSONField, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONArray
from django.db.models.query import ModelIterable
from django.utils.timezone import is_naive


class _JsonList(Aggregate):
    """All rows of a group as one JSON array."""

    function = "JSON_GROUP_ARRAY"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL's name for it."""
        return self.as_sql(compiler, connection, function="JSONB_AGG", **context)


@dataclass(frozen=True, slots=True)
class Nested:
    """A relation to bring along: `"appointments"`, or over one step `"patient__related_people"`.

    `fields` are read of it: `"on"`, or over one step `"user__id"` and more of the same row; other fields
    are fetched when they are asked for, row by row. `where` leaves rows out. Their order is not defined.
    """

    relation: str
    fields: Sequence[str]
    where: Q = field(default_factory=Q)


def with_nested(rows: QuerySet, *relations: Nested) -> QuerySet:
    """`rows` with these relations at hand: `row.relation.all()` asks the database nothing."""
    lists = {_name(number): _list_of(rows.model, each) for number, each in enumerate(relations)}
    nested = rows.annotate(**lists)
    nested._iterable_class = type("_Nesting", (_Nesting,), {"relations": relations})
    return nested


def _name(number: int) -> str:
    return f"nested_{number}"


def _list_of(model: type[Model], nested: Nested) -> Subquery:
    *path, name = nested.relation.split("__")
    back = _field(_model_at(model, path), name)
    of_row = back.related_model._default_manager.order_by().filter(
        nested.where, **{back.field.attname: OuterRef("__".join([*path, "pk"]))}
    )
    grouped = of_row.values(back.field.attname).annotate(rows=_JsonList(JSONArray(*nested.fields)))
    return Subquery(grouped.values("rows"))


def _model_at(model: type[Model], path: Iterable[str]) -> type[Model]:
    for name in path:
        model = _field(model, name).related_model
    return model


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)


class _Nesting(ModelIterable):
    """Takes the lists off each row and puts their rows where `prefetch_related` would have put them."""

    relations: Sequence[Nested]

    def __iter__(self) -> Iterator[Model]:
        return map(self.finished, super().__iter__())

    @classmethod
    def finished(cls, row: Model) -> Model:
        """The row with its lists in their places; a prepared query asks for it too."""
        for number, nested in enumerate(cls.relations):
            _unfold(row, nested, row.__dict__.pop(_name(number)) or [])
        return row


def _unfold(row: Any, nested: Nested, lists: list[list[Any]]) -> None:
    *path, name = nested.relation.split("__")
    for step in path:
        row = getattr(row, step)
    found = getattr(row, name).get_queryset()
    found._result_cache = [_instance(found.model, nested.fields, values) for values in lists]
    found._prefetch_done = True
    row.__dict__.setdefault("_prefetched_objects_cache", {})[name] = found


def _instance(model: type[Model], fields: Sequence[str], values: Sequence[Any]) -> Model:
    own: dict[str, Any] = {}
    parents: dict[str, dict[str, Any]] = defaultdict(dict)
    for path, value in zip(fields, values, strict=True):
        parent, _, name = path.rpartition("__")
        (parents[parent] if parent else own)[name] = value
    for parent, parts in parents.items():
        own[_field(model, parent).attname] = parts["id"]
    row = _of_values(model, own)
    for parent, parts in parents.items():
        setattr(row, parent, _of_values(_field(model, parent).related_model, parts))
    return row


def _of_values(model: type[Model], values: Mapping[str, Any]) -> Model:
    names = [column.attname for column in model._meta.concrete_fields if column.attname in values]
    return model.from_db(None, names, [_value(model, name, values[name]) for name in names])


def _value(model: type[Model], name: str, value: Any) -> Any:
    """A value as the field has it; JSON knows neither moments nor keys."""
    value = _field(model, name).to_python(value)
    if isinstance(value, datetime) and is_naive(value):
        return value.replace(tzinfo=UTC)
    return value
