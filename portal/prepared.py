"""Subqueries that are put into SQL once a process, for conditions that stand in nearly every query.

Django puts a query together anew each time it is asked. For the gate to patient data, which one page
asks for up to ten times, that took longer than the database's answer (docs/decisions/0133).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import Expression, Field, QuerySet, Value

Rows = Callable[[], QuerySet[Any, Any]]


class Blank(Value):
    """A place in a prepared subquery for a value that is known only when it is asked."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(name, output_field)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """A placeholder, and this blank among the parameters."""
        return "%s", [self]

    def filled(self, value: Any, connection: Any) -> Any:
        """The parameter for `value`, as the column's own field writes it for this database."""
        return self.output_field.get_db_prep_value(value, connection=connection)


class Prepared(Expression):
    """The rows of `rows()`, one column, for a condition such as `patient__in`.

    `rows` is a function of a module that names a `Blank` wherever a value is to stand; `values` are
    theirs by name. It may depend on nothing else: it is called once for each kind of database.
    """

    def __init__(self, rows: Rows, output_field: Field[Any, Any], **values: Any) -> None:
        super().__init__(output_field)
        self.rows = rows
        self.values = values

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The SQL as it was put together the first time, with the values of this time."""
        sql, parameters = _in_sql(self.rows, connection.alias, connection.vendor)
        values = self.values
        return sql, tuple(
            one.filled(values[one.value], connection) if isinstance(one, Blank) else one
            for one in parameters
        )


@lru_cache(maxsize=64)
def _in_sql(rows: Rows, alias: str, _vendor: str) -> tuple[str, tuple[Any, ...]]:
    """The subquery in brackets, and its parameters with the blanks among them."""
    sql, parameters = rows().query.get_compiler(connection=connections[alias]).as_sql()
    return f"({sql})", tuple(parameters)
