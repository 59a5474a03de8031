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
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from portal import mail as mails
from portal.mail import Answer, Mail, Outcome
from portal.mime import address_of, ready_bytes, to_bytes
from portal.wire import FINAL_DOT, BrokenLine, Delivery, Job, Line, on_the_wire

# Mails of one process that may be in doubt at once, between their final dot and the answer, and of
# which it may be asked at once whether they go.
MOST_IN_DOUBT = 16
# Connections of one process. A server that takes its time has a mail in doubt for a quarter of it.
# Two workers stay under the fifty that mail servers commonly grant to one host.
MOST_CONNECTIONS = 24
# A new connection pays for itself after so many mails.
MAILS_A_CONNECTION = 4
# How much of a lease a server may take once it has the whole mail. RFC 5321 (section 4.5.3.2.6)
# asks for ten minutes; whoever gives up early sends a second copy, whoever waits too long loses the lease.
DOT_SHARE = 0.4
# Connections opened at the same time, beside those that send: each costs a thread while it is being opened.
AT_ONCE = 4
# Times that a mail is begun anew within one run after its connection was lost.
MOST_LOSSES = 2
# Connections lost in a row, with no mail settled in between, after which a run gives up.
MOST_BREAKS = 2 * MOST_CONNECTIONS
# Mails taken from the feed ahead of the connections: enough for the time in which the next are looked for.
MOST_AHEAD = 6 * MOST_CONNECTIONS
# Mails taken from the feed before looking at the connections again: a look costs as much as a small part of a mail.
MAILS_A_STEP = 8
# Mails are begun together, since whether they may go is asked of all at once: so many are
# enough not to wait for more, and nothing waits longer for company than this, in seconds.
WAVE = 8
COMPANY = 0.004
# For how long answers to mails on the wire are waited for, in seconds, where a run ends in an error.
LAST_WORDS = 5.0

# What there is to send: a mail, or for how many seconds there is none. 0 says that there was other
# work to do and that there may be one now.
Feed = Iterable[Mail | float]
# What a selector heard of.
Events = list[tuple[selectors.SelectorKey, int]]
# Asked about the mails that are begun next; returns the Message-IDs of those that may go, or where they will be.
Boarding = Callable[[Sequence[Mail]], Collection[str] | Future[Collection[str]]]


def _ignore(_event: object) -> None:
    """Nobody wants to know."""


def _all_aboard(mails_: Sequence[Mail]) -> Collection[str]:
    return {each.message_id for each in mails_}


def _answered(answer: Collection[str] | Future[Collection[str]]) -> Collection[str]:
    """The answer itself, waited for where it is still to come."""
    return answer.result() if isinstance(answer, Future) else answer


def held_back(each: Mail) -> Delivery:
    """What becomes of a mail that was not tried."""
    return Delivery(each, Answer(Outcome.TEMPORARY, ""), held_back=True)


