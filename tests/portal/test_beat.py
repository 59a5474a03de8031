"""One beat ticks at a time, shown with two real ones; a second takes over, and two at once do no harm."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.beat import LOCK, OneBeat
from portal.celery import app
from portal.processes import die_with_parent
from tests.processes import end, wait_until, worker_environment

# The broker's affair: a beat or a worker that has lost it asks the database nothing new.
pytestmark = [pytest.mark.fault, pytest.mark.once]
QUEUE = "stepwise"


@pytest.fixture
def start_beat(transactional_db, broker, tmp_path):
    """`start_beat()` starts a real beat that ticks twice a second and whose lock runs out after two."""
    started = []
    settings_file = tmp_path / "fast_beat.py"
    settings_file.write_text(
        "from tests.settings import *\n"
        "from portal.settings import tick\n"
        "CELERY_BEAT_SCHEDULE = {'dispatch': tick('reminders.tasks.dispatch', 1)}\n"
        "BEAT_LOCK_SECONDS = 2\n"
    )

    def start():
        number = len(started)
        env = worker_environment()
        env |= {
            "DJANGO_SETTINGS_MODULE": "fast_beat",
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}",
        }
        command = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "portal", "beat"]
        command += [
            "--pidfile=",
            "--schedule",
            str(tmp_path / f"beat-{number}"),
            "--loglevel",
            "INFO",
        ]
        with (tmp_path / f"beat-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=env, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def logs(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob("beat-*.log"))]


def ticks(folder):
    return [log.count("Sending due task dispatch") for log in logs(folder)]


def test_of_two_beats_one_ticks(start_beat, broker, tmp_path):
    start_beat()
    start_beat()
    wait_until(lambda: sum(ticks(tmp_path)) >= 2, 60, "the first ticks")
    before, started = sum(ticks(tmp_path)), time.monotonic()
    time.sleep(8)

    number = sum(ticks(tmp_path)) - before
    seconds = time.monotonic() - started

    assert min(ticks(tmp_path)) == 0
    assert 2 <= number <= seconds + 2
    assert sum("this beat leads now" in log for log in logs(tmp_path)) == 1


def test_the_other_takes_over_from_a_killed_beat(start_beat, broker, tmp_path):
    first = start_beat()
    wait_until(lambda: ticks(tmp_path)[0] >= 1, 60, "the first tick")
    start_beat()
    wait_until(lambda: "beat: Starting" in logs(tmp_path)[1], 60, "the second beat")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()

    wait_until(lambda: ticks(tmp_path)[1] >= 2, 30, "the second to tick")


def test_a_beat_gives_its_lock_back_when_it_ends(start_beat, broker, tmp_path):
    beat = start_beat()
    wait_until(lambda: broker.get(LOCK), 60, "the lock")
    beat.terminate()
    beat.wait(30)

    assert broker.get(LOCK) is None


def test_after_the_broker_forgot_everything_one_leads_again(start_beat, broker, tmp_path):
    start_beat()
    start_beat()
    wait_until(lambda: sum(ticks(tmp_path)) >= 1, 60, "the first tick")
    for _ in range(3):
        broker.flushall()
        time.sleep(0.7)
    before = ticks(tmp_path)
    time.sleep(5)

    after = ticks(tmp_path)
    assert sorted(late - early > 0 for early, late in zip(before, after, strict=True)) == [
        False,
        True,
    ]


def test_without_a_broker_nobody_leads(settings, tmp_path):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    beat = OneBeat(app, schedule_filename=str(tmp_path / "schedule"), lazy=True)

    assert beat.tick() == settings.BEAT_LOCK_SECONDS / 4
