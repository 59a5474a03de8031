"""Many rows in one statement, in the two ways for which Django has none that is fast.

New rows go to PostgreSQL by COPY. Rows that each get a value of their own are changed by one UPDATE
from arrays there, and on SQLite by one prepared UPDATE run for each row inside the library. Nothing
but the tables' own names and placeholders goes into the statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connection
from django.db.models import DateField, DurationField, Field, JSONField, Model, UUIDField

from portal.lookups import array_of_days, array_of_keys

M = TypeVar("M", bound=Model)
# So many new rows are not worth a COPY.
FEW = 5


def insert_all(model: type[M], rows: Sequence[M]) -> None:
    """Store new instances, of any number, without telling them the keys that the database gives them.

    What Django does on saving is done: defaults are in the rows already, values are prepared.
    """
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows)
    elif rows:
        fields = [
            field
            for field in model._meta.concrete_fields
            if not (field.primary_key and rows[0].pk is None)
        ]
        write = _insert if len(rows) <= FEW else _copy
        write(model, fields, _values(fields, rows))


def insert_rows(model: type[Model], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Store new rows given as values in the order of `names`, JSON and durations as the database has them."""
    if not rows:
        return
    fields = [_field(model, name) for name in names]
    if connection.vendor == "postgresql":
        _copy(model, fields, rows)
        return
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    _each(f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})', fields, rows)  # noqa: S608


