"""The local outbox: a mail backend that keeps every mail in the database for the browser to show."""

from __future__ import annotations

from collections.abc import Sequence

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
