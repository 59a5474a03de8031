"""Alive and ready: what a load balancer and an operator ask."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from portal import health
from portal.health import Finding
from portal.models import Heartbeat
from reminders.health import OLDEST_COUNT, OLDEST_OVERDUE
from tests.factories import NOW, make_reminder


@pytest.fixture
def well(db, monkeypatch):
    """A broker that answers, and jobs that ran a moment ago."""
    monkeypatch.setattr(health, "broker", lambda: Finding("broker", True, "answers"))
    for name in health.JOBS:
        Heartbeat.objects.create(name=name, beat_at=timezone.now())


def test_alive_asks_no_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready(client, well):
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["unwell"] == []


def test_a_real_broker_answers(broker):
    assert health.broker() == Finding("broker", True, "answers")


def test_a_broker_that_is_away(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert health.broker() == Finding("broker", False, "no answer")


def test_a_job_that_never_ran(client, well):
    Heartbeat.objects.filter(name="dispatch").delete()
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["unwell"] == ["dispatch_age"]
    assert answer.json()["checks"]["dispatch_age"] == "never ran"


def test_a_job_that_stopped(client, well):
    long_ago = timezone.now() - health.OLDEST_BEAT - timedelta(seconds=1)
    Heartbeat.objects.filter(name="plan").update(beat_at=long_ago)
    assert client.get("/health/ready").json()["unwell"] == ["plan_age"]


def test_a_reminder_that_does_not_go(client, well, people):
    for name in health.JOBS:
        Heartbeat.objects.filter(name=name).update(beat_at=timezone.now())
    row = make_reminder(people.episode, due_at=NOW - OLDEST_OVERDUE - timedelta(seconds=1))
    answer = client.get("/health/ready")
    assert answer.json()["unwell"] == ["oldest_overdue"]
    assert answer.json()["checks"]["oldest_overdue"] == OLDEST_OVERDUE.total_seconds() + 1
    assert str(row.pk) not in answer.text
    assert people.patient.family_name not in answer.text


def test_reminders_that_nobody_has_counted_for_an_hour(client, well):
    long_ago = timezone.now() - OLDEST_COUNT
    row = Heartbeat.objects.create(name="check_balance", beat_at=long_ago + timedelta(minutes=1))
    assert client.get("/health/ready").status_code == 200
    row.beat_at = long_ago - timedelta(seconds=1)
    row.save()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["unwell"]) == (503, ["unaccounted"])
    assert answer.json()["checks"]["unaccounted"] == "not counted lately"


def test_a_database_that_is_away(client, well, monkeypatch):
    def away(*args, **kwargs):
        raise DatabaseError("server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    asked = ["database", "plan_age", "dispatch_age", "recover_age"]
    assert answer.json()["unwell"] == [*asked, "oldest_overdue", "unaccounted", "channel"]
    assert "closed" not in answer.text
