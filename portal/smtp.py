"""Sends many mails over several kept connections at once, from one thread, and yields each outcome as it comes.

Several connections because a real server takes milliseconds for every reply; one thread because
waiting for them needs no more. How one connection talks is in `portal.wire`.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import smtplib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from portal import mail as mails
from portal.mail import Answer, Mail, Outcome
from portal.mime import address_of, to_bytes
from portal.wire import BrokenLine, Delivery, Job, Line, on_the_wire

# Mails of one process that may be in doubt at once: each connection has one at most.
MOST_CONNECTIONS = 16
# A new connection pays for itself after so many mails.
MAILS_A_CONNECTION = 4
# How much of a lease a server may take once it has the whole mail. RFC 5321 (section 4.5.3.2.6)
# asks for ten minutes; whoever gives up early sends a second copy, whoever waits too long loses the lease.
DOT_SHARE = 0.4
# Connections opened at the same time: each costs a thread while it is being opened.
AT_ONCE = 4
# Times that a mail is begun anew within one run after its connection was lost.
MOST_LOSSES = 2
# Connections lost in a row, with no mail settled in between, after which a run gives up.
MOST_BREAKS = 2 * MOST_CONNECTIONS


def _ignore(_event: object) -> None:
    """Nobody wants to know."""


def _sends_all(_mail: Mail) -> bool:
    return False


def held_back(each: Mail) -> Delivery:
    """What becomes of a mail that was not tried."""
    return Delivery(each, Answer(Outcome.TEMPORARY, ""), held_back=True)


class Sender(Protocol):
    """Hands mails to a server and says what became of each."""

    def send(
        self, mails: Sequence[Mail], *, holds_back: Callable[[Mail], bool] = _sends_all
    ) -> Iterator[Delivery]:
        """Send the mails, in about this order, and yield every outcome as it comes. Raises for no mail.

        `holds_back` is asked about each just before it is begun.
        """

    def close(self) -> None:
        """Hang up."""


def open_sender(
    *,
    before_dot: Callable[[Mail], None] = _ignore,
    after_reply: Callable[[Delivery], None] = _ignore,
) -> Sender:
    """A sender for the mail backend of the settings. Nothing is connected yet.

    `before_dot` is called with each mail at the last moment at which it is certain not to be sent,
    `after_reply` with each outcome at the first moment at which it is known: what is noted there
    survives the process.
    """
    backend = get_connection(fail_silently=False)
    if type(backend) is EmailBackend:
        return SmtpSender(before_dot=before_dot, after_reply=after_reply)
    return BackendSender(backend, before_dot=before_dot, after_reply=after_reply)


def _job(each: Mail, *, takes_8bit: bool) -> Job:
    """A mail ready for the wire. Raises ValueError for one that cannot be written."""
    sender, recipient = address_of(settings.DEFAULT_FROM_EMAIL), address_of(each.to)
    content = to_bytes(each, sender=sender, recipient=recipient, takes_8bit=takes_8bit)
    return Job(each, sender, recipient, on_the_wire(content))


class BackendSender:
    """Any mail backend of Django's: one mail after the other."""

    def __init__(
        self,
        backend: BaseEmailBackend,
        *,
        before_dot: Callable[[Mail], None] = _ignore,
        after_reply: Callable[[Delivery], None] = _ignore,
    ) -> None:
        self._backend, self._before_dot, self._after_reply = backend, before_dot, after_reply

    def send(
        self, mails_: Sequence[Mail], *, holds_back: Callable[[Mail], bool] = _sends_all
    ) -> Iterator[Delivery]:
        """Send the mails in this order."""
        for each in mails_:
            if holds_back(each):
                yield held_back(each)
                continue
            self._before_dot(each)
            delivery = Delivery(each, mails.send(each, connection=self._backend))
            self._after_reply(delivery)
            yield delivery

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()


