"""Reminders flow with no broker: `manage.py dispatch_reminders`, alone and beside others."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal import heartbeat
from reminders import sweeper
from reminders.models import Reminder
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_version,
)
from tests.people import make_people
from tests.processes import end, wait_until, worker_environment


def run(*options):
    out = StringIO()
    call_command("dispatch_reminders", *options, stdout=out)
    return out.getvalue().strip()


def test_one_round_plans_recovers_and_sends(people, smtp_server, stopped_clock):
    run()
    stopped_clock.move_to(NOW + timedelta(days=3))

    said = run("--once")

    assert Reminder.objects.filter(state="sent").count() > 0
    assert (
        len(smtp_server.delivered)
        == Reminder.objects.filter(state="sent").values("message").distinct().count()
    )
    assert said.startswith("plan: 0, recover: 0, dispatch: ")


def test_it_needs_no_broker_and_counts_as_a_sign_of_life(people, settings):
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere"

    run()

    assert {name: heartbeat.age(name) for name in sweeper.JOBS} == dict.fromkeys(
        sweeper.JOBS, timedelta()
    )


def test_a_job_that_fails_keeps_the_others_from_nothing(people, monkeypatch, caplog):
    monkeypatch.setitem(sweeper.JOBS, "plan", lambda now: 1 // 0)

    with pytest.raises(CommandError, match="Failed: plan"):
        run()

    assert heartbeat.age("plan") is None
    assert heartbeat.age("dispatch") == timedelta()
    assert "the sweeper's job plan failed" in caplog.text


@pytest.mark.django_db
def test_it_ends_when_its_time_is_over():
    started = time.monotonic()

    run("--for", "1", "--pause", "0.3")

    assert 1 <= time.monotonic() - started < 10


@pytest.mark.fault
def test_it_ends_after_the_round_in_hand_when_asked(transactional_db):
    command = [
        sys.executable,
        "-W",
        "ignore",
        "manage.py",
        "dispatch_reminders",
        "--for",
        "600",
        "--pause",
        "60",
    ]
    process = subprocess.Popen(
        command, env=worker_environment(), stdout=subprocess.PIPE, start_new_session=True
    )
    wait_until(lambda: heartbeat.age("dispatch") is not None, 60, "the first round")
    os.kill(process.pid, signal.SIGTERM)

    out, _ = process.communicate(timeout=30)

    assert (process.returncode, out.decode().strip()) == (0, "plan: 0, recover: 0, dispatch: 0")


@pytest.mark.fault
def test_three_sweepers_at_once_send_each_reminder_once(transactional_db, smtp_server):
    clinic = make_clinic(sending_from="00:00", sending_until="23:59:59")
    version = make_version(clinic, {"bag": {}})
    now = timezone.now()
    for _ in range(40):
        make_reminder(
            make_episode(make_patient(clinic), version),
            due_at=now,
            valid_until=now + timedelta(days=1),
        )
    command = [
        sys.executable,
        "-W",
        "ignore",
        "manage.py",
        "dispatch_reminders",
        "--for",
        "20",
        "--pause",
        "0.1",
    ]

    sweepers = [
        subprocess.Popen(
            command, env=worker_environment(), stdout=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(3)
    ]
    try:
        wait_until(lambda: not Reminder.objects.exclude(state="sent").exists(), 120, "all mails")
    finally:
        for each in sweepers:
            end(each)

    ids = [mail.message["Message-ID"] for mail in smtp_server.delivered]
    assert (len(ids), len(set(ids))) == (40, 40)


@pytest.mark.fault
def test_a_plan_made_by_nobody_else_goes_out(transactional_db, smtp_server):
    make_people(timezone.now())

    assert run("--once").startswith("plan: 5")
