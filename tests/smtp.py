"""Fixture: a real SMTP server on loopback that keeps what it is sent and can be told to refuse."""

import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Delivery:
    """One accepted mail: who it came from and went to on the wire, and what it says."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part; "" if there is none."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part; "" if there is none."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else ""


@dataclass
class MailServer:
    """What has been delivered, in order, and what the server is to answer next.

    `rcpt_replies` and `data_replies` are used up one by one, for example "451 4.3.0 try later";
    with none left the server accepts. A mail refused is kept in `refused`.
    """

    port: int = 0
    delivered: list[Delivery] = field(default_factory=list)
    refused: list[Delivery] = field(default_factory=list)
    rcpt_replies: deque[str] = field(default_factory=deque)
    data_replies: deque[str] = field(default_factory=deque)

    @property
    def url(self) -> str:
        """Its address as EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[Delivery]:
        """Return what was delivered to an address, in order."""
        return [mail for mail in self.delivered if address in mail.recipients]

    # aiosmtpd finds its hooks by their names.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """Take or refuse one recipient."""
        reply = self.rcpt_replies.popleft() if self.rcpt_replies else "250 2.1.5 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take or refuse one mail."""
        reply = self.data_replies.popleft() if self.data_replies else "250 2.0.0 OK"
        content = envelope.original_content or b""
        mail = Delivery(str(envelope.mail_from), list(envelope.rcpt_tos), bytes(content))
        (self.delivered if reply.startswith("2") else self.refused).append(mail)
        return reply


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def smtp_server(settings) -> Iterator[MailServer]:
    """A mail server, and Django's settings pointed at it for the test."""
    server = MailServer(port=free_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    yield server
    controller.stop()
