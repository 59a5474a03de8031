"""One kept connection to a mail server, and the dialogue on it (RFC 5321, RFC 2920).

Knows no selectors and no clock: `portal.smtp` says when bytes may be read or written, and gives up
when a reply takes too long. A connection has one mail at a time: whether the next may go is asked
when this one is settled, and an envelope that travelled ahead would have been asked about too early.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from portal import mail as mails
from portal.mail import Answer, Mail, Outcome
from portal.mime import Address

# A server that says more than this in one reply is not a mail server.
LONGEST_REPLY = 64 * 1024
CHUNK = 64 * 1024
# What ends a mail whose last line has its end (RFC 5321 section 4.1.1.4).
FINAL_DOT = b".\r\n"


class BrokenLine(Exception):
    """The connection cannot be used any more; the text says why."""


class Step(Enum):
    """What a reply that is still to come answers."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    DOT = auto()
    EMPTY_DOT = auto()


@dataclass(slots=True)
class Job:
    """One mail on its way. `content` has its line ends and its dots as the wire wants them."""

    mail: Mail
    sender: Address
    recipient: Address
    content: bytes
    refusal: Answer | None = None
    losses: int = 0

    @property
    def needs_utf8(self) -> bool:
        """Whether an address is not ASCII."""
        return self.recipient.needs_utf8 or self.sender.needs_utf8

    @property
    def is_8bit(self) -> bool:
        """Whether the content is not ASCII."""
        return not self.content.isascii()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one mail.

    A mail that was held back was never tried, and its answer means nothing.
    """

    mail: Mail
    answer: Answer
    held_back: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply: its code and its words."""

    code: int
    words: str

    @property
    def is_good(self) -> bool:
        """Whether it grants what was asked."""
        return 200 <= self.code < 300


def on_the_wire(content: bytes) -> bytes:
    """A mail's bytes with dots doubled at the start of lines and the final dot set.

    The bytes end their lines with CR LF, and hold neither character alone (`portal.mime` sees to
    it): a lone one is where one server sees the end of a mail and another does not.
    """
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (FINAL_DOT if stuffed.endswith(b"\r\n") else b"\r\n" + FINAL_DOT)


