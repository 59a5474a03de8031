"""A mail as the bytes that go over the wire (RFC 5322, RFC 2045 to 2047), without building a tree of objects.

Django's message class makes the same mail and stays the way out for other backends; a test holds the
two together. A body is sent as it is where the server takes 8BITMIME (RFC 6152), otherwise in ASCII;
an address that is itself not ASCII needs SMTPUTF8 (RFC 6531).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import NamedTuple

from django.core.mail.message import BadHeaderError, sanitize_address
from django.utils.encoding import punycode

from portal import clock
from portal.mail import Mail, calendar_type

CRLF = "\r\n"
# RFC 5322 section 2.1.1: 998 characters a line at most, 78 where it can be had.
LONGEST_LINE = 998
COMFORTABLE_LINE = 78

_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
# What may stand in a body that is sent as it is, without the line ends (RFC 2045 section 2.7).
_PLAIN_BYTES = bytes([9, 10, 13, *range(32, 127)])
_LINE_END = re.compile(r"\r\n?|\n")
_UNSAFE_IN_ENVELOPE = re.compile(r"[\x00-\x20<>\x7f]")


class Address(NamedTuple):
    """An address as the envelope and the header name it, and whether the server must know SMTPUTF8."""

    envelope: str
    header: str
    needs_utf8: bool = False


def to_bytes(mail: Mail, *, sender: Address, recipient: Address, takes_8bit: bool = False) -> bytes:
    """The whole mail, lines ended by CR LF, not yet dot-stuffed; in ASCII unless the server takes 8 bits.

    Raises ValueError (BadHeaderError for a line end in a header) for what cannot be written as mail.
    """
    return _head(mail, sender, recipient) + _body(mail, takes_8bit)


def ready_bytes(mail: Mail, *, sender: Address, recipient: Address) -> bytes | None:
    """The mail for a server that takes 8 bits, from the parts that it has as bytes already: its dots are doubled.

    Apart from that it is what `to_bytes` makes. None where there are no such parts, or they cannot go as they are.
    """
    if mail.wire is None or mail.calendar or not mail.html:
        return None
    boundary = _boundary(mail.message_id)
    encodings = [_encoding_as_it_is(raw, boundary, takes_8bit=True) for raw in mail.wire]
    if None in encodings:
        return None
    text, html = (
        _part_head(kind, str(encoding)) + raw
        for kind, encoding, raw in zip(
            ("text/plain", "text/html"), encodings, mail.wire, strict=True
        )
    )
    return _head(mail, sender, recipient) + _multipart("alternative", boundary, text, html)


def _head(mail: Mail, sender: Address, recipient: Address) -> bytes:
    """The fields that say what the mail is, from whom, to whom."""
    own = {"Subject": mail.subject, "Message-ID": mail.message_id, **mail.headers}
    lines = [
        _same_for_all(sender.header, date_header(clock.now())),
        _address_line("To", recipient.header),
        *[header_line(name, value) for name, value in own.items()],
    ]
    return (CRLF.join(lines) + CRLF).encode()


@lru_cache(maxsize=8)
def _same_for_all(sender: str, date: str) -> str:
    """The fields that all mails of a second share."""
    lines = [
        "MIME-Version: 1.0",
        _address_line("From", sender),
        f"Date: {date}",
        "Auto-Submitted: auto-generated",
    ]
    return CRLF.join(lines)


def address_of(value: str) -> Address:
    """An address, perhaps with a name before it, made fit for envelope and header. Raises ValueError."""
    if _PLAIN_ADDRESS.fullmatch(value):
        return Address(value, value)
    local, _, domain = value.rpartition("@")
    if not local.isascii() and "<" not in value and not _UNSAFE_IN_ENVELOPE.search(value):
        written = f"{local}@{punycode(domain)}"
        return Address(written, written, needs_utf8=True)
    return _unusual_address(value)


@lru_cache(maxsize=256)
def _unusual_address(value: str) -> Address:
    if not value.isprintable():
        # A line end would be taken for folding, and the address for another one.
        raise ValueError("This address cannot be written as mail.")
    header = sanitize_address(value, "utf-8")
    envelope = parseaddr(header)[1]
    if "@" not in envelope or _UNSAFE_IN_ENVELOPE.search(envelope):
        raise ValueError("This address cannot be written as mail.")
    return Address(envelope, header)


def header_line(name: str, value: str) -> str:
    """One header field without its last line end, encoded and folded as it has to be.

    Raises BadHeaderError for a value with a line end in it, which would begin a header of its own.
    """
    if "\n" in value or "\r" in value:
        raise BadHeaderError(f"A line end in the header {name}.")
    if _is_plain(value):
        line = f"{name}: {value}"
        if len(line) <= COMFORTABLE_LINE or (" " not in value and len(line) <= LONGEST_LINE):
            return line
    return _encoded_line(name, value)


def _is_plain(value: str) -> bool:
    """Whether a value goes into a field as it is: printable ASCII with no space at its ends, and no encoded word."""
    return (
        value.isascii() and value.isprintable() and bool(value) and value.strip() == value
        and "=?" not in value
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _encoded_line(name: str, value: str) -> str:
    """A field that needs encoded words or more than one line. Kept: subjects come again and again."""
    # Whatever is not plain goes as UTF-8, so that spaces at the ends and "=?" come out as they were.
    charset = "us-ascii" if _is_plain(value) else "utf-8"
    folded = Header(value, charset, header_name=name, maxlinelen=76).encode(linesep=CRLF)
    line = f"{name}: {folded}"
    if max(map(len, line.split(CRLF))) > LONGEST_LINE:
        raise ValueError(f"The header {name} cannot be folded.")
    return line


def _address_line(name: str, value: str) -> str:
    """An address field. `address_of` has encoded what it holds."""
    if "\n" in value or "\r" in value:
        raise BadHeaderError(f"A line end in the header {name}.")
    return f"{name}: {value}"


def date_header(moment: datetime) -> str:
    """A moment in UTC as RFC 5322 writes it."""
    return _date_of_second(moment.replace(microsecond=0))


@lru_cache(maxsize=8)
def _date_of_second(moment: datetime) -> str:
    return format_datetime(moment)


def _body(mail: Mail, takes_8bit: bool) -> bytes:
    """The fields that describe the content, an empty line, and the content."""
    boundary = _boundary(mail.message_id)
    body = _part(mail.text, "text/plain", boundary, takes_8bit)
    if mail.html:
        html = _part(mail.html, "text/html", boundary, takes_8bit)
        body = _multipart("alternative", boundary, body, html)
    if mail.calendar:
        outer = boundary.replace("=_", "=_mixed", 1)
        file = _part(
            mail.calendar, calendar_type(mail.calendar), outer, takes_8bit,
            'Content-Disposition: attachment; filename="appointment.ics"\r\n',
        )  # fmt: skip
        body = _multipart("mixed", outer, body, file)
    return body


def _boundary(message_id: str) -> str:
    # "=_" cannot stand in quoted-printable or base64 (RFC 2045 section 6.7); plain text is searched.
    return "=_" + hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _multipart(kind: str, boundary: str, *parts: bytes) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    line = f"--{boundary}".encode()
    inner = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts)
    return head + inner + line + b"--\r\n"


def _part(text: str, kind: str, boundary: str, takes_8bit: bool, more: str = "") -> bytes:
    """One part with its own fields; its last line has no line end."""
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    encoding, content = _encoded(text, boundary, takes_8bit)
    return _part_head(kind, encoding, more) + content


@lru_cache(maxsize=32)
def _part_head(kind: str, encoding: str, more: str = "") -> bytes:
    """A part's own fields and the empty line after them."""
    charset = f'Content-Type: {kind}; charset="utf-8"\r\n'
    return f"{charset}Content-Transfer-Encoding: {encoding}\r\n{more}\r\n".encode()


