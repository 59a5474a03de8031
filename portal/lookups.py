"""One lookup that Django does not have: rows by hundreds of keys at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, ForeignObject, Lookup, UUIDField
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

Sql = tuple[str, list[Any]]


class Among(Lookup):
    """`…__among=values`: the rows of `…__in=values`, with all values in one parameter on PostgreSQL.

    Django prepares each value by itself and writes it into the statement: two hundred keys cost more than
    what is asked about them. Values alone, no expressions; without any there is no row, and no query.
    """

    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        """The values as they are."""
        return list(self.rhs)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        """As Django has it."""
        return In(self.lhs, self.rhs).as_sql(compiler, connection)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """One array."""
        if not self.rhs:
            raise EmptyResultSet
        field = getattr(self.lhs.output_field, "target_field", self.lhs.output_field)
        left, parameters = self.process_lhs(compiler, connection)
        values = array_of_keys(self.rhs) if isinstance(field, UUIDField) else self.rhs
        return f"{left} = ANY(%s::{field.db_type(connection)}[])", [*parameters, values]


def array_of_keys(keys: Iterable[UUID]) -> str:
    """Keys as PostgreSQL writes an array of them: in one go, and not each by itself."""
    return "{" + ",".join([key.hex for key in keys]) + "}"


def array_of_days(days: Iterable[date | None]) -> str:
    """Days, or moments with their zone, as PostgreSQL writes an array of them."""
    return "{" + ",".join(["NULL" if day is None else f'"{day.isoformat()}"' for day in days]) + "}"


def register() -> None:
    """Let every field be asked so, foreign keys too, which do not inherit it."""
    Field.register_lookup(Among)
    ForeignObject.register_lookup(Among)
