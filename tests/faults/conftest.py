"""Fixtures and sizes of the fault tests. `make faults` runs them at full size.

FAULTS=full asks for that; FAULTS_MAILS, FAULTS_KILLS and FAULTS_INTERLEAVINGS set these alone, and
FAULTS_STORY the number of the first story of the interleavings: many can be told in parts.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from tests.faults.scene import Crowd, FaultyServer

FIGURES: list[str] = []


@dataclass(frozen=True)
class Size:
    """How much of everything. Seconds are those that everything may take to drain."""

    mails: int = 60
    kills: int = 4
    flushes: int = 3
    beats: int = 2
    sweepers: int = 2
    workers: int = 2
    interleavings: int = 40
    first_story: int = 0
    seconds: float = 150


FULL = Size(
    mails=10_000, kills=200, flushes=20, beats=3, sweepers=3, workers=4,
    interleavings=10_000, seconds=3600,
)  # fmt: skip


@pytest.fixture(scope="session")
def size() -> Size:
    """Small, or full where it was asked for."""
    size = FULL if os.environ.get("FAULTS") == "full" else Size()
    mails = int(os.environ.get("FAULTS_MAILS", size.mails))
    kills = int(os.environ.get("FAULTS_KILLS", size.kills))
    orders = int(os.environ.get("FAULTS_INTERLEAVINGS", size.interleavings))
    story = int(os.environ.get("FAULTS_STORY", size.first_story))
    seconds = max(size.seconds, mails / 2)
    return replace(
        size, mails=mails, kills=kills, interleavings=orders, first_story=story, seconds=seconds
    )


@pytest.fixture
def server(settings) -> Iterator[FaultyServer]:
    """A mail server whose faults the test sets, and Django's settings pointed at it."""
    server = FaultyServer()
    server.listen()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    yield server
    server.shut()


@pytest.fixture
def crowd(transactional_db, server, tmp_path) -> Iterator[Crowd]:
    """Workers, beats and sweepers, on the test's database, broker and mail server."""
    crowd = Crowd(tmp_path)
    yield crowd
    crowd.end()


@pytest.fixture
def note(request) -> Callable[[object], None]:
    """`note(figures)` keeps what a test measured for the end of the run."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    return lambda figures: FIGURES.append(f"{name}: {figures}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    for line in FIGURES:
        terminalreporter.write_line(f"figures: {line}")
