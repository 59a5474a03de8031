"""A handful of processes that live and die together: started in order, ended in reverse.

What each of them is and does is not known here (portal.management.commands.run says that).
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

# Seconds a process gets to end by itself; a worker finishes the mail it is sending.
GRACE = 10.0
# Seconds between two looks at whether all are alive.
WATCH_EVERY = 0.2
# From Linux's <sys/prctl.h>.
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Member:
    """A started process and the name a person knows it by."""

    name: str
    process: subprocess.Popen[bytes]

    def is_running(self) -> bool:
        """Tell whether the process has not ended yet."""
        return self.process.poll() is None


class MemberDiedError(Exception):
    """One process ended although nobody asked it to; the text says which, and how."""


def die_with_parent(parent: int) -> Callable[[], None]:
    """Return what a child runs before its program, so that it never outlives `parent`.

    Linux sends the signal even when the parent is killed hard. Elsewhere the child stays.
    """
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork, as the child must not

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return prepare


class ProcessGroup:
    """Starts processes, watches them, and ends them all when one ends or a signal comes."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.is_stopping = False

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Member:
        """Start a process in a session of its own, so that Ctrl-C reaches this one only.

        Must be called on the main thread: the kernel ties the child's life to the thread.
        """
        process = subprocess.Popen(  # noqa: S603  (the commands are ours)
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509  (no other thread runs)
        )
        member = Member(name, process)
        self.members.append(member)
        return member

    def wait_until(self, is_ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something is ready.

        Raises MemberDiedError if a process ends first, TimeoutError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.is_stopping and not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"The {what} did not answer within {seconds:.0f} seconds.")
            time.sleep(WATCH_EVERY)

    def watch(self) -> None:
        """Return when a signal asked for the end. Raises MemberDiedError if a process ends."""
        while not self.is_stopping:
            self.check()
            time.sleep(WATCH_EVERY)

    def check(self) -> None:
        """Raise MemberDiedError if any process has ended."""
        for member in self.members:
            if not member.is_running() and not self.is_stopping:
                code = member.process.returncode
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise MemberDiedError(f"The {member.name} has ended by itself ({how}).")

    def stop(self) -> None:
        """End every process, the last started first; what does not end in time is killed."""
        self.is_stopping = True
        for member in reversed(self.members):
            if member.is_running():
                member.process.terminate()
                self._wait_for(member)
            self._kill_remains(member)

    def _wait_for(self, member: Member) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            member.process.wait(GRACE)

    def _kill_remains(self, member: Member) -> None:
        """Kill what is left of the process's own session, its children included."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(member.process.pid, signal.SIGKILL)
        member.process.wait()

    @contextlib.contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into an orderly end, and end everything on the way out."""

        def ask(_signal: int, _frame: FrameType | None) -> None:
            self.is_stopping = True

        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, ask) for number in wanted}
        try:
            yield
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