class Line:
    """One connection. Give it a job with `begin`; what became of each stands in `settled`.

    `may_end` is asked whether a mail's content may be sent, which ends with its dot: a line that may not
    stands still until `go_on` is called. `before_dot` is called with a mail just before its final dot is
    sent, `after_reply` as soon as the server has settled one.
    """

    def __init__(
        self,
        client: smtplib.SMTP,
        before_dot: Callable[[Mail], None],
        after_reply: Callable[[Delivery], None],
        may_end: Callable[[], bool],
    ) -> None:
        assert client.sock is not None
        self.client = client
        self.sock: socket.socket = client.sock
        self.sock.setblocking(False)
        # A mail's last packet must not wait for the receipt of the one before.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.can_pipeline = client.has_extn("pipelining")
        self.knows_utf8 = client.has_extn("smtputf8")
        self.takes_8bit = client.has_extn("8bitmime")
        self._before_dot, self._after_reply, self._may_end = before_dot, after_reply, may_end
        self.settled: list[Delivery] = []
        self.job: Job | None = None
        self._expected: deque[Step] = deque()
        self._to_say: deque[tuple[Step, bytes]] = deque()
        self._out = b""
        self._inbox = b""
        self._reply_lines: list[str] = []
        self._needs_reset = False
        self._dot_is_said = False
        self.stands_still = False

    @property
    def is_in_doubt(self) -> bool:
        """Whether a mail has its dot and no answer yet."""
        return self._dot_is_said

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way here."""
        return self.job is None and not self._expected

    @property
    def has_to_write(self) -> bool:
        """Whether the kernel has not taken everything yet."""
        return bool(self._out)

    @property
    def waits_for_dot(self) -> bool:
        """Whether the next reply is the one that says whether a mail was taken."""
        return bool(self._expected) and self._expected[0] is Step.DOT

    def begin(self, job: Job) -> None:
        """Start on a mail. Raises BrokenLine."""
        self.job = job
        self._dot_is_said = self.stands_still = False
        self._say(self._envelope(job))
        self.write()

    def go_on(self) -> None:
        """Send the content that stood still, if it may go by now. Raises BrokenLine."""
        if self.stands_still and self.job is not None:
            self._say_content(self.job)
            self.write()

    def read(self) -> None:
        """Take in what came and go on with the dialogue. Raises BrokenLine; `settled` holds good even then."""
        self._receive()
        while (reply := self._next_reply()) is not None:
            if not self._expected:
                raise BrokenLine(f"{reply.code} {reply.words}")
            self._TAKERS[self._expected.popleft()](self, reply)
            if reply.code == 421:
                raise BrokenLine(f"421 {reply.words}")
            self._say([])
        self.write()

    def write(self) -> None:
        """Hand the kernel as much as it takes. Raises BrokenLine."""
        try:
            while self._out:
                self._out = self._out[self.sock.send(self._out) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise BrokenLine(f"{type(error).__name__}: {error}") from error

    def lost(self, why: str) -> Job | None:
        """Hang up, settle what a lost connection settles, or return the mail that is safe to try again."""
        job, self.job = self.job, None
        self._close()
        is_out = self._dot_is_said and not self._out
        if job is None or not (is_out or job.refusal is not None):
            return job
        words = f"connection lost after the final dot: {why}"[:500]
        self.settled.append(Delivery(job.mail, job.refusal or Answer(Outcome.IN_DOUBT, words)))
        return None

    def time_out(self) -> None:
        """The server took too long. Raises BrokenLine."""
        raise BrokenLine("no answer in time")

    def hang_up(self) -> None:
        """End the connection, with a word of farewell where nothing is on its way."""
        if self.is_idle:
            with contextlib.suppress(OSError):
                self.sock.send(b"QUIT\r\n")
        self._close()

    def _close(self) -> None:
        self.sock.close()
        self.client.close()

    # --- what is said ---

    def _envelope(self, job: Job) -> list[tuple[Step, bytes]]:
        """The commands that come before the content."""
        option = " BODY=8BITMIME" if job.is_8bit or job.needs_utf8 else ""
        if job.needs_utf8:
            option += " SMTPUTF8"
        commands = [
            (Step.MAIL, f"MAIL FROM:<{job.sender.envelope}>{option}\r\n".encode()),
            (Step.RCPT, f"RCPT TO:<{job.recipient.envelope}>\r\n".encode()),
            (Step.DATA, b"DATA\r\n"),
        ]
        if self._needs_reset:
            commands.insert(0, (Step.RSET, b"RSET\r\n"))
            self._needs_reset = False
        return commands

    def _say(self, commands: list[tuple[Step, bytes]]) -> None:
        """All at once where the server takes that, otherwise one after the other."""
        self._to_say.extend(commands)
        while self._to_say and (self.can_pipeline or not self._expected):
            step, command = self._to_say.popleft()
            self._expected.append(step)
            self._out += command

    def _say_content(self, job: Job) -> None:
        self.stands_still = not self._may_end()
        if self.stands_still:
            return
        self._before_dot(job.mail)
        self._dot_is_said = True
        self._say([(Step.DOT, job.content)])

    # --- what is heard ---

    def _receive(self) -> None:
        try:
            while True:
                chunk = self.sock.recv(CHUNK)
                if not chunk:
                    raise BrokenLine("the server hung up")
                self._inbox += chunk
                # With TLS more may wait inside the library, where no selector sees it.
                if len(self._inbox) > LONGEST_REPLY:
                    raise BrokenLine("the server says too much")
                if not isinstance(self.sock, ssl.SSLSocket):
                    return
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise BrokenLine(f"{type(error).__name__}: {error}") from error

    def _next_reply(self) -> Reply | None:
        """The next whole reply, if it is there; of several lines the last has a space after its code."""
        while (end := self._inbox.find(b"\n")) >= 0:
            line = self._inbox[:end].rstrip(b"\r").decode("utf-8", "replace")
            self._inbox = self._inbox[end + 1 :]
            if not line[:3].isdecimal():
                raise BrokenLine(f"this is no reply: {line[:100]}")
            self._reply_lines.append(line[4:].strip())
            if line[3:4] != "-":
                words = " ".join(self._reply_lines)
                self._reply_lines.clear()
                return Reply(int(line[:3]), words)
        return None

    def _take_reset(self, reply: Reply) -> None:
        """Whatever it says, the next command will show where we stand."""

    def _take_sender(self, reply: Reply) -> None:
        if not reply.is_good:
            self._refuse(smtplib.SMTPSenderRefused(reply.code, reply.words.encode(), ""))

    def _take_recipient(self, reply: Reply) -> None:
        if not reply.is_good:
            refused = {"": (reply.code, reply.words.encode())}
            self._refuse(smtplib.SMTPRecipientsRefused(refused))

    def _take_data(self, reply: Reply) -> None:
        job = self._present()
        if reply.code != 354:
            self._refuse(smtplib.SMTPDataError(reply.code, reply.words.encode()))
            self._finish_refused()
        elif job.refusal is not None:
            # The server opened a mail for nobody: end it at once (RFC 2920 section 3.1).
            self._say([(Step.EMPTY_DOT, b".\r\n")])
        else:
            self._say_content(job)

    def _take_dot(self, reply: Reply) -> None:
        if reply.is_good:
            self._finish(Answer(Outcome.SENT, f"{reply.code} {reply.words}"[:500]))
        else:
            error = smtplib.SMTPDataError(reply.code, reply.words.encode())
            self._finish(mails.answer_of(error))

    def _take_empty_dot(self, reply: Reply) -> None:
        self._finish_refused()

    _TAKERS: ClassVar[dict[Step, Callable[[Line, Reply], None]]] = {
        Step.RSET: _take_reset,
        Step.MAIL: _take_sender,
        Step.RCPT: _take_recipient,
        Step.DATA: _take_data,
        Step.DOT: _take_dot,
        Step.EMPTY_DOT: _take_empty_dot,
    }

    def _present(self) -> Job:
        if self.job is None:
            raise BrokenLine("a reply to nothing")
        return self.job

    def _refuse(self, error: smtplib.SMTPException) -> None:
        """Keep the first refusal. Commands not yet said are not said; those said are still answered."""
        job = self._present()
        job.refusal = job.refusal or mails.answer_of(error)
        if self._to_say:
            self._to_say.clear()
            self._finish_refused()

    def _finish_refused(self) -> None:
        refusal = self._present().refusal
        assert refusal is not None
        self._needs_reset = True
        self._finish(refusal)

    def _finish(self, answer: Answer) -> None:
        """The mail is settled."""
        delivery = Delivery(self._present().mail, answer)
        # Noted before the next is begun: so no more mails are open than there are connections.
        self._after_reply(delivery)
        self.settled.append(delivery)
        self.job = None
        self._dot_is_said = False
