"""Statements that PostgreSQL plans once for a connection, where planning takes it longer than answering.

They go by `PREPARE` and `EXECUTE` in SQL, through Django's cursor, so that whoever counts or logs questions
sees them (docs/decisions/0165). Behind a pooler, which may give each transaction another of its connections,
nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError

# What calls each statement that is planned, by its SQL, for PostgreSQL's own connections as long as they live;
# None behind a pooler.
_calls: WeakKeyDictionary[Any, dict[str, str] | None] = WeakKeyDictionary()
# What PostgreSQL says where a pooler has given us another of its connections than the last time.
_ANOTHER_ONE = frozenset({"26000", "42P05"})


def is_kept(connection: Any) -> bool:
    """Whether what is planned or set on an open connection holds for as long as it lives. Raises DatabaseError."""
    return connection.vendor == "postgresql" and _calls_of(connection) is not None


def execute(connection: Any, cursor: Any, name: str, sql: str, parameters: Sequence[Any]) -> None:
    """Have `sql` answered by the plan that the connection keeps of it, under `name` in the server's log.

    It has a place for a parameter at least, and one plan must be good for any values. A plan that is missing
    is done without, from then on; within a transaction the error has to be raised nevertheless: DatabaseError.
    """
    if not is_kept(connection):
        cursor.execute(sql, parameters)
        return
    try:
        cursor.execute(_call(connection, name, sql, len(parameters)), parameters)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") not in _ANOTHER_ONE:
            raise
        _calls[connection.connection] = None
        if connection.in_atomic_block:
            raise
        cursor.execute(sql, parameters)


def _calls_of(connection: Any) -> dict[str, str] | None:
    session = connection.connection
    if session not in _calls:
        with connection.wrap_database_errors:
            (process,) = session.execute("SELECT pg_backend_pid()").fetchone()
        # A pooler such as PgBouncer makes up the number that it names when it is asked for a connection.
        _calls[session] = {} if process == session.info.backend_pid else None
    return _calls[session]


def _call(connection: Any, name: str, sql: str, places: int) -> str:
    """What calls the statement on this connection, where it is planned if it was not yet."""
    calls = _calls_of(connection)
    assert calls is not None
    if sql not in calls:
        quoted = connection.ops.quote_name(name)
        # Not by Django's cursor: this asks nothing, and is not counted among the questions.
        with connection.wrap_database_errors:
            connection.connection.execute(f"PREPARE {quoted} AS {_numbered(sql)}")
            calls[sql] = f"EXECUTE {quoted} ({', '.join(['%s'] * places)})"
            _plan(connection.connection, quoted, places)
    return calls[sql]


def _numbered(sql: str) -> str:
    """The statement with the numbered places that PREPARE wants instead of Django's."""
    number = count(1)
    return re.sub("%[s%]", lambda place: f"${next(number)}" if place[0] == "%s" else "%", sql)


def _plan(session: Any, quoted: str, places: int) -> None:
    """Have a plan made for tables that have grown, whatever their size is now.

    One that reads a small table from end to end would be kept while it fills.
    """
    settings = "SELECT current_setting('enable_seqscan'), current_setting('jit')"
    scans, compiles = session.execute(settings).fetchone()
    session.execute(
        # Or each plan would be weighed against a new one, which the server thinks cheap to make.
        "SET plan_cache_mode = force_generic_plan; "
        f"SET enable_seqscan = off; SET jit = off; EXPLAIN EXECUTE {quoted} ({', '.join(['NULL'] * places)}); "
        f"SET enable_seqscan = {scans}; SET jit = {compiles}"
    )