def update_rows(model: type[Model], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Change stored rows: the first of `names` is the key, the others are set, each row to its own values."""
    if not rows:
        return
    key, *fields = [_field(model, name) for name in names]
    table = f'"{model._meta.db_table}"'
    if connection.vendor == "postgresql":
        _update_from_arrays(table, key, fields, rows)
        return
    sets = ", ".join(f'"{field.column}" = %s' for field in fields)
    behind = [(*values, pk) for pk, *values in rows]
    _each(f'UPDATE {table} SET {sets} WHERE "{key.column}" = %s', [*fields, key], behind)  # noqa: S608


def _update_from_arrays(
    table: str,
    key: Field[Any, Any],
    fields: Sequence[Field[Any, Any]],
    rows: Sequence[Sequence[Any]],
) -> None:
    """One UPDATE. What all rows have in common, which is most of it, stands in it once and not in an array."""
    keys, *values = zip(*rows, strict=True)
    columns = dict(zip(fields, values, strict=True))
    shared = {field: each[0] for field, each in columns.items() if each.count(each[0]) == len(each)}
    own = {
        field: array_of_days(each) if isinstance(field, DateField) else list(each)
        for field, each in columns.items()
        if field not in shared
    }
    sets = [f'"{field.column}" = %s' for field in shared]
    sets += [f'"{field.column}" = new."{field.column}"' for field in own]
    places = ", ".join(f"%s::{_array_type(field)}[]" for field in (key, *own))
    names = ", ".join(f'"{field.column}"' for field in (key, *own))
    sql = (
        f"UPDATE {table} AS row SET {', '.join(sets)} FROM unnest({places}) AS new({names}) "  # noqa: S608
        f'WHERE row."{key.column}" = new."{key.column}"'
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*shared.values(), _array(key, keys), *own.values()])


def _copy(
    model: type[Model], fields: Sequence[Field[Any, Any]], rows: Iterable[Sequence[Any]]
) -> None:
    names = ", ".join(f'"{field.column}"' for field in fields)
    sql = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def _insert(
    model: type[Model], fields: Sequence[Field[Any, Any]], rows: Iterable[Sequence[Any]]
) -> None:
    """One INSERT, which goes to the server and back once and not twice."""
    values = list(rows)
    names = ", ".join(f'"{field.column}"' for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    sql = (
        f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES {", ".join([places] * len(values))}'  # noqa: S608
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row in values for value in row])


def _each(sql: str, fields: Sequence[Field[Any, Any]], rows: Iterable[Sequence[Any]]) -> None:
    """Run one prepared statement for each row, inside the library."""
    prepared = [
        [_prepared(field, value) for field, value in zip(fields, row, strict=True)] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, prepared)


def _values(fields: Sequence[Field[Any, Any]], rows: Iterable[Model]) -> Iterator[Sequence[Any]]:
    """What stands in the instances' fields, ready for COPY: text, numbers, keys and moments are so already."""
    read = attrgetter(*(field.attname for field in fields))
    prepared = [
        (place, field)
        for place, field in enumerate(fields)
        if isinstance(field, JSONField | DurationField)
    ]
    for row in rows:
        values = list(read(row))
        for place, field in prepared:
            values[place] = _text_of(field, values[place])
        yield values


def _text_of(field: Field[Any, Any], value: Any) -> Any:
    """JSON as the text that COPY takes."""
    if isinstance(field, JSONField) and value is not None:
        return json.dumps(value, cls=field.encoder)
    return _prepared(field, value)


def update_each(
    model: type[Model],
    field: str,
    values: Mapping[Any, Any],
    *,
    also: Mapping[str, Any],
    where: Mapping[str, Any],
) -> int:
    """Set `field` to the value of each key, and what `also` says, in the rows that are as `where` says.

    Keys are primary keys, names those of fields; in `where` a tuple means one of several. Returns how many
    rows changed.
    """
    if not values:
        return 0
    column = _field(model, field)
    sets = {_field(model, name): value for name, value in also.items()}
    conditions = {
        _field(model, name): value if isinstance(value, tuple) else (value,)
        for name, value in where.items()
    }
    if connection.vendor == "postgresql":
        return _from_arrays(model, column, values, sets, conditions)
    return _one_by_one(model, column, values, sets, conditions)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    assert isinstance(field, Field)
    return field


def _prepared(field: Field[Any, Any], value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _from_arrays(
    model: type[Model],
    column: Field[Any, Any],
    values: Mapping[Any, Any],
    sets: Mapping[Field[Any, Any], Any],
    conditions: Mapping[Field[Any, Any], tuple[Any, ...]],
) -> int:
    key = model._meta.pk
    assert key is not None
    table, extra, guard = _clauses(model, sets, conditions, prefix="row.")
    sql = (
        f'UPDATE {table} AS row SET "{column.column}" = new.value{extra} '  # noqa: S608 - names of our own tables
        f"FROM unnest(%s::{key.db_type(connection)}[], %s::{_array_type(column)}[]) AS new(key, value) "
        f'WHERE row."{key.column}" = new.key{guard}'
    )
    arrays = [_array(key, values), _array(column, values.values())]
    parameters = [*_parameters(sets), *arrays, *_guards(conditions)]
    # The placeholders of SET come before those of FROM.
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def _array(column: Field[Any, Any], values: Iterable[Any]) -> Any:
    if isinstance(column, UUIDField):
        return array_of_keys(values)
    return [_prepared(column, value) for value in values]


def _one_by_one(
    model: type[Model],
    column: Field[Any, Any],
    values: Mapping[Any, Any],
    sets: Mapping[Field[Any, Any], Any],
    conditions: Mapping[Field[Any, Any], tuple[Any, ...]],
) -> int:
    key = model._meta.pk
    assert key is not None
    table, extra, guard = _clauses(model, sets, conditions)
    sql = f'UPDATE {table} SET "{column.column}" = %s{extra} WHERE "{key.column}" = %s{guard}'  # noqa: S608
    before, behind = _parameters(sets), _guards(conditions)
    rows = [
        [_prepared(column, value), *before, _prepared(key, each), *behind]
        for each, value in values.items()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)
        return int(cursor.rowcount)


def _clauses(
    model: type[Model],
    sets: Mapping[Field[Any, Any], Any],
    conditions: Mapping[Field[Any, Any], tuple[Any, ...]],
    *,
    prefix: str = "",
) -> tuple[str, str, str]:
    """The table, what else is set, and what else must hold, in SQL."""
    extra = "".join(f', "{field.column}" = %s' for field in sets)
    guard = "".join(
        f' AND {prefix}"{field.column}" IN ({", ".join(["%s"] * len(wanted))})'
        for field, wanted in conditions.items()
    )
    return f'"{model._meta.db_table}"', extra, guard


def _parameters(sets: Mapping[Field[Any, Any], Any]) -> list[Any]:
    return [_prepared(field, value) for field, value in sets.items()]


def _guards(conditions: Mapping[Field[Any, Any], tuple[Any, ...]]) -> list[Any]:
    return [_prepared(field, value) for field, wanted in conditions.items() for value in wanted]


def _array_type(column: Field[Any, Any]) -> str:
    """The column's type; of a foreign key, that of the key it points to."""
    target = getattr(column, "target_field", column)
    return str(target.db_type(connection))
