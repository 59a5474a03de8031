"""Reads what mail servers send back as mails: delivery status notifications (RFC 3464) and complaints (RFC 5965).

Only reads; what a report means for people and plans is in `bounces`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message as Mail
from typing import Any, NamedTuple

from reminders.models import DeliveryReport

Kind = DeliveryReport.Kind
_KINDS = {"failed": Kind.BOUNCED, "delayed": Kind.DELAYED}
# A report that is larger is not read: it quotes at most a mail of ours.
LARGEST = 1024 * 1024


class Report(NamedTuple):
    """One thing that a mail server, or a provider, says about one mail of ours to one address.

    `message_id` is the whole field value, angle brackets included; `addresses` are all that the
    report names for the recipient, because forwarding changes them.
    """

    message_id: str
    addresses: frozenset[str]
    kind: Kind
    status: str = ""
    detail: str = ""
    source: str = "mailbox"

    @property
    def digest(self) -> str:
        """The same for the same report, however often and by whatever way it comes."""
        named = f"{self.message_id}\n{self.kind}\n{self.status}"
        return hashlib.sha256(named.encode()).hexdigest()


def reports_in(raw: bytes) -> list[Report]:
    """The reports in one mail: one for each recipient it is about; none for an ordinary mail."""
    if len(raw) > LARGEST:
        return []
    mail = message_from_bytes(raw, policy=policy.compat32)
    if mail.get_content_type() != "multipart/report":
        return []
    message_id = _original_message_id(mail)
    if not message_id:
        return []
    return [*_delivery_reports(mail, message_id), *_complaints(mail, message_id)]


def _parts(mail: Mail, *types: str) -> Iterator[Mail]:
    return (part for part in mail.walk() if part.get_content_type() in types)


def _original_message_id(mail: Mail) -> str:
    """The Message-ID of the mail that came back, from the copy or the header that the report quotes."""
    for part in _parts(mail, "message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
        quoted = _quoted(part)
        if quoted["Message-ID"]:
            return str(quoted["Message-ID"]).strip()
    return ""


def _quoted(part: Mail) -> Mail:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        return payload[0]
    raw: Any = part.get_payload(decode=True)
    return message_from_bytes(raw or b"")


def _delivery_reports(mail: Mail, message_id: str) -> Iterator[Report]:
    for part in _parts(mail, "message/delivery-status"):
        blocks: Any = part.get_payload()
        for block in blocks if isinstance(blocks, list) else []:
            kind = _KINDS.get(str(block.get("Action", "")).strip().lower())
            if kind is not None:
                yield Report(
                    message_id=message_id,
                    addresses=_addresses(block, "Final-Recipient", "Original-Recipient"),
                    kind=kind,
                    status=_first_word(block, "Status"),
                    detail=_after_type(str(block.get("Diagnostic-Code", "")))[:500],
                )


def _complaints(mail: Mail, message_id: str) -> Iterator[Report]:
    for part in _parts(mail, "message/feedback-report"):
        blocks: Any = part.get_payload()
        block = blocks[0] if isinstance(blocks, list) and blocks else part
        kind = _first_word(block, "Feedback-Type").lower()
        if kind in {"abuse", "opt-out", "opt-out-list"}:
            addresses = _addresses(block, "Original-Rcpt-To")
            yield Report(message_id, addresses, Kind.COMPLAINED, detail=kind)


def _addresses(block: Mail, *names: str) -> frozenset[str]:
    values = [_after_type(str(value)) for name in names for value in block.get_all(name, [])]
    return frozenset(value.strip("<>").lower() for value in values if "@" in value)


def _after_type(value: str) -> str:
    """What follows the type of an address or a diagnostic: `rfc822; pat@example.com` (RFC 3464 section 2.1.2)."""
    kind, sign, rest = value.partition(";")
    return " ".join((rest if sign else kind).split())


def _first_word(block: Mail, name: str) -> str:
    words = str(block.get(name, "")).split()
    return words[0][:12] if words else ""
