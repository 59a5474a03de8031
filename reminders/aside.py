"""One statement at a time on a database connection of its own, while the work on the main one goes on.

Only what stands alone may be done so: nothing that has to be in one transaction with what the main
connection does, and nothing that the main one holds a lock on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import DatabaseError, connection

from portal import kept_plans

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Aside:
    """A thread with a connection. Where it cannot have one, all is done on the main connection, as before."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._opening: Future[bool] | None = None

    def open(self) -> None:
        """Begin to connect. On SQLite there is one writer at a time, and in a transaction others see nothing of it."""
        if connection.vendor == "postgresql" and not connection.in_atomic_block:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
            self._opening = self._pool.submit(_connect)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection by now."""
        return self._opening is not None and self._opening.done() and self._opening.result()

    def do(self, work: Callable[[], T]) -> Future[T]:
        """Where the result will be. What is asked for first is done first."""
        assert self._pool is not None
        return self._pool.submit(work)

    def close(self) -> None:
        """Wait for what is in hand, and hang up."""
        if self._pool is not None:
            self._pool.submit(_hang_up).result()
            self._pool.shutdown()
            self._pool = self._opening = None


# Functions, since `connection` means that of the thread that names it.


def _connect() -> bool:
    try:
        connection.ensure_connection()
        _ask_by_keys()
    except DatabaseError:
        logger.warning("no further connection to the database: sending goes on with one")
        return False
    return True


def _ask_by_keys() -> None:
    """Have every row looked up in an index, as is right for single ones among many.

    A plan is kept as long as the connection. One made while a table has a page or two, as that of messages has
    in a clinic's first run, would read all of it for each mail, however many there are by then.
    """
    if kept_plans.is_kept(connection):
        with connection.cursor() as cursor:
            # A server before 18 thinks a table that has no index so dear to read that it would compile the plan.
            cursor.execute("SET enable_seqscan = off; SET jit = off")


def _hang_up() -> None:
    connection.close()