class SmtpSender:
    """Up to `most` connections to the server of the EMAIL_* settings, opened as they are needed and kept."""

    def __init__(
        self,
        *,
        before_dot: Callable[[Mail], None] = _ignore,
        after_reply: Callable[[Delivery], None] = _ignore,
        most: int = MOST_CONNECTIONS,
        reply_timeout: float | None = None,
        dot_timeout: float | None = None,
    ) -> None:
        self._before_dot, self._after_reply, self._most = before_dot, after_reply, most
        self._reply_timeout = reply_timeout or settings.EMAIL_TIMEOUT or 60.0
        self._dot_timeout = dot_timeout or settings.LEASE_SECONDS * DOT_SHARE
        self._selector = selectors.DefaultSelector()
        self._lines: dict[Line, float] = {}
        self._queue: deque[Job] = deque()
        self._breaks = 0
        self._holds_back: Callable[[Mail], bool] = _sends_all
        # As the last server said that was spoken to; the first mails of all go in ASCII.
        self._takes_8bit = False

    def send(
        self, mails_: Sequence[Mail], *, holds_back: Callable[[Mail], bool] = _sends_all
    ) -> Iterator[Delivery]:
        """Send the mails, in about this order, and yield every outcome as it comes.

        Raises for no mail: what the network or the server does is in the answers. A caller that
        stops in between leaves nothing behind: the connections are closed.
        """
        self._holds_back = holds_back
        try:
            yield from self._queue_up(mails_)
            yield from self._run()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up, politely where nothing is on its way."""
        for line in list(self._lines):
            self._forget(line)
            line.hang_up()
        self._queue.clear()

    # --- the work of one call ---

    def _queue_up(self, mails_: Iterable[Mail]) -> Iterator[Delivery]:
        """Put every mail into bytes. One that cannot be is refused here, and holds up no other."""
        self._queue.clear()
        for each in mails_:
            try:
                job = _job(each, takes_8bit=self._takes_8bit)
            except ValueError as error:
                words = f"{type(error).__name__}: this mail cannot be written."
                yield Delivery(each, Answer(Outcome.PERMANENT, words))
            else:
                self._queue.append(job)

    def _run(self) -> Iterator[Delivery]:
        while self._queue or any(line.job for line in self._lines):
            refused = self._open_lines()
            if refused is not None:
                yield from self._answer_all(refused)
            yield from self._start_idle_lines()
            for line, act in self._wait():
                yield from self._on(line, act)

    def _start_idle_lines(self) -> Iterator[Delivery]:
        for line in [line for line in self._lines if line.is_idle]:
            if not self._queue:
                return
            job = self._queue.popleft()
            if self._holds_back(job.mail):
                yield held_back(job.mail)
                continue
            if job.is_8bit and not line.takes_8bit:
                # Another server than the one before, and an older one.
                job = _job(job.mail, takes_8bit=False)
            if job.needs_utf8 and not line.knows_utf8:
                words = "The mail server takes no addresses outside ASCII (SMTPUTF8)."
                yield Delivery(job.mail, Answer(Outcome.PERMANENT, words))
                continue
            yield from self._on(line, partial(line.begin, job))

    def _look_ahead(self) -> Job | None:
        """A mail whose envelope may travel behind another's content, unless an idle line could take it."""
        if len(self._queue) < len(self._lines):
            return None
        first = self._queue[0]
        alike = all(line.takes_8bit for line in self._lines) or not first.is_8bit
        if first.needs_utf8 or not alike or self._holds_back(first.mail):
            return None
        return self._queue.popleft()

    def _on(self, line: Line, act: Callable[[], None]) -> Iterator[Delivery]:
        """Let a line act; where that breaks it, its mails that are safe go back to the queue."""
        try:
            act()
        except BrokenLine as error:
            yield from self._break(line, str(error))
            return
        self._watch(line)
        if line.settled:
            self._breaks = 0
        yield from self._drain(line)

    def _drain(self, line: Line) -> Iterator[Delivery]:
        settled, line.settled = line.settled, []
        yield from settled

    def _break(self, line: Line, why: str) -> Iterator[Delivery]:
        self._forget(line)
        self._breaks += bool(line.job)
        for job in reversed(line.lost(why)):
            job.losses += 1
            if job.losses <= MOST_LOSSES:
                self._queue.appendleft(job)
            else:
                line.settled.append(
                    Delivery(job.mail, Answer(Outcome.TEMPORARY, f"connection lost: {why}"[:500]))
                )
        yield from self._drain(line)

    def _answer_all(self, answer: Answer) -> Iterator[Delivery]:
        """No connection can be had: every mail that still waits gets the same answer."""
        while self._queue:
            mail = self._queue.popleft().mail
            yield held_back(mail) if self._holds_back(mail) else Delivery(mail, answer)

    # --- connections ---

    def _open_lines(self) -> Answer | None:
        """Open as many connections as the queue is worth. Returns the answer if there is none at all."""
        if self._breaks > MOST_BREAKS:
            return Answer(Outcome.TEMPORARY, "The mail server drops every connection.")
        wanted = min(self._most, math.ceil(len(self._queue) / MAILS_A_CONNECTION))
        if not self._lines and wanted:
            try:
                self._add(self._connect())
            except (smtplib.SMTPException, OSError) as error:
                return mails.answer_of(error)
        if len(self._lines) < wanted:
            self._open_more(wanted - len(self._lines))
        return None

    def _open_more(self, number: int) -> None:
        """Open further connections at once. A server that wants no more of them gets no more."""
        with ThreadPoolExecutor(min(number, AT_ONCE)) as pool:
            attempts = [pool.submit(self._connect) for _ in range(number)]
        for attempt in attempts:
            error = attempt.exception()
            if error is None:
                self._add(attempt.result())
            elif isinstance(error, smtplib.SMTPException | OSError):
                self._most = max(1, len(self._lines))
            else:
                raise error

    def _connect(self) -> smtplib.SMTP:
        """A greeted, encrypted and logged-in connection, as Django's own backend makes it."""
        backend = EmailBackend(fail_silently=False)
        try:
            backend.open()
            assert isinstance(backend.connection, smtplib.SMTP)
            backend.connection.ehlo_or_helo_if_needed()
        except BaseException:
            # Django keeps a connection whose login was refused.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                backend.close()
            raise
        return backend.connection

    def _add(self, client: smtplib.SMTP) -> None:
        line = Line(client, self._before_dot, self._after_reply, self._look_ahead)
        self._lines[line] = math.inf
        self._takes_8bit = line.takes_8bit
        self._selector.register(line.sock, selectors.EVENT_READ, line)

    def _forget(self, line: Line) -> None:
        self._lines.pop(line, None)
        self._selector.unregister(line.sock)

    def _watch(self, line: Line) -> None:
        """Note until when something has to come, and ask to be told when the kernel takes more."""
        patience = self._dot_timeout if line.waits_for_dot else self._reply_timeout
        self._lines[line] = math.inf if line.is_idle else time.monotonic() + patience
        events = selectors.EVENT_READ
        if line.has_to_write:
            events |= selectors.EVENT_WRITE
        if self._selector.get_key(line.sock).events != events:
            self._selector.modify(line.sock, events, line)

    def _wait(self) -> Iterator[tuple[Line, Callable[[], None]]]:
        """Each line on which something happened, with what to do; a line silent for too long times out."""
        patience = min(self._lines.values(), default=math.inf) - time.monotonic()
        if patience == math.inf:
            return
        ready = self._selector.select(max(patience, 0))
        for key, events in ready:
            line: Line = key.data
            if line in self._lines:
                yield line, line.read if events & selectors.EVENT_READ else line.write
        if not ready:
            now = time.monotonic()
            for line in [line for line, until in self._lines.items() if until <= now]:
                yield line, line.time_out