class Bell:
    """Rung by other threads, heard by whoever waits for the connections with a selector."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._ear, self._rope = socket.socketpair()
        self._ear.setblocking(False)
        self._rope.setblocking(False)
        self._selector = selector
        selector.register(self._ear, selectors.EVENT_READ, self)

    def ring_for(self, future: Future[Any]) -> None:
        """Be rung once something has come to its end."""
        future.add_done_callback(self._ring)

    def _ring(self, _future: Future[Any]) -> None:
        # One that is full, or gone, needs no further ring.
        with contextlib.suppress(OSError):
            self._rope.send(b"!")

    def heard(self) -> None:
        """Be still until the next ring."""
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)

    def close(self) -> None:
        """Take the bell down."""
        self._selector.unregister(self._ear)
        self._ear.close()
        self._rope.close()


@dataclass(frozen=True, slots=True)
class Question:
    """Mails that are begun as soon as it is known which of them may go."""

    jobs: Sequence[Job]
    answer: Future[Collection[str]]


class Sender(Protocol):
    """Hands mails to a server and says what became of each."""

    def send(self, feed: Feed, *, boarding: Boarding = _all_aboard) -> Iterator[Delivery]:
        """Send what the feed gives, in about this order, and yield every outcome as it comes. Raises for no mail.

        `boarding` is asked about each mail just before it is begun, for at most MOST_IN_DOUBT at a time.
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
    content = ready_bytes(each, sender=sender, recipient=recipient) if takes_8bit else None
    if content is not None:
        return Job(each, sender, recipient, content + FINAL_DOT)
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
            elif each.message_id not in _answered(boarding([each])):
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
        self._opening: set[Future[smtplib.SMTP]] = set()
        self._openers: ThreadPoolExecutor | None = None
        self._asked: Question | None = None
        self._bell: Bell | None = None
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
        stops in between leaves nothing behind: the connections are closed. What the feed or the boarding
        raises comes out, after `after_reply` was told what became of the mails on the wire.
        """
        self._queue.clear()
        self._asked = None
        self._bell = self._bell or Bell(self._selector)
        self._feed, self._boarding = iter(feed), boarding
        self._is_fed_up, self._next_at, self._taken = False, 0.0, 0
        self._alone_since, self._refusal = math.inf, None
        try:
            yield from self._run()
        except BaseException as error:
            with contextlib.closing(self):
                if isinstance(error, Exception):
                    self._hear_out()
            raise

    def close(self) -> None:
        """Hang up, politely where nothing is on its way."""
        self._await_openers()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        for line in list(self._lines):
            self._forget(line)
            line.hang_up()
        self._queue.clear()

    def _hear_out(self) -> None:
        """Begin nothing more, and wait a little for the answers that are still to come.

        A mail whose answer nobody hears goes out a second time.
        """
        for line in [line for line in self._lines if not line.is_in_doubt]:
            self._forget(line)
            line.hang_up()
        until = time.monotonic() + LAST_WORDS
        while any(line.is_in_doubt for line in self._lines) and time.monotonic() < until:
            for line, act in self._stirred(self._select(until - time.monotonic())):
                try:
                    act()
                except BrokenLine:
                    self._forget(line)
                    line.hang_up()

    # --- the work of one call ---

    def _run(self) -> Iterator[Delivery]:
        while not self._is_fed_up or self._queue or self._busy or self._asked:
            self._welcome()
            self._open_more()
            yield from self._hear_answer()
            if number := self._wave():
                yield from self._begin(number)
            for line, act in self._wait():
                yield from self._on(line, act)
            yield from self._let_go_on()
            if self._may_take:
                yield from self._take()

    @property
    def _may_take(self) -> bool:
        """Whether there is room for another mail, and its time has come."""
        has_room = len(self._queue) < MOST_AHEAD and not self._is_fed_up
        return has_room and self._next_at <= time.monotonic()

    def _take(self) -> Iterator[Delivery]:
        """Let the feed work a step, and take a few of the mails that it has ready by then."""
        for _ in range(MAILS_A_STEP):
            each = next(self._feed, None)
            if each is None:
                self._is_fed_up = True
            elif isinstance(each, Mail):
                yield from self._line_up(each)
            else:
                self._next_at = time.monotonic() + each
            if not isinstance(each, Mail) or len(self._queue) >= MOST_AHEAD:
                return

    def _line_up(self, each: Mail) -> Iterator[Delivery]:
        """Put a mail into bytes. One that cannot be is refused here, and holds up no other."""
        self._taken += 1
        try:
            self._queue.append(_job(each, takes_8bit=self._takes_8bit))
        except ValueError as error:
            words = f"{type(error).__name__}: this mail cannot be written."
            yield Delivery(each, Answer(Outcome.PERMANENT, words))

    @property
    def _wanted(self) -> int:
        """How many connections are worth having, by the mails there were so far."""
        return min(self._most, math.ceil(self._taken / MAILS_A_CONNECTION))

    def _wave(self) -> int:
        """How many mails are begun now: several together, unless they have waited for company long enough."""
        usable = min(self._wanted, len(self._lines)) or 1
        number = min(usable - len(self._busy), len(self._queue), MOST_IN_DOUBT)
        if number <= 0 or self._asked:
            self._alone_since = math.inf
            return 0
        now = time.monotonic()
        self._alone_since = min(self._alone_since, now)
        nobody_else = number == len(self._queue) and (self._is_fed_up or self._next_at > now)
        is_full = number >= min(WAVE, math.ceil(usable / 2)) or nobody_else
        return number if is_full or now >= self._alone_since + COMPANY else 0

    def _begin(self, number: int) -> Iterator[Delivery]:
        """Begin up to so many mails, those of them that may go."""
        self._alone_since = math.inf
        refused = self._see_to_a_line()
        if refused is not None:
            yield from self._answer_all(refused)
        idle = [line for line in self._lines if line not in self._busy]
        jobs = [self._queue.popleft() for _ in range(min(number, len(idle), len(self._queue)))]
        if jobs:
            yield from self._ask(jobs)

    def _ask(self, jobs: Sequence[Job]) -> Iterator[Delivery]:
        """Ask whether these may go. Where the answer is still to come, the other connections go on meanwhile."""
        answer = self._boarding([job.mail for job in jobs])
        if isinstance(answer, Future):
            self._asked = Question(jobs, answer)
            self._ring_for(answer)
        else:
            yield from self._board(jobs, answer)

    def _hear_answer(self) -> Iterator[Delivery]:
        if self._asked is not None and self._asked.answer.done():
            asked, self._asked = self._asked, None
            yield from self._board(asked.jobs, asked.answer.result())

    def _board(self, jobs: Sequence[Job], aboard: Collection[str]) -> Iterator[Delivery]:
        """Begin those that may go. For one whose connection was lost meanwhile it is asked again."""
        idle = [line for line in self._lines if line not in self._busy]
        for job in reversed(jobs):
            if job.mail.message_id not in aboard:
                yield held_back(job.mail)
            elif idle:
                yield from self._start(idle.pop(), job)
            else:
                self._queue.appendleft(job)

    def _ring_for(self, future: Future[Any]) -> None:
        if self._bell is not None:
            self._bell.ring_for(future)

    def _start(self, line: Line, job: Job) -> Iterator[Delivery]:
        if job.is_8bit and not line.takes_8bit:
            # Another server than the one before, and an older one.
            job = _job(job.mail, takes_8bit=False)
        if job.needs_utf8 and not line.knows_utf8:
            words = "The mail server takes no addresses outside ASCII (SMTPUTF8)."
            yield Delivery(job.mail, Answer(Outcome.PERMANENT, words))
            return
        yield from self._on(line, partial(line.begin, job))

    def _may_end(self) -> bool:
        """Whether one mail more may be in doubt."""
        return sum(line.is_in_doubt for line in self._lines) < MOST_IN_DOUBT

    def _let_go_on(self) -> Iterator[Delivery]:
        """Let the lines go on that stood still because too many mails were in doubt."""
        for line in [line for line in self._lines if line.stands_still]:
            yield from self._on(line, line.go_on)

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

    def _see_to_a_line(self) -> Answer | None:
        """See to it that a mail can be begun. Returns the answer if there is no connection at all."""
        if self._breaks > MOST_BREAKS:
            return Answer(Outcome.TEMPORARY, "The mail server drops every connection.")
        if not self._lines:
            self._await_openers()
        if self._lines:
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
        return None

    def _open_more(self) -> None:
        """Let further connections be opened, where there is one and mails wait, while it is at work."""
        coming = len(self._opening)
        idle = len(self._lines) - len(self._busy)
        number = min(self._wanted - len(self._lines) - coming, len(self._queue) - idle - coming)
        if not self._lines or number <= 0 or self._breaks > MOST_BREAKS:
            return
        self._openers = self._openers or ThreadPoolExecutor(AT_ONCE)
        for _ in range(number):
            attempt = self._openers.submit(self._connect)
            self._opening.add(attempt)
            self._ring_for(attempt)

    def _welcome(self) -> None:
        """Take in the connections that are open by now. A server that wants no more of them gets no more."""
        for attempt in [each for each in self._opening if each.done()]:
            self._opening.discard(attempt)
            error = attempt.exception()
            if error is None:
                self._add(attempt.result())
            elif isinstance(error, smtplib.SMTPException | OSError):
                self._most = max(1, len(self._lines))
            else:
                raise error

    def _await_openers(self) -> None:
        """Wait for the connections that are being opened, whatever becomes of them."""
        if self._openers is not None:
            self._openers.shutdown()
            self._openers = None
            self._welcome()

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
        line = Line(client, self._before_dot, self._after_reply, self._may_end)
        self._lines[line] = math.inf
        self._most = max(self._most, len(self._lines))
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
        if patience == math.inf and not self._asked:
            return
        ready = self._select(None if patience == math.inf else max(patience, 0))
        yield from self._stirred(ready)
        if not ready:
            now = time.monotonic()
            for line in [line for line, until in self._lines.items() if until <= now]:
                yield line, line.time_out

    def _stirred(self, ready: Events) -> Iterator[tuple[Line, Callable[[], None]]]:
        """The lines among what happened, each with what to do."""
        for key, events in ready:
            line = key.data
            if isinstance(line, Bell):
                line.heard()
            elif line in self._lines:
                yield line, line.read if events & selectors.EVENT_READ else line.write

    def _select(self, seconds: float | None) -> Events:
        """The connections on which something happens within so many seconds, or ever."""
        return self._selector.select(seconds)

    def _patience(self) -> float:
        """For how many seconds there is nothing to do unless a server says something."""
        if self._may_take:
            return 0
        moments = [self._alone_since + COMPANY, *self._lines.values()]
        if not self._is_fed_up and len(self._queue) < MOST_AHEAD:
            moments.append(self._next_at)
        return min(moments) - time.monotonic()
