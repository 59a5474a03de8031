"""Sends many mails over several kept connections at once, from one thread, and yields each outcome as it comes.

Several connections because a real server takes milliseconds for every reply; one thread because
waiting for them needs no more, and because the next mails can be made while it waits: the sender
takes them from a feed, one step at a time, between one reply and the next. How one connection
talks is in `portal.wire`.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import smtplib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
# Mails taken from the feed ahead of the connections.
MOST_AHEAD = 2 * MOST_CONNECTIONS
# Mails are begun together, since whether they may go is asked of all at once: so many are
# enough not to wait for more, and nothing waits longer for company than this, in seconds.
WAVE = 8
COMPANY = 0.004

# What there is to send: a mail, or for how many seconds there is none. 0 says that there was other
# work to do and that there may be one now.
Feed = Iterable[Mail | float]
# Asked about the mails that are begun next; returns the Message-IDs of those that may go.
Boarding = Callable[[Sequence[Mail]], Collection[str]]


def _ignore(_event: object) -> None:
    """Nobody wants to know."""


def _all_aboard(mails_: Sequence[Mail]) -> Collection[str]:
    return {each.message_id for each in mails_}


def held_back(each: Mail) -> Delivery:
    """What becomes of a mail that was not tried."""
    return Delivery(each, Answer(Outcome.TEMPORARY, ""), held_back=True)


class Sender(Protocol):
    """Hands mails to a server and says what became of each."""

    def send(self, feed: Feed, *, boarding: Boarding = _all_aboard) -> Iterator[Delivery]:
        """Send what the feed gives, in about this order, and yield every outcome as it comes. Raises for no mail.

        `boarding` is asked about each mail just before it is begun, for at most MOST_CONNECTIONS at a time.
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

    def send(self, feed: Feed, *, boarding: Boarding = _all_aboard) -> Iterator[Delivery]:
        """Send the mails in this order."""
        for each in feed:
            if not isinstance(each, Mail):
                time.sleep(each)
            elif each.message_id not in boarding([each]):
                yield held_back(each)
            else:
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
        self._busy: set[Line] = set()
        self._queue: deque[Job] = deque()
        self._breaks = 0
        self._feed: Iterator[Mail | float] = iter(())
        self._boarding: Boarding = _all_aboard
        self._is_fed_up = True
        self._next_at = 0.0
        self._taken = 0
        self._alone_since = math.inf
        self._refusal: tuple[float, Answer] | None = None
        # As the last server said that was spoken to; the first mails of all go in ASCII.
        self._takes_8bit = False

    def send(self, feed: Feed, *, boarding: Boarding = _all_aboard) -> Iterator[Delivery]:
        """Send what the feed gives, in about this order, and yield every outcome as it comes.

        Raises for no mail: what the network or the server does is in the answers. A caller that
        stops in between leaves nothing behind: the connections are closed.
        """
        self._queue.clear()
        self._feed, self._boarding = iter(feed), boarding
        self._is_fed_up, self._next_at, self._taken = False, 0.0, 0
        self._alone_since, self._refusal = math.inf, None
        try:
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

    def _run(self) -> Iterator[Delivery]:
        while not self._is_fed_up or self._queue or self._busy:
            if number := self._wave():
                yield from self._begin(number)
            for line, act in self._wait():
                yield from self._on(line, act)
            if self._may_take:
                yield from self._take()

    @property
    def _may_take(self) -> bool:
        """Whether there is room for another mail, and its time has come."""
        has_room = len(self._queue) < MOST_AHEAD and not self._is_fed_up
        return has_room and self._next_at <= time.monotonic()

    def _take(self) -> Iterator[Delivery]:
        """Let the feed work a step. A mail that cannot be put into bytes is refused here, and holds up no other."""
        each = next(self._feed, None)
        if each is None:
            self._is_fed_up = True
        elif not isinstance(each, Mail):
            self._next_at = time.monotonic() + each
        else:
            self._taken += 1
            try:
                self._queue.append(_job(each, takes_8bit=self._takes_8bit))
            except ValueError as error:
                words = f"{type(error).__name__}: this mail cannot be written."
                yield Delivery(each, Answer(Outcome.PERMANENT, words))

    def _wave(self) -> int:
        """How many mails are begun now: several together, unless they have waited for company long enough."""
        wanted = min(self._most, math.ceil(self._taken / MAILS_A_CONNECTION))
        number = min(wanted - len(self._busy), len(self._queue))
        if number <= 0:
            self._alone_since = math.inf
            return 0
        now = time.monotonic()
        self._alone_since = min(self._alone_since, now)
        nobody_else = number == len(self._queue) and (self._is_fed_up or self._next_at > now)
        is_full = number >= min(WAVE, math.ceil(wanted / 2)) or nobody_else
        return number if is_full or now >= self._alone_since + COMPANY else 0

    def _begin(self, number: int) -> Iterator[Delivery]:
        """Begin up to so many mails, those of them that may go."""
        self._alone_since = math.inf
        refused = self._open_lines(number)
        if refused is not None:
            yield from self._answer_all(refused)
        idle = [line for line in self._lines if line not in self._busy]
        jobs = [self._queue.popleft() for _ in range(min(number, len(idle), len(self._queue)))]
        aboard = self._boarding([job.mail for job in jobs]) if jobs else ()
        for line, job in zip(idle, jobs, strict=False):
            if job.mail.message_id in aboard:
                yield from self._start(line, job)
            else:
                yield held_back(job.mail)

    def _start(self, line: Line, job: Job) -> Iterator[Delivery]:
        if job.is_8bit and not line.takes_8bit:
            # Another server than the one before, and an older one.
            job = _job(job.mail, takes_8bit=False)
        if job.needs_utf8 and not line.knows_utf8:
            words = "The mail server takes no addresses outside ASCII (SMTPUTF8)."
            yield Delivery(job.mail, Answer(Outcome.PERMANENT, words))
            return
        yield from self._on(line, partial(line.begin, job))

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
        job = line.lost(why)
        if job is not None:
            job.losses += 1
            if job.losses <= MOST_LOSSES:
                self._queue.appendleft(job)
            else:
                answer = Answer(Outcome.TEMPORARY, f"connection lost: {why}"[:500])
                line.settled.append(Delivery(job.mail, answer))
        yield from self._drain(line)

    def _answer_all(self, answer: Answer) -> Iterator[Delivery]:
        """No connection can be had: every mail that waits gets the same answer. A refused login says it once."""
        while self._queue:
            yield Delivery(self._queue.popleft().mail, answer)
            if answer.outcome is Outcome.CHANNEL_REFUSED:
                break
        while self._queue and answer.outcome is Outcome.CHANNEL_REFUSED:
            yield held_back(self._queue.popleft().mail)

    # --- connections ---

    def _open_lines(self, number: int) -> Answer | None:
        """See to it that so many mails can be begun. Returns the answer if there is no connection at all."""
        if self._breaks > MOST_BREAKS:
            return Answer(Outcome.TEMPORARY, "The mail server drops every connection.")
        if self._lines:
            wanted = number - len(self._lines) + len(self._busy)
            if wanted > 0 and len(self._lines) < self._most:
                self._open_more(min(wanted, self._most - len(self._lines)))
            return None
        if self._refusal is not None and time.monotonic() < self._refusal[0]:
            return self._refusal[1]
        try:
            self._add(self._connect())
        except (smtplib.SMTPException, OSError) as error:
            answer = mails.answer_of(error)
            # The mails that are ready next need not wait for the same refusal.
            self._refusal = time.monotonic() + self._reply_timeout, answer
            return answer
        if number > 1 and self._most > 1:
            self._open_more(min(number, self._most) - 1)
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
        line = Line(client, self._before_dot, self._after_reply)
        self._lines[line] = math.inf
        self._takes_8bit = line.takes_8bit
        self._selector.register(line.sock, selectors.EVENT_READ, line)

    def _forget(self, line: Line) -> None:
        self._lines.pop(line, None)
        self._busy.discard(line)
        self._selector.unregister(line.sock)

    def _watch(self, line: Line) -> None:
        """Note until when something has to come, and ask to be told when the kernel takes more."""
        patience = self._dot_timeout if line.waits_for_dot else self._reply_timeout
        self._lines[line] = math.inf if line.is_idle else time.monotonic() + patience
        (self._busy.discard if line.is_idle else self._busy.add)(line)
        events = selectors.EVENT_READ
        if line.has_to_write:
            events |= selectors.EVENT_WRITE
        if self._selector.get_key(line.sock).events != events:
            self._selector.modify(line.sock, events, line)

    def _wait(self) -> Iterator[tuple[Line, Callable[[], None]]]:
        """Each line on which something happened, with what to do; a line silent for too long times out."""
        patience = self._patience()
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

    def _patience(self) -> float:
        """For how many seconds there is nothing to do unless a server says something."""
        if self._may_take:
            return 0
        moments = [self._alone_since + COMPANY, *self._lines.values()]
        if not self._is_fed_up and len(self._queue) < MOST_AHEAD:
            moments.append(self._next_at)
        return min(moments) - time.monotonic()
