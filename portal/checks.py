"""Numbered system checks of the set-up. Each has a hint; `manage.py check --deploy` runs them all."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.db import connections

from portal import translations

# Seconds another process's write is waited for, at the least.
SHORTEST_SQLITE_WAIT = 20


@register(Tags.database)
def check_sqlite(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """I001 names the journal in force; E001 and E002 find options that lose or refuse writes."""
    found: list[CheckMessage] = []
    for alias in databases or []:
        if connections[alias].vendor == "sqlite":
            found += [_journal_in_force(alias), *_sqlite_options(alias)]
    return found


def _journal_in_force(alias: str) -> CheckMessage:
    """Ask the database itself, not the settings."""
    with connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0].upper()
    version = sqlite3.sqlite_version
    if mode == "WAL" and not settings.SQLITE_WAL_IS_SAFE:
        return Error(
            f"SQLite {version} runs in WAL mode, in which it can corrupt the file.",
            hint="Stop every process that uses the file, then run `PRAGMA journal_mode=TRUNCATE`.",
            id="portal.E003",
        )
    return Info(
        f"SQLite {version} runs with the journal mode {mode}.",
        hint="WAL is used from SQLite 3.51.3 on; older ones can corrupt the file in WAL mode.",
        id="portal.I001",
    )


def _sqlite_options(alias: str) -> list[CheckMessage]:
    options = settings.DATABASES[alias].get("OPTIONS", {})
    found: list[CheckMessage] = []
    if options.get("transaction_mode") != "IMMEDIATE":
        found.append(
            Error(
                "SQLite transactions do not take the write lock when they start.",
                hint='Set "transaction_mode": "IMMEDIATE" in the OPTIONS of the database.',
                id="portal.E001",
            )
        )
    if options.get("timeout", 0) < SHORTEST_SQLITE_WAIT:
        found.append(
            Error(
                f"SQLite waits less than {SHORTEST_SQLITE_WAIT} s for another process's write.",
                hint=f'Set "timeout" to {SHORTEST_SQLITE_WAIT} or more in the OPTIONS.',
                id="portal.E002",
            )
        )
    return found


@register()
def check_worker(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E004: a killed worker would lose its task. E005: ticks would pile up in an outage."""
    found: list[CheckMessage] = []
    if not (settings.CELERY_TASK_ACKS_LATE and settings.CELERY_TASK_REJECT_ON_WORKER_LOST):
        found.append(
            Error(
                "A task is lost when the process that runs it is killed.",
                hint="Set CELERY_TASK_ACKS_LATE and CELERY_TASK_REJECT_ON_WORKER_LOST, both.",
                id="portal.E004",
            )
        )
    found += [
        Error(
            f"The periodic task {name} does not expire, so its ticks pile up in an outage.",
            hint='Give the entry of CELERY_BEAT_SCHEDULE "options": {"expires": seconds}.',
            id="portal.E005",
        )
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
        if "expires" not in entry.get("options", {})
    ]
    return found


@register(Tags.translation)
def check_translations(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """W004: pages and mails would be in English, whatever language a person chose."""
    return [
        checks.Warning(
            f"The translations of {file.parent.parent.name} are not compiled, or are out of date.",
            hint="Run `manage.py compilemessages`, then start again.",
            id="portal.W004",
        )
        for locale in settings.LOCALE_PATHS
        for file in translations.stale(locale)
    ]


@register(deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W001 to W003: what is right on one's own machine, and wrong for real patients."""
    rules = [
        (settings.STEPWISE_DEMO, "W001", "The demo is on.", "Unset STEPWISE_DEMO."),
        (
            settings.EMAIL_BACKEND == "portal.outbox.OutboxBackend",
            "W002",
            "Mail is kept here and sent to nobody.",
            "Set EMAIL_URL to a mail server, or EMAIL_BACKEND to a provider's backend.",
        ),
        (
            not settings.STAFF_SECOND_FACTOR,
            "W003",
            "Staff reach patient data without a second factor.",
            "Unset STAFF_SECOND_FACTOR.",
        ),
    ]
    return [
        checks.Warning(text, hint=hint, id=f"portal.{number}")
        for is_wrong, number, text, hint in rules
        if is_wrong
    ]
