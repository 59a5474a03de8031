"""Each numbered system check finds what it is for, and is silent otherwise."""

import logging
import sys

import pytest
from django.core.checks import run_checks
from django.db import IntegrityError, connection

from portal.log_format import JsonLines


def found():
    """Return what our own checks of the set-up have to say."""
    everything = run_checks(include_deployment_checks=True, databases=["default"])
    return [each for each in everything if each.id.startswith("portal.")]


def ids():
    return {each.id for each in found()}


@pytest.fixture
def real_deployment(settings, db):
    settings.STEPWISE_DEMO = False
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.STAFF_SECOND_FACTOR = True
    return settings


def test_a_real_deployment_is_silent_but_for_the_journal(real_deployment):
    expected = {"portal.I001"} if connection.vendor == "sqlite" else set()

    assert ids() == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CELERY_TASK_ACKS_LATE", False, "portal.E004"),
        ("CELERY_TASK_REJECT_ON_WORKER_LOST", False, "portal.E004"),
        ("CELERY_BEAT_SCHEDULE", {"plan": {"task": "t", "schedule": 1}}, "portal.E005"),
        ("STEPWISE_DEMO", True, "portal.W001"),
        ("EMAIL_BACKEND", "portal.outbox.OutboxBackend", "portal.W002"),
        ("STAFF_SECOND_FACTOR", False, "portal.W003"),
    ],
)
def test_a_setting_that_is_wrong_is_found(real_deployment, name, value, expected):
    before = ids()
    setattr(real_deployment, name, value)

    assert ids() - before == {expected}
    assert all(each.hint for each in found())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("transaction_mode", "DEFERRED", "portal.E001"), ("timeout", 5, "portal.E002")],
)
def test_an_sqlite_option_that_is_wrong_is_found(settings, monkeypatch, option, value, expected):
    if connection.vendor != "sqlite":
        assert ids().isdisjoint({"portal.E001", "portal.E002", "portal.E003", "portal.I001"})
        return
    monkeypatch.setitem(settings.DATABASES["default"]["OPTIONS"], option, value)

    assert expected in ids()


def test_wal_below_the_repaired_version_is_an_error(settings, transactional_db):
    if connection.vendor != "sqlite":
        return
    settings.SQLITE_WAL_IS_SAFE = False
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        cursor.execute("PRAGMA journal_mode=WAL").fetchone()
        try:
            assert "portal.E003" in ids()
        finally:
            cursor.execute(f"PRAGMA journal_mode={before}").fetchone()


def test_a_log_line_holds_no_exception_text():
    try:
        raise IntegrityError("Key (email)=(pat@example.com) already exists")
    except IntegrityError:
        record = logging.LogRecord(
            "portal", logging.ERROR, __file__, 1, "Saving failed", None, sys.exc_info()
        )

    line = JsonLines().format(record)

    assert "pat@example.com" not in line
    assert '"error": "IntegrityError"' in line
    assert "test_checks.py" in line


def test_a_failed_task_is_logged_without_its_exception_text():
    arguments = {"name": "reminders.tasks.plan", "exc": "ValueError('pat@example.com')"}
    record = logging.LogRecord(
        "celery", logging.ERROR, __file__, 1, "Task %(name)s raised: %(exc)s", (arguments,), None
    )

    line = JsonLines().format(record)

    assert "pat@example.com" not in line
    assert "Task reminders.tasks.plan raised" in line
