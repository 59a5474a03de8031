"""What a worker and a publisher do when Redis stops, stalls, or is cut off without a word."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest
import redis
from kombu.exceptions import OperationalError

from portal.celery import app
from portal.preflight import redis_program
from portal.processes import die_with_parent
from tests.processes import end, wait_until
from tests.smtp import free_port

# The broker's affair: a beat or a worker that has lost it asks the database nothing new.
pytestmark = [pytest.mark.fault, pytest.mark.once]
TASK = "celery.backend_cleanup"


@dataclass
class FragileRedis:
    """A Redis of the test's own, to be stopped, stalled and started again."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        command = [
            str(redis_program()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
        wait_until(self.answers, what="Redis")

    def answers(self):
        try:
            with redis.from_url(self.url) as client:
                return client.ping()
        except redis.ConnectionError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


class Wire:
    """A wire to a Redis that can be cut: whoever is connected is not told and hears nothing any more.

    That is what a connection is half-open for: the other side is gone, and nobody hangs up. Whoever
    connects anew gets through.
    """

    def __init__(self, to):
        self._to, self._is_cut, self._ends = to, threading.Event(), []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0"
        self._start(self._accept)

    def cut(self):
        self._is_cut.set()
        self._is_cut = threading.Event()

    def end(self):
        for each in (self._server, *self._ends):
            with contextlib.suppress(OSError):
                # Whoever waits to hear something is waked up.
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _start(self, target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                self._start(self._carry, near, far, self._is_cut)
                self._start(self._carry, far, near, self._is_cut)

    def _carry(self, source, target, is_cut):
        with contextlib.suppress(OSError):
            while heard := source.recv(65_536):
                if not is_cut.is_set():
                    target.sendall(heard)
            if not is_cut.is_set():
                target.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(fragile_redis):
    wire = Wire(fragile_redis.port)
    yield wire
    wire.end()


@pytest.fixture
def fragile_redis():
    server = FragileRedis(free_port())
    server.start()
    yield server
    server.process.send_signal(signal.SIGCONT)
    end(server.process)


def send(url):
    """Publish one task as the portal would; return the seconds it took, and whether it went."""
    started = time.monotonic()
    with app.connection_for_write(url=url) as connection:
        try:
            app.send_task(TASK, connection=connection)
        except OperationalError:
            return time.monotonic() - started, False
    return time.monotonic() - started, True


def done(worker):
    """Return how many tasks the worker has finished."""
    return worker.log.count(f"Task {TASK}") - worker.log.count("received")


def test_a_worker_comes_back_when_redis_does(start_worker, fragile_redis):
    worker = start_worker(env={"REDIS_URL": fragile_redis.url})
    assert send(fragile_redis.url)[1]
    wait_until(lambda: done(worker) == 1, what="the first task")

    fragile_redis.kill()
    time.sleep(1)
    fragile_redis.start()
    assert send(fragile_redis.url)[1]

    wait_until(lambda: done(worker) == 2, seconds=30, what="the task sent after the outage")
    assert worker.process.poll() is None


def test_a_worker_comes_back_from_a_stalled_connection(start_worker, fragile_redis):
    worker = start_worker(env={"REDIS_URL": fragile_redis.url})

    fragile_redis.process.send_signal(signal.SIGSTOP)
    time.sleep(12)
    fragile_redis.process.send_signal(signal.SIGCONT)
    wait_until(fragile_redis.answers, what="Redis")
    assert send(fragile_redis.url)[1]

    wait_until(lambda: done(worker) == 1, seconds=40, what="the task sent after the stall")


def test_a_worker_comes_back_from_a_half_open_connection(start_worker, fragile_redis, wire):
    worker = start_worker(env={"REDIS_URL": wire.url})
    assert send(fragile_redis.url)[1]
    wait_until(lambda: done(worker) == 1, what="the first task")

    wire.cut()

    def another_is_done():
        # As the beat does: one tick after the other, for Redis gives some of them to the cut wire.
        send(fragile_redis.url)
        time.sleep(1)
        return done(worker) > 1

    wait_until(another_is_done, seconds=40, what="a task sent after the cut")


def test_publishing_on_a_half_open_connection_gives_up_within_three_seconds(wire):
    with app.connection_for_write(url=wire.url) as connection:
        app.send_task(TASK, connection=connection)
        wire.cut()
        started = time.monotonic()

        with pytest.raises(OperationalError):
            app.send_task(TASK, connection=connection)

    assert time.monotonic() - started < 3


def test_publishing_gives_up_within_three_seconds(fragile_redis):
    assert send(fragile_redis.url)[1]

    fragile_redis.process.send_signal(signal.SIGSTOP)
    stalled = send(fragile_redis.url)
    fragile_redis.process.send_signal(signal.SIGCONT)
    fragile_redis.kill()
    gone = send(fragile_redis.url)

    assert [went for _seconds, went in (stalled, gone)] == [False, False]
    assert max(seconds for seconds, _went in (stalled, gone)) < 3
