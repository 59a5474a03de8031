"""The local outbox: a mail backend that keeps every mail in the database, and what the browser shows of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMail

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from portal import clock
from portal.models import OutboxMail


class OutboxBackend(BaseEmailBackend):
    """Keeps mails instead of sending them. For the demo and for trying things out; nothing leaves the machine."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the mails and return how many there were."""
        rows = [
            OutboxMail(
                to_address=address,
                subject=message.subject[:250],
                raw=message.message().as_bytes(),
                created_at=clock.now(),
            )
            for message in email_messages
            for address in message.recipients()
        ]
        OutboxMail.objects.bulk_create(rows)
        return len(email_messages)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a mail that is a file. `number` is its place among the parts."""

    number: int
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A kept mail taken apart, as its reader's program would."""

    text: str
    html: str
    attachments: list[Attachment]
    raw: str


def open_mail(row: OutboxMail) -> Letter:
    """Take a kept mail apart (RFC 5322, RFC 2045)."""
    raw = bytes(row.raw)
    mail = message_from_bytes(raw, policy=policy.default)
    return Letter(
        text=_body(mail, "plain"),
        html=_body(mail, "html"),
        attachments=[
            _attachment(number, part)
            for number, part in enumerate(mail.walk())
            if part.is_attachment()
        ],
        raw=raw.decode("utf-8", "replace"),
    )


def _body(mail: ParsedMail, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part else ""


def _attachment(number: int, part: ParsedMail) -> Attachment:
    content = part.get_payload(decode=True)
    return Attachment(
        number=number,
        name=part.get_filename() or f"part-{number}",
        content_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
    )
