"""What time it is. The one place that asks; in the demo the clock can stand ahead of the real one.

The demo's offset lies in a file beside its database, so that the web server, the worker and the
commands of one demo share it, and no page pays a query for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

_standing_at: ContextVar[datetime | None] = ContextVar("demo_clock_standing_at", default=None)


def now() -> datetime:
    """The current moment in UTC, moved ahead by the demo's clock where the demo is on."""
    if not settings.STEPWISE_DEMO:
        return timezone.now()
    return _standing_at.get() or timezone.now() + demo_offset()


def today() -> date:
    """The current day in UTC. For a clinic's own day, ask `now()` in the clinic's zone."""
    return now().date()


def demo_offset() -> timedelta:
    """How far the demo's clock stands ahead of the real one."""
    try:
        return timedelta(seconds=float(_offset_file().read_text()))
    except FileNotFoundError:
        return timedelta()


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at `moment` (UTC) in this thread, to play back a demo's past.

    Raises RuntimeError outside demo settings.
    """
    _refuse_outside_demo()
    token = _standing_at.set(moment)
    try:
        yield
    finally:
        _standing_at.reset(token)


def set_demo_offset(ahead_by: timedelta) -> None:
    """Set the demo's clock ahead. Raises RuntimeError outside demo settings."""
    _refuse_outside_demo()
    unfinished = _offset_file().with_suffix(f".{os.getpid()}")
    unfinished.write_text(str(ahead_by.total_seconds()))
    # In one step, so that nobody ever reads half a number.
    unfinished.replace(_offset_file())


def _refuse_outside_demo() -> None:
    if not settings.STEPWISE_DEMO:
        raise RuntimeError("The clock can be moved in demo settings only (STEPWISE_DEMO=1).")


def _offset_file() -> Path:
    return Path(settings.VAR_DIR) / "demo-clock"
