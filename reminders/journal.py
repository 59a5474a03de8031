"""What a worker is about to hand over and what became of it, noted with one `write` each.

The rows of a batch are marked when the batch is done; until then this file is what a crash leaves
behind. It survives `kill -9`, since the kernel has what was written, but no power cut. A worker
holds a lock on its own file for as long as it lives, so a file that can be locked is a dead
worker's: whoever finds it takes it over (`left_behind`). No database here, and nobody's name: a
mail is known by its Message-ID.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from django.conf import settings

from portal.mail import Answer, Outcome

SUFFIX = ".journal"
_CLAIM, _INTENT, _OUTCOME = "claim", "intent", "outcome"


def folder() -> Path:
    """Where the workers of this host keep their journals."""
    return Path(settings.VAR_DIR) / "journal"


class Journal:
    """One worker's own file. Raises OSError where it cannot be written: then nothing may be sent."""

    def __init__(self) -> None:
        folder().mkdir(parents=True, exist_ok=True)
        self._path = folder() / f"{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
        unlocked = self._path.with_suffix(".new")
        self._file = os.open(unlocked, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        # Found by others only once it is locked, or it would look like a dead worker's.
        unlocked.rename(self._path)

    def begin(self, token: str) -> None:
        """Work goes on under `token`. What was heard before stands in the database by now, and is forgotten."""
        os.ftruncate(self._file, 0)
        self._write(_CLAIM, token)

    def intend(self, message_id: str) -> None:
        """The final dot of this mail is sent next."""
        self._write(_INTENT, message_id)

    def settle(self, message_id: str, answer: Answer) -> None:
        """The server has answered."""
        self._write(_OUTCOME, message_id, answer.outcome.value, answer.response)

    def close(self) -> None:
        """Everything noted is settled in the database: the file goes."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def leave(self) -> None:
        """Something went wrong before all was settled: the file stays, for whoever comes next."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.leave()

    def _write(self, *note: str) -> None:
        line = json.dumps(note).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("The journal took half a line: is the disk full?")


@dataclass(slots=True)
class Legacy:
    """What a dead worker left: the claim it worked on, what it handed over, and what it heard."""

    token: str = ""
    in_doubt: set[str] = field(default_factory=set)
    settled: dict[str, Answer] = field(default_factory=dict)


def left_behind() -> Iterator[Legacy]:
    """Each dead worker's legacy on this host. A file goes once the caller asks for the next one.

    An exception in between leaves the file for another try. What is read twice, because a caller
    died too, has to be harmless: mark rows only from the state that the mark starts from.
    """
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if not _take(file.fileno()):
                continue
            yield _read(file.read())
            path.unlink(missing_ok=True)


def _take(file: int) -> bool:
    """Lock the file of a dead worker. Says no to a living one's, and to a file somebody else just settled."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0


def _read(content: bytes) -> Legacy:
    legacy = Legacy()
    # What stands behind the last line end is half a line: nothing was done on it.
    for line in content.split(b"\n")[:-1]:
        kind, name, *more = json.loads(line)
        if kind == _CLAIM:
            legacy = Legacy(token=name)
        elif kind == _INTENT:
            legacy.in_doubt.add(name)
            # Tried again on another connection: what was heard before is overtaken.
            legacy.settled.pop(name, None)
        else:
            outcome, response = more
            legacy.in_doubt.discard(name)
            legacy.settled[name] = Answer(Outcome(outcome), response)
    return legacy
