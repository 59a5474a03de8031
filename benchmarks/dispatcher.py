"""One worker process of a measurement: the real pipeline, with its statements counted and its parts timed.

    python -m benchmarks.dispatcher MOST [parts]

Runs on the ground that the starting process made (benchmarks.ground).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import django
import psycopg

django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first

from benchmarks import crew  # noqa: E402
from benchmarks.clinic import NOW  # noqa: E402
from reminders import emails, pipeline  # noqa: E402
from reminders.models import Reminder  # noqa: E402

statements = 0
spent: Counter[str] = Counter()
_running: list[str] = []


def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """Count a statement and let it run. One `executemany` counts once for each of its rows."""
    global statements  # noqa: PLW0603 - one number for the whole process
    statements += len(params) if many and connection.vendor == "postgresql" else 1
    return execute(sql, params, many, context)


def count_copies() -> None:
    """Count every COPY too, which goes past Django's own counting."""
    copy = psycopg.Cursor.copy

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        global statements  # noqa: PLW0603 - one number for the whole process
        statements += 1
        return copy(self, *args, **kwargs)

    psycopg.Cursor.copy = counted  # type: ignore[method-assign]


def timed(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
    """`part`, with the processor seconds it takes added under `name`; what it spends in other parts is theirs."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began_at = time.process_time()
        outer = _running[-1] if _running else None
        _running.append(name)
        try:
            return part(*args, **kwargs)
        finally:
            _running.pop()
            took = time.process_time() - began_at
            spent[name] += took
            if outer:
                spent[outer] -= took

    return run


def time_parts() -> None:
    """Put a clock on each part of the pipeline that there is."""
    from benchmarks.parts import PARTS

    for name, holder, attribute in PARTS:
        if hasattr(holder, attribute):
            setattr(holder, attribute, timed(name, getattr(holder, attribute)))


def warm_up() -> None:
    """Put a few mails into words and throw them away: a worker runs for days, and is seldom cold."""
    rows = Reminder.objects.order_by("due_at").select_related(
        "recipient", "episode__patient__clinic"
    )
    pipeline._set_the_program_aside()
    writer = emails.Writer()
    for _ in range(3):
        for row in rows[:14]:
            emails.compose([row], [writer.item(row)])


def main(most: int, *, with_parts: bool) -> None:
    """Wait for the start, dispatch until nothing is due, report."""
    if with_parts:
        time_parts()
    connection.ensure_connection()
    count_copies()
    warm_up()

    def job() -> int:
        with connection.execute_wrapper(count):
            return pipeline.dispatch(now=NOW, most=most).total

    crew.work(job, statements=lambda: statements, parts=lambda: dict(spent))


if __name__ == "__main__":
    main(int(sys.argv[1]), with_parts="parts" in sys.argv[2:])
