"""A mail server that takes everything, counts it and keeps nothing; run as a process of its own.

Lean, so that what is measured is the sender. It offers PIPELINING, 8BITMIME and SMTPUTF8, and can
take some milliseconds for every reply, as real servers do. Two commands of its own: XCOUNT tells
how many mails came and how many different Message-IDs they had, XCLEAR forgets them.
"""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.processes import die_with_parent

OFFERS = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 20000000\r\n"
END = b"\r\n.\r\n"
ID = b"\r\nmessage-id:"
REPLIES = {
    b"MAIL": b"250 2.1.0 OK\r\n",
    b"RCPT": b"250 2.1.5 OK\r\n",
    b"RSET": b"250 2.0.0 OK\r\n",
    b"NOOP": b"250 2.0.0 OK\r\n",
    b"EHLO": OFFERS,
    b"HELO": b"250 sink\r\n",
}


@dataclass
class Count:
    """What came since the last XCLEAR."""

    mails: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.ids: set[bytes] = set()


class Session(asyncio.Protocol):
    """One connection. `delay` is in seconds for each reply, one reply after the other."""

    def __init__(self, count: Count, delay: float) -> None:
        self.count, self.delay = count, delay
        self.buffer = bytearray()
        self.in_data = False
        self.out: list[bytes] = []
        self.next_reply_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply(b"220 sink ESMTP\r\n")
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer all of it in one write."""
        self.buffer += data
        while self._take():
            pass
        self._flush()

    def _take(self) -> bool:
        return self._take_mail() if self.in_data else self._take_command()

    def _take_mail(self) -> bool:
        end = self.buffer.find(END)
        if end < 0:
            return False
        mail = bytes(self.buffer[:end])
        del self.buffer[: end + len(END)]
        self.in_data = False
        self.count.mails += 1
        self.count.size += len(mail)
        start = mail[:4000].lower().find(ID)
        if start >= 0:
            self.count.ids.add(mail[start + len(ID) : mail.find(b"\r\n", start + 2)].strip())
        self._reply(b"250 2.0.0 OK\r\n")
        return True

    def _take_command(self) -> bool:
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        verb = bytes(self.buffer[:4]).upper()
        line = bytes(self.buffer[:end]).upper()
        del self.buffer[: end + 2]
        if verb == b"DATA":
            self.in_data = True
            self._reply(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._reply(b"221 2.0.0 bye\r\n")
            self._flush()
            self.transport.close()
        elif line == b"XCOUNT":
            self._reply(b"250 " + self._figures() + b"\r\n")
        elif line == b"XCLEAR":
            self.count.__init__()  # type: ignore[misc]  # all at nothing, in place
            self._reply(b"250 OK\r\n")
        else:
            self._reply(REPLIES.get(verb, b"500 5.5.1 unknown\r\n"))
        return True

    def _figures(self) -> bytes:
        figures = {"mails": self.count.mails, "ids": len(self.count.ids), "bytes": self.count.size}
        return json.dumps(figures).encode()

    def _reply(self, reply: bytes) -> None:
        if not self.delay:
            self.out.append(reply)
            return
        loop = asyncio.get_running_loop()
        self.next_reply_at = max(self.next_reply_at, loop.time()) + self.delay
        loop.call_at(self.next_reply_at, self._write, reply)

    def _flush(self) -> None:
        if self.out:
            self._write(b"".join(self.out))
            self.out.clear()

    def _write(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def serve(port: int, delay: float) -> None:
    """Take mail on loopback until the process is ended."""
    count = Count()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(count, delay), "127.0.0.1", port, backlog=200)
    print("ready", flush=True)
    await server.serve_forever()


@dataclass(frozen=True)
class Sink:
    """A running sink, seen from the outside."""

    port: int

    def figures(self) -> dict[str, int]:
        """How many mails came, how many Message-IDs they had, and how many bytes they were."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as client:
            return dict(json.loads(client.docmd("XCOUNT")[1]))

    def clear(self) -> None:
        """Forget what came."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as client:
            client.docmd("XCLEAR")


@contextmanager
def running(delay_ms: float = 0) -> Iterator[Sink]:
    """Run a sink that takes `delay_ms` milliseconds for each reply."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", str(port), str(delay_ms / 1000)],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent(os.getpid()),
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield Sink(port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
