"""One worker process of a measurement: the real pipeline, with its statements counted and its parts timed.

    python -m benchmarks.dispatcher MOST [parts]

Runs on the ground that the starting process made (benchmarks.ground).
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import psycopg

django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from benchmarks import crew  # noqa: E402
from benchmarks.clinic import NOW  # noqa: E402
from portal import smtp  # noqa: E402
from reminders import emails, pipeline  # noqa: E402
from reminders.models import Reminder  # noqa: E402

statements = 0
spent: Counter[str] = Counter()
waited: Counter[str] = Counter()
served: Counter[str] = Counter()
_own = threading.local()


def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """Count a statement and let it run. One `executemany` counts once for each of its rows."""
    global statements  # noqa: PLW0603 - one number for the whole process
    statements += len(params) if many and connection.vendor == "postgresql" else 1
    return execute(sql, params, many, context)


def count_statements(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Count the statements of a connection, whichever thread opens it."""
    connection.execute_wrappers.append(count)


def count_copies() -> None:
    """Count every COPY too, which goes past Django's own counting."""
    copy = psycopg.Cursor.copy

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        global statements  # noqa: PLW0603 - one number for the whole process
        statements += 1
        return copy(self, *args, **kwargs)

    psycopg.Cursor.copy = counted  # type: ignore[method-assign]  # to count


def database_seconds() -> float:
    """The processor seconds that PostgreSQL has spent on this connection; 0 where that cannot be seen."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return 0
    file = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return int(file.read_text().split()[0]) / 1e9 if file.exists() else 0


def moments() -> tuple[float, float, float]:
    """The clocks: this thread's processor time, the database's for it, and the wall's."""
    return time.thread_time(), database_seconds(), time.monotonic()


def timed(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
    """`part`, with the seconds it takes added under `name`: the processor's, the database's, and those by the clock.

    What it spends in other parts is theirs.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        began_at = moments()
        running = _own.__dict__.setdefault("running", [])
        outer = running[-1] if running else None
        running.append(name)
        try:
            return part(*args, **kwargs)
        finally:
            running.pop()
            for sums, before, after in zip(
                (spent, served, waited), began_at, moments(), strict=True
            ):
                sums[name] += after - before
                if outer:
                    sums[outer] -= after - before

    return run


def time_parts() -> None:
    """Put a clock on each part of the pipeline that there is."""
    from benchmarks.parts import PARTS

    for name, holder, attribute in PARTS:
        if hasattr(holder, attribute):
            setattr(holder, attribute, timed(name, getattr(holder, attribute)))


class Busy:
    """How many connections had a mail on its way, added up over the time that the run took."""

    def __init__(self) -> None:
        self.number, self.since, self.sum = 0, time.monotonic(), 0.0

    def watch(self) -> None:
        """Look whenever a connection begins a mail, ends one or is lost."""
        for name in ("_watch", "_forget"):
            setattr(smtp.SmtpSender, name, self._looking(getattr(smtp.SmtpSender, name)))

    def _looking(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def run(sender: Any, *args: Any) -> Any:
            done = act(sender, *args)
            self.note(len(sender._busy))
            return done

        return run

    def note(self, number: int) -> None:
        """From now on it is so many."""
        now = time.monotonic()
        self.sum += self.number * (now - self.since)
        self.number, self.since = number, now


def warm_up() -> None:
    """Put a few mails into words and throw them away: a worker runs for days, and is seldom cold."""
    rows = Reminder.objects.order_by("due_at").select_related(
        "recipient", "episode__patient__clinic"
    )
    pipeline._set_the_program_aside()
    writer = emails.Writer()
    for _ in range(3):
        for row in rows[:14]:
            emails.compose([row], [writer.draft(row)])


def main(most: int, *, with_parts: bool) -> None:
    """Wait for the start, dispatch until nothing is due, report."""
    if with_parts:
        time_parts()
    connection_created.connect(count_statements)
    connection.ensure_connection()
    count_copies()
    warm_up()
    busy = Busy()
    busy.watch()

    def job() -> int:
        global statements  # noqa: PLW0603 - one number for the whole process
        statements = 0
        return pipeline.dispatch(now=NOW, most=most).total

    crew.work(
        job,
        statements=lambda: statements,
        parts=lambda: dict(spent),
        served=lambda: dict(served),
        waits=lambda: dict(waited),
        busy=lambda: busy.sum,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), with_parts="parts" in sys.argv[2:])
