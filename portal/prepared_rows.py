"""The rows of a prepared query, made of what the cursor gives: the same that Django's own iterables make of it.

Which columns are which object's, and how each is read, is worked out once a query and not once a row
(docs/decisions/0157).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.query import FlatValuesListIterable, ModelIterable, ValuesListIterable
from django.db.models.signals import post_init, pre_init

Values = Sequence[Any]
Convert = Callable[[Any], Any]
Read = Callable[[Iterable[Values]], list[Any]]


def reader_of(rows: QuerySet[Any, Any], compiler: Any, alias: str) -> Read:
    """What makes the rows of a query set of what the cursor gives. `compiler` has put the query into SQL.

    Raises TypeError for rows that are neither objects nor tuples nor one column's values.
    """
    make = _maker(rows, compiler, alias)
    conversions = _conversions(compiler, alias)
    width = compiler.col_count
    if make is tuple and not conversions:
        return lambda found: [row[:width] for row in found]

    def read(found: Iterable[Values]) -> list[Any]:
        return [make(row) for row in _converted(found, conversions, width)]

    return read


def _maker(rows: QuerySet[Any, Any], compiler: Any, alias: str) -> Callable[[list[Any]], Any]:
    """What makes one row of its values. An iterable with objects of its own finishes each by `finished`."""
    iterable: Any = rows._iterable_class
    if iterable is ModelIterable:
        return _Objects(compiler, alias).make
    if hasattr(iterable, "finished"):
        objects = _Objects(compiler, alias)
        return lambda values: iterable.finished(objects.make(values))
    if iterable is ValuesListIterable:
        return tuple
    if iterable is FlatValuesListIterable:
        return itemgetter(0)
    raise TypeError(f"A prepared query gives objects or a list of values, not {iterable.__name__}.")


# --- Columns -----------------------------------------------------------------------------------


def _converted(
    found: Iterable[Values], conversions: Sequence[tuple[int, Convert]], width: int
) -> Iterator[list[Any]]:
    """The values as Python has them, without the columns that only sort."""
    for row in found:
        values = list(row[:width])
        for position, convert in conversions:
            values[position] = convert(values[position])
        yield values


def _conversions(compiler: Any, alias: str) -> list[tuple[int, Convert]]:
    """The columns that are to be converted, by their position."""
    columns = [column for column, *_rest in compiler.select[: compiler.col_count]]
    converters: Mapping[int, Any] = compiler.get_converters(columns)
    return [
        (position, _quick(found, alias) or _by_django(found, expression, alias))
        for position, (found, expression) in converters.items()
    ]


def _by_django(converters: Iterable[Any], expression: Any, alias: str) -> Convert:
    def convert(value: Any) -> Any:
        connection = connections[alias]
        for one in converters:
            value = one(value, expression, connection)
        return value

    return convert


def _quick(converters: Sequence[Any], alias: str) -> Convert | None:
    """The same in fewer steps, where SQLite's own converter is the only one."""
    connection = connections[alias]
    if len(converters) != 1 or connection.vendor != "sqlite" or connection.timezone is not UTC:
        return None
    return _QUICK.get(getattr(converters[0], "__name__", ""))


@lru_cache(maxsize=8192)
def _key(text: str | None) -> UUID | None:
    """A key. The same ones come again and again in a page's rows: of the episode, the version, the steps."""
    return None if text is None else UUID(text)


def _moment(value: str | datetime | None) -> datetime | None:
    """A moment, in UTC, as which it was written."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(value: str | date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _truth(value: Any) -> Any:
    return bool(value) if value in {1, 0} else value


# By the name of SQLite's converter in Django.
_QUICK: Mapping[str, Convert] = {
    "convert_uuidfield_value": _key,
    "convert_datetimefield_value": _moment,
    "convert_datefield_value": _day,
    "convert_booleanfield_value": _truth,
}


# --- Objects -----------------------------------------------------------------------------------


class _Objects:
    """Makes objects of one model of their columns, with the objects that they were asked for together with."""

    def __init__(self, compiler: Any, alias: str) -> None:
        self.main = _One(compiler.klass_info, compiler.select, alias)
        self.annotations = tuple(compiler.annotation_col_map.items())

    def make(self, values: list[Any]) -> Model:
        """One object."""
        row = self.main.make(values)
        for name, position in self.annotations:
            setattr(row, name, values[position])
        return row


class _One:
    """Makes the objects of one model, and below it those of its relations.

    `info` is what Django's compiler says of the model's columns in the query.
    """

    def __init__(self, info: Mapping[str, Any], select: Any, alias: str) -> None:
        if info.get("from_parent"):
            raise TypeError("A prepared query brings no children of a model with a table each.")
        fields = info["select_fields"]
        self.model: type[Model] = info["model"]
        self.alias = alias
        self.columns = slice(fields[0], fields[-1] + 1)
        self.names = [column.target.attname for column, *_rest in select[self.columns]]
        self.key = fields[0] + self.names.index(self.model._meta.pk_fields[0].attname)
        self.new = self._quick if _is_plain(self.model) else self._by_django
        self.related = [
            (_One(one, select, alias), one["local_setter"], one["remote_setter"])
            for one in info.get("related_klass_infos", ())
        ]

    def make(self, values: list[Any]) -> Model:
        """One object with its relations."""
        row = self.new(values[self.columns])
        for other, tell_row, tell_other in self.related:
            found = None if values[other.key] is None else other.make(values)
            tell_row(row, found)
            if found is not None:
                tell_other(found, row)
        return row

    def _quick(self, values: list[Any]) -> Model:
        """What `Model.__init__` comes to, for values in the order of the names."""
        row = self.model.__new__(self.model)
        row._state = state = ModelState()
        state.adding, state.db = False, self.alias
        row.__dict__.update(zip(self.names, values, strict=True))
        return row

    def _by_django(self, values: list[Any]) -> Model:
        return self.model.from_db(self.alias, self.names, values)


def _is_plain(model: type[Model]) -> bool:
    """Whether nobody wants to know of a new object, and the model makes it as Django does."""
    is_heard = pre_init.has_listeners(model) or post_init.has_listeners(model)
    made_by_django: Any = Model.from_db
    from_db: Any = model.from_db
    is_own = model.__init__ is not Model.__init__ or from_db.__func__ is not made_by_django.__func__
    return not is_heard and not is_own
