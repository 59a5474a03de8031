"""Is the portal alive, and do reminders flow? Each check says how it is, without any personal data.

What concerns an app further up comes in from `portal.urls`, which alone knows all apps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NamedTuple

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from portal import heartbeat

# Seconds the broker is given; a probe must never hang.
BROKER_PATIENCE = 1
JOBS = ("plan", "dispatch", "recover")
# Several missed ticks, not one: a tick can be late behind a long batch.
OLDEST_BEAT = timedelta(minutes=5)


class Finding(NamedTuple):
    """What one check found: its name, whether that is well, and a word or a number of seconds."""

    name: str
    is_well: bool
    value: str | int | None


Check = Callable[[], Finding]


def database() -> Finding:
    """Whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Finding("database", False, "no answer")
    return Finding("database", True, "answers")


def broker() -> Finding:
    """Whether the broker answers within a second."""
    patience = {"socket_timeout": BROKER_PATIENCE, "socket_connect_timeout": BROKER_PATIENCE}
    try:
        with redis.from_url(settings.REDIS_URL, **patience) as client:
            client.ping()
    except (RedisError, OSError):
        return Finding("broker", False, "no answer")
    return Finding("broker", True, "answers")


def beat(name: str) -> Finding:
    """How many seconds ago one of the recurring jobs last ran to its end."""
    label = f"{name}_age"
    try:
        age = heartbeat.age(name)
    except DatabaseError:
        return Finding(label, False, "unknown")
    if age is None:
        return Finding(label, False, "never ran")
    return Finding(label, age <= OLDEST_BEAT, int(age.total_seconds()))


def findings(further: Iterable[Check] = ()) -> list[Finding]:
    """Everything that is looked at, in order."""
    return [database(), broker(), *(beat(name) for name in JOBS), *(check() for check in further)]
