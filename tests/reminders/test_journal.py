"""A worker's journal: what is in it after a kill at any moment, and who takes it over."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portal.mail import Answer, Outcome
from reminders import journal
from reminders.journal import Journal, Legacy, left_behind

SENT = Answer(Outcome.SENT, "250 2.0.0 queued as “4F2A”")
REFUSED = Answer(Outcome.NO_SUCH_ADDRESS, "550 5.1.1 no\r\nsuch user")


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path) -> Path:
    """A folder of the test's own."""
    settings.VAR_DIR = tmp_path
    return tmp_path / "journal"


def die(book: Journal) -> None:
    """What the death of a worker does: its lock goes, its file stays."""
    os.close(book._file)


def test_without_a_dead_worker_there_is_nothing(own_folder):
    assert list(left_behind()) == []
    book = Journal()
    book.begin("token")
    book.intend("<1@x>")
    assert list(left_behind()) == []
    book.close()
    assert list(own_folder.iterdir()) == []


def test_a_dead_workers_notes_are_found_once():
    book = Journal()
    book.begin("token")
    for number in range(4):
        book.intend(f"<{number}@x>")
    book.settle("<0@x>", SENT)
    book.settle("<2@x>", REFUSED)
    die(book)
    assert list(left_behind()) == [
        Legacy("token", {"<1@x>", "<3@x>"}, {"<0@x>": SENT, "<2@x>": REFUSED})
    ]
    assert list(left_behind()) == []


def test_a_new_batch_forgets_the_one_before():
    book = Journal()
    book.begin("first")
    book.intend("<1@x>")
    book.settle("<1@x>", SENT)
    book.begin("second")
    book.intend("<2@x>")
    die(book)
    assert list(left_behind()) == [Legacy("second", {"<2@x>"}, {})]


def test_half_a_line_counts_as_nothing(own_folder):
    book = Journal()
    book.begin("token")
    book.intend("<1@x>")
    os.write(book._file, b'["outcome", "<1@x>", "sent"')
    die(book)
    assert list(left_behind()) == [Legacy("token", {"<1@x>"}, {})]


def test_a_mail_tried_again_is_in_doubt_again():
    book = Journal()
    book.begin("token")
    book.intend("<1@x>")
    book.settle("<1@x>", Answer(Outcome.TEMPORARY, "421 busy"))
    book.intend("<1@x>")
    die(book)
    assert list(left_behind()) == [Legacy("token", {"<1@x>"}, {})]


def test_an_error_while_taking_over_leaves_the_file(own_folder):
    book = Journal()
    book.begin("token")
    die(book)
    found = left_behind()
    next(found)
    found.close()
    assert list(left_behind()) == [Legacy("token")]


def test_two_who_find_it_do_not_both_take_it_over():
    book = Journal()
    book.begin("token")
    die(book)
    first = left_behind()
    assert next(first) == Legacy("token")
    assert list(left_behind()) == []
    assert list(first) == []


def test_one_who_waited_for_the_lock_sees_that_the_file_is_gone(own_folder, monkeypatch):
    book = Journal()
    book.begin("token")
    die(book)
    lock = journal.fcntl.flock

    def late(file: int, how: int) -> None:
        lock(file, how)
        for path in own_folder.glob("*.journal"):
            path.unlink()

    monkeypatch.setattr(journal.fcntl, "flock", late)
    assert list(left_behind()) == []


def test_a_full_disk_stops_the_sending():
    book = Journal()
    os.close(book._file)
    book._file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="space"):
        book.intend("<1@x>")
    book.close()


def test_nobody_else_may_read_it(own_folder):
    book = Journal()
    (file,) = own_folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    book.close()


CHILD = """
import os, sys
sys.path.insert(0, os.getcwd())
from django.conf import settings
settings.configure(VAR_DIR=sys.argv[1])
from portal.mail import Answer, Outcome
from reminders.journal import Journal
book = Journal()
book.begin("child")
for number in range(10**9):
    print(number, flush=True)
    book.intend(f"<{number}@x>")
    book.settle(f"<{number}@x>", Answer(Outcome.SENT, "250 OK"))
"""


@pytest.mark.parametrize("after", [1, 50, 777])
def test_kill_9_leaves_one_mail_in_doubt_at_most(own_folder, settings, after):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(settings.VAR_DIR)],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(after):
        child.stdout.readline()
    assert list(left_behind()) == []
    child.send_signal(signal.SIGKILL)
    last = int((child.communicate()[0].splitlines() or [str(after - 1)])[-1])
    (legacy,) = left_behind()
    assert legacy.token == "child"
    assert len(legacy.in_doubt) <= 1
    # Everything before the last one that was begun is known to have been sent.
    assert legacy.settled.keys() | legacy.in_doubt >= {f"<{n}@x>" for n in range(last)}
    assert set(legacy.settled.values()) == {Answer(Outcome.SENT, "250 OK")} or not legacy.settled