def _encoded(text: str, boundary: str, takes_8bit: bool) -> tuple[str, bytes]:
    """The text as it is where that may be; otherwise quoted-printable, or base64 where most of it would be quoted."""
    raw = text.encode().replace(b"\n", b"\r\n")
    as_it_is = _encoding_as_it_is(raw, boundary, takes_8bit)
    if as_it_is is not None:
        return as_it_is, raw
    # A byte that is quoted takes three, in base64 every byte takes four thirds.
    if len(raw) - len(raw.translate(None, _NOT_ASCII)) > len(raw) // 6:
        return "base64", base64.encodebytes(raw).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    # The line end that is added and taken off tells b2a_qp which kind of line end to use.
    return "quoted-printable", binascii.b2a_qp(raw + b"\r\n").removesuffix(b"\r\n")


def _encoding_as_it_is(raw: bytes, boundary: str, takes_8bit: bool) -> str | None:
    """What it is called to send these bytes as they are, or None where that may not be."""
    if boundary.encode() in raw or _has_long_line(raw):
        return None
    if raw.isascii() and not raw.translate(None, _PLAIN_BYTES):
        return "7bit"
    return "8bit" if takes_8bit and b"\0" not in raw else None


def _has_long_line(raw: bytes) -> bool:
    """Whether a line has more than LONGEST_LINE bytes. Looks for a line end only where the next one has to be."""
    start = 0
    while len(raw) - start > LONGEST_LINE:
        end = raw.rfind(b"\r\n", start, start + LONGEST_LINE + 2)
        if end < 0:
            return True
        start = end + 2
    return False


_NOT_ASCII = bytes(range(128, 256))
