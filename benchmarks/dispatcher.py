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

django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first

from benchmarks import crew  # noqa: E402
from benchmarks.clinic import NOW  # noqa: E402
from reminders import pipeline  # noqa: E402

statements = 0
spent: Counter[str] = Counter()
_running: list[str] = []


def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """Count a statement and let it run. One `executemany` counts once for each of its rows."""
    global statements  # noqa: PLW0603 - one number for the whole process
    statements += len(params) if many and connection.vendor == "postgresql" else 1
    return execute(sql, params, many, context)


def timed(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
    """`part`, with the seconds it takes added under `name`; what it spends in other parts is theirs."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began_at = time.perf_counter()
        outer = _running[-1] if _running else None
        _running.append(name)
        try:
            return part(*args, **kwargs)
        finally:
            _running.pop()
            took = time.perf_counter() - began_at
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


def main(most: int, *, with_parts: bool) -> None:
    """Wait for the start, dispatch until nothing is due, report."""
    if with_parts:
        time_parts()
    connection.ensure_connection()

    def job() -> int:
        with connection.execute_wrapper(count):
            return pipeline.dispatch(now=NOW, most=most).total

    crew.work(job, statements=lambda: statements, parts=lambda: dict(spent))


if __name__ == "__main__":
    main(int(sys.argv[1]), with_parts="parts" in sys.argv[2:])
