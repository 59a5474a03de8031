"""Queries that are put into SQL once a process: conditions that stand in nearly every query, and whole queries.

Django puts a query together anew each time it is asked. On a page that asks a dozen, that took far longer
than the database's answers and the page together (docs/decisions/0133).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Expression, Field, Model, QuerySet, UUIDField, Value
from django.db.models.sql import DeleteQuery

from portal import kept_plans
from portal.lookups import array_of_keys
from portal.prepared_rows import Read, reader_of

Rows = Callable[[], QuerySet[Any, Any]]
Row = TypeVar("Row")


class Blank(Value):
    """A place in a prepared subquery for a value that is known only when it is asked."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(name, output_field)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # filled later
        """A placeholder, and this blank among the parameters."""
        return "%s", [self]

    def filled(self, value: Any, connection: Any) -> Any:
        """The parameter for `value`, as the column's own field writes it for this database."""
        return self.output_field.get_db_prep_value(value, connection=connection)


class Listed(Blank):
    """A place for a list of values, however long: for a condition such as `episode__in`."""

    def as_sqlite(  # type: ignore[override]  # filled later
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, list[Any]]:
        """The values as rows; SQLite takes a list as JSON."""
        return "(SELECT value FROM json_each(%s))", [self]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """The values as rows."""
        return f"(SELECT unnest(%s::{self.output_field.db_type(connection)}[]))", [self]

    def filled(self, value: Iterable[Any], connection: Any) -> Any:
        """The parameter for all the values together."""
        if connection.vendor == "postgresql" and isinstance(self.output_field, UUIDField):
            return array_of_keys(value)
        each = [super(Listed, self).filled(one, connection) for one in value]
        return json.dumps(each) if connection.vendor == "sqlite" else each


class Prepared(Expression):
    """The rows of `rows()`, one column, for a condition such as `patient__in`.

    `rows` is a function of a module that names a `Blank` wherever a value is to stand; `values` are
    theirs by name. It may depend on nothing else: it is called once for each kind of database. A value
    that is a `Blank` itself is left to the prepared query around it.
    """

    def __init__(self, rows: Rows, output_field: Field[Any, Any], **values: Any) -> None:
        super().__init__(output_field)
        self.rows = rows
        self.values = values

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The SQL as it was put together the first time, with the values of this time."""
        sql, parameters = _in_sql(self.rows, connection.alias, connection.vendor)
        return sql, _filled(parameters, self.values, connection)


def _filled(
    parameters: Iterable[Any], values: Mapping[str, Any], connection: Any
) -> tuple[Any, ...]:
    """The parameters with the blanks among them filled in. Raises KeyError for a value that was not given."""
    return tuple(
        _value(one, values[one.value], connection) if isinstance(one, Blank) else one
        for one in parameters
    )


def _value(blank: Blank, value: Any, connection: Any) -> Any:
    return value if isinstance(value, Blank) else blank.filled(value, connection)


@lru_cache(maxsize=64)
def _in_sql(rows: Rows, alias: str, _vendor: str) -> tuple[str, tuple[Any, ...]]:
    """The subquery in brackets, and its parameters with the blanks among them."""
    sql, parameters = rows().query.get_compiler(connection=connections[alias]).as_sql()
    return f"({sql})", tuple(parameters)


class prepared(Generic[Row]):  # noqa: N801 - a decorator
    """Makes a function that gives a query set into one that gives its rows, for the values of its blanks.

    Called with `model__in` and the like it would be the same as the query set, filtered and evaluated;
    no relation is prefetched: see `bring`.
    """

    def __init__(self, rows: Callable[[], QuerySet[Any, Row]]) -> None:
        self.rows = rows
        self.__doc__ = rows.__doc__

    def __call__(self, **values: Any) -> list[Row]:
        """Ask the database. Raises KeyError for a blank without a value."""
        connection = connections[DEFAULT_DB_ALIAS]
        made = _made(self.rows, DEFAULT_DB_ALIAS, connection.vendor)
        with connection.cursor() as cursor:
            self._ask(connection, cursor, made, _filled(made.parameters, values, connection))
            return made.read(cursor.fetchall())

    def _ask(self, connection: Any, cursor: Any, made: _Made, parameters: Sequence[Any]) -> None:
        cursor.execute(made.sql, parameters)


class planned_once(prepared[Row]):  # noqa: N801 - a decorator
    """The same for a query that takes PostgreSQL longer to plan than to answer: each connection plans it once.

    It has a blank at least, and its plan must be good for any values (`portal.kept_plans`).
    """

    def _ask(self, connection: Any, cursor: Any, made: _Made, parameters: Sequence[Any]) -> None:
        # The function's own name, so that the server's log says what was asked.
        name = f"{self.rows.__module__}.{self.rows.__qualname__}"
        kept_plans.execute(connection, cursor, name, made.sql, parameters)


class deleting:  # noqa: N801 - a decorator
    """Makes a function that gives a query set into one that deletes its rows, for the values of its blanks.

    Straight from the table: for rows on which no others hang, and of which nobody wants to hear.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.__doc__ = rows.__doc__

    def __call__(self, **values: Any) -> int:
        """Delete them, and return how many there were. Raises KeyError for a blank without a value."""
        connection = connections[DEFAULT_DB_ALIAS]
        sql, parameters = _deletion(self.rows, DEFAULT_DB_ALIAS, connection.vendor)
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(parameters, values, connection))
            return cursor.rowcount


@lru_cache(maxsize=16)
def _deletion(rows: Rows, alias: str, _vendor: str) -> tuple[str, tuple[Any, ...]]:
    query = rows().query.chain(DeleteQuery)
    sql, parameters = query.get_compiler(connection=connections[alias]).as_sql()
    return sql, tuple(parameters)


@dataclass(frozen=True, slots=True)
class _Made:
    """A query set put into SQL, and what makes its rows of the answer."""

    sql: str
    parameters: tuple[Any, ...]
    read: Read


@lru_cache(maxsize=128)
def _made(rows: Rows, alias: str, _vendor: str) -> _Made:
    found = rows()
    compiler = found.query.get_compiler(connection=connections[alias])
    sql, parameters = compiler.as_sql()
    return _Made(sql, tuple(parameters), reader_of(found, compiler, alias))


class Brought(list[Row]):
    """Related rows at hand, where a row's own manager is asked for `all()` of them, and for nothing else."""


def bring(owners: Iterable[Model], name: str, rows: Iterable[Any], key: str) -> None:
    """Hand the owners their related rows, so that `owner.name.all()` asks nothing; `key` leads back to the owner."""
    by_owner: dict[Any, Brought[Any]] = defaultdict(Brought)
    for row in rows:
        by_owner[getattr(row, key)].append(row)
    for owner in owners:
        at_hand = owner.__dict__.setdefault("_prefetched_objects_cache", {})
        at_hand[name] = by_owner.get(owner.pk, Brought())
