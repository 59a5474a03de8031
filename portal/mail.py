"""The one function that sends mail, and what a mail server's answer means."""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import make_msgid

from portal import clock

ACCEPTED = "250 accepted"
# Login needed, refused or not to be had, and TLS not to be had (RFC 4954 section 6, RFC 3207 section 4).
_CHANNEL_CODES = frozenset({454, 530, 534, 535, 538})
# The address does not exist, its domain does not, it is not one, or it has moved away or takes no mail
# (RFC 3463 section 3.2, RFC 7505). 5.1.7 and 5.1.8 are about the sender: about us. 5.1.0 can be about either:
# were it us, every address would be closed.
_NO_SUCH_ADDRESS = re.compile(r"5\.1\.(1|2|3|6|10)(?![0-9])")
# Refusals of our server or our sender's address: they would refuse any mail, and say nothing about this one.
_BEFORE_THE_MAIL = (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPSenderRefused)
# The one thing a server may have against a mail that it has only heard the size of (RFC 1870).
_TOO_BIG = 552
_CALENDAR_METHOD = re.compile(r"^METHOD:([A-Z]+)\r?$", re.MULTILINE)
# What a provider's interface answers to a wrong key.
_KEY_REFUSED = frozenset({401, 403})


def message_id_domain() -> str:
    """The right-hand side of our Message-IDs: the host that patients know the portal by."""
    return _host_of(settings.BASE_URL)


@lru_cache(maxsize=4)
def _host_of(address: str) -> str:
    return urlsplit(address).hostname or "stepwise.invalid"


class Outcome(StrEnum):
    """What became of handing one mail to the server.

    `SLOW_DOWN` concerns every mail to the same domain, `CHANNEL_REFUSED` every mail at all. Of a mail
    `IN_DOUBT` nobody knows: the connection was lost between the final dot and the answer.
    """

    SENT = "sent"
    TEMPORARY = "temporary"
    IN_DOUBT = "in_doubt"
    SLOW_DOWN = "slow_down"
    CHANNEL_REFUSED = "channel_refused"
    PERMANENT = "permanent"
    NO_SUCH_ADDRESS = "no_such_address"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail ready to go. `message_id` is the whole RFC 5322 field value, angle brackets included.

    `wire` are text and HTML once more, where whoever wrote them knows them as mail servers hear them: in
    UTF-8 with CR LF at the end of each line, and a dot at the start of a line doubled.
    """

    to: str
    subject: str
    text: str
    html: str = ""
    message_id: str = field(default_factory=lambda: make_msgid(domain=message_id_domain()))
    headers: dict[str, str] = field(default_factory=dict)
    calendar: str = ""
    wire: tuple[bytes, bytes] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer: what it means, and its own words."""

    outcome: Outcome
    response: str


def send(mail: Mail, *, connection: BaseEmailBackend | None = None) -> Answer:
    """Hand one mail to the server and say what it answered. Raises nothing that a server or a network can cause.

    With a `connection` that is already open, it is used and kept open; after a network fault it is
    closed, so that the next mail opens a new one.
    """
    backend = connection or get_connection(fail_silently=False)
    try:
        accepted = backend.send_messages([_message(mail, backend)])
    except (smtplib.SMTPException, OSError, AnymailError) as error:
        _close_quietly(backend)
        return answer_of(error)
    except ValueError as error:
        # A header or an address that cannot be written as mail: this one never goes, the others do.
        return Answer(Outcome.PERMANENT, f"{type(error).__name__}: this mail cannot be written.")
    if not accepted:
        return Answer(Outcome.TEMPORARY, "The mail server took no message.")
    return Answer(Outcome.SENT, ACCEPTED)


def _message(mail: Mail, backend: BaseEmailBackend) -> EmailMultiAlternatives:
    headers = {
        "Message-ID": mail.message_id,
        "Date": clock.now().strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Auto-Submitted": "auto-generated",
        **mail.headers,
    }
    message = EmailMultiAlternatives(
        subject=mail.subject, body=mail.text, to=[mail.to], headers=headers, connection=backend
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    if mail.calendar:
        message.attach("appointment.ics", mail.calendar, calendar_type(mail.calendar))
    # Providers give a mail an id of their own; this comes back with what they report of it.
    message.metadata = {"message_id": mail.message_id}  # type: ignore[attr-defined]  # anymail reads it
    return message


def calendar_type(calendar: str) -> str:
    """The type of a calendar file, with the method that stands in it (RFC 6047 section 2.4)."""
    method = _CALENDAR_METHOD.search(calendar)
    return f"text/calendar; method={method[1]}" if method else "text/calendar"


def answer_of(error: Exception) -> Answer:
    """What an exception of smtplib, a provider's interface or the network means.

    4xx, a lost connection and a time-out are temporary (RFC 5321 section 4.2.1); 421 and an enhanced
    code 4.7.x ask for less mail (RFC 3463 section 3.8); a refused login or TLS keeps every mail from
    going, and a refusal of our server or sender is no fault of this mail. Most enhanced codes 5.1.x
    say that the address does not exist (RFC 3463 section 3.2); any other 5xx is permanent.
    """
    code, text = _code_and_text(error)
    response = f"{code} {text}".strip()[:500] if code else f"{type(error).__name__}: {text}"[:500]
    return Answer(_outcome(error, code, text), response)


def _outcome(error: Exception, code: int | None, text: str) -> Outcome:
    if _is_about_the_channel(error, code):
        return Outcome.CHANNEL_REFUSED
    if isinstance(error, AnymailRecipientsRefused):
        return Outcome.PERMANENT
    if code is None or code < 500:
        asks = text.startswith("4.7.") or (
            code == 421 and not isinstance(error, smtplib.SMTPConnectError)
        )
        return Outcome.SLOW_DOWN if asks else Outcome.TEMPORARY
    if isinstance(error, _BEFORE_THE_MAIL) and code != _TOO_BIG:
        return Outcome.TEMPORARY
    return Outcome.NO_SUCH_ADDRESS if says_no_such_address(text) else Outcome.PERMANENT


def says_no_such_address(text: str) -> bool:
    """Whether an enhanced code, or an answer or a report that begins with one, says that the address is no good."""
    return _NO_SUCH_ADDRESS.match(text) is not None


def _is_about_the_channel(error: Exception, code: int | None) -> bool:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        # What one address asks of the server is that address's affair.
        return "SMTPUTF8" not in str(error)
    if isinstance(error, smtplib.SMTPAuthenticationError | ssl.SSLError):
        return True
    return code in _CHANNEL_CODES or getattr(error, "status_code", None) in _KEY_REFUSED


def _code_and_text(error: Exception) -> tuple[int | None, str]:
    if isinstance(error, smtplib.SMTPRecipientsRefused) and error.recipients:
        code, reply = next(iter(error.recipients.values()))
        return code, _text(reply)
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, _text(error.smtp_error)
    return None, str(error)


def _text(reply: Any) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)


def _close_quietly(backend: BaseEmailBackend) -> None:
    try:
        backend.close()
    except (smtplib.SMTPException, OSError):
        # The connection is broken already; there is nothing left to close.
        return
