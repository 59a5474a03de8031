"""The bytes of a mail, held against Python's parser and Django's own message class."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
import time_machine
from django.core.mail import get_connection
from django.core.mail.message import BadHeaderError
from hypothesis import given, settings
from hypothesis import strategies as st

from portal import mail as mails
from portal.mail import Mail
from portal.mime import LONGEST_LINE, Address, address_of, header_line, ready_bytes, to_bytes
from portal.wire import FINAL_DOT, on_the_wire

SENDER = "Klinik Köln <no-reply@portal.clinic.example>"
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

# Whatever somebody may type, without halves of characters, which no mail can hold.
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
long_text = st.builds(lambda text, times: text * times, any_text, st.integers(1, 20))
one_line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


def build(mail: Mail) -> bytes:
    """The mail as our own code writes it."""
    return to_bytes(mail, sender=address_of(SENDER), recipient=address_of(mail.to))


def parsed(raw: bytes) -> EmailMessage:
    """The mail as a reader's program sees it, without a fault in it."""
    message = message_from_bytes(raw, policy=policy.default)
    assert [part.defects for part in message.walk() if part.defects] == []
    return message


def content(message: EmailMessage) -> list[tuple[str, str | None, str]]:
    """Every part: its type, its file name, its text with one kind of line end and none at the end."""
    return [
        (part.get_content_type(), part.get_filename(), lines_of(part.get_content()))
        for part in message.walk()
        if not part.is_multipart()
    ]


def lines_of(text: str) -> str:
    """The text with one kind of line end, and none at its end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def shape(message: EmailMessage) -> list[str]:
    """The types of all parts, containers too, in order."""
    return [part.get_content_type() for part in message.walk()]


def by_django(mail: Mail) -> EmailMessage:
    """The mail as Django's message class writes it."""
    return parsed(mails._message(mail, get_connection()).message().as_bytes())


# No deadline: the machine may be busy with other tests.
@settings(deadline=None, max_examples=50)
@given(
    text=long_text,
    html=long_text,
    calendar=st.sampled_from(["", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"]),
)
def test_every_text_arrives_as_it_was_written(text, html, calendar):
    raw = build(Mail("pat@example.com", "Subject", text, html, "<1@x>", calendar=calendar))
    wanted = [("text/plain", None, text)]
    wanted += [("text/html", None, html)] if html else []
    wanted += [("text/calendar", "appointment.ics", calendar)] if calendar else []
    assert content(parsed(raw)) == [(kind, name, lines_of(part)) for kind, name, part in wanted]
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= LONGEST_LINE


# No deadline: the machine may be busy with other tests.
@settings(deadline=None, max_examples=50)
@given(
    subject=one_line,
    text=any_text,
    html=any_text,
    name=one_line,
    calendar=st.sampled_from(["", "BEGIN:VCALENDAR"]),
)
def test_django_makes_the_same_mail(subject, text, html, name, calendar):
    link = "https://portal.clinic.example/u/" + "x" * 200
    with time_machine.travel(NOW, tick=False):
        mail = Mail(
            "pat@example.com", subject, text, html, "<1@portal.clinic.example>",
            {"List-Unsubscribe": f"<{link}>", "X-Name": name}, calendar,
        )  # fmt: skip
        try:
            theirs = by_django(mail)
        except (BadHeaderError, AssertionError):
            # Django's own has a fault in it that ours need not share.
            theirs = None
        ours = parsed(build(mail))
    assert (
        ours["Subject"] == " ".join(subject.split("\n"))
        or ours["Subject"].split() == subject.split()
    )
    if theirs is not None:
        assert shape(ours) == shape(theirs)
        assert content(ours) == content(theirs)
        for field in ("To", "Message-ID", "Date", "Auto-Submitted", "List-Unsubscribe"):
            assert str(ours[field]).split() == str(theirs[field]).split()
        assert ours["Subject"].split() == theirs["Subject"].split()


@pytest.mark.parametrize("method", ["PUBLISH", "REQUEST", "CANCEL"])
@pytest.mark.parametrize("make", [lambda mail: parsed(build(mail)), by_django])
def test_a_calendar_file_names_its_method_and_its_charset(make, method):
    calendar = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nEND:VCALENDAR\r\n"
    message = make(Mail("pat@example.com", "Visit", "Words", message_id="<1@x>", calendar=calendar))
    part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    assert part.get_param("method") == method
    assert part.get_content_charset() == "utf-8"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Plain words.\n" * 5, "7bit"),
        ("It’s time to start, now or soon.\n" * 5, "quoted-printable"),
        ("x" * 999, "quoted-printable"),
        ("بعد العملية" * 20, "base64"),
        ("a\0b", "quoted-printable"),
    ],
)
def test_the_encoding_fits_the_text(text, encoding):
    message = parsed(build(Mail("pat@example.com", "S", text)))
    assert message["Content-Transfer-Encoding"] == encoding
    assert lines_of(message.get_content()) == lines_of(text)


def test_headers_say_who_when_and_what():
    with time_machine.travel(NOW, tick=False):
        message = parsed(
            build(Mail("pat@example.com", "Nächster Schritt", "T", "<p>T</p>", "<1@x>"))
        )
    assert str(message["From"]) == SENDER
    assert message["From"].addresses[0].addr_spec == "no-reply@portal.clinic.example"
    assert message["To"] == "pat@example.com"
    assert message["Subject"] == "Nächster Schritt"
    assert message["Message-ID"] == "<1@x>"
    assert parsedate_to_datetime(message["Date"]) == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0"


@pytest.mark.parametrize("value", ["a\r\nBcc: all@example.com", "a\nb", "a\rb", "\n"])
@pytest.mark.parametrize("where", ["subject", "header"])
def test_no_value_begins_a_header_of_its_own(value, where):
    mail = (
        Mail("pat@example.com", value, "T")
        if where == "subject"
        else Mail("pat@example.com", "S", "T", headers={"X-One": value})
    )
    with pytest.raises(BadHeaderError):
        build(mail)


# No deadline: the machine may be busy with other tests.
@settings(deadline=None, max_examples=50)
@given(value=one_line)
def test_a_header_comes_out_as_it_went_in(value):
    line = header_line("X-Any", value)
    assert max(map(len, line.split("\r\n"))) <= LONGEST_LINE
    message = message_from_bytes(line.encode() + b"\r\n\r\n", policy=policy.default)
    assert str(message["X-Any"]).split() == value.split()


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("pat@example.com", Address("pat@example.com", "pat@example.com")),
        ("o'neill+x@example.com", Address("o'neill+x@example.com", "o'neill+x@example.com")),
        (
            "anna@bücher.example",
            Address("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ),
        ("jörg@example.com", Address("jörg@example.com", "jörg@example.com", needs_utf8=True)),
        ("Pat <pat@example.com>", Address("pat@example.com", "Pat <pat@example.com>")),
        ('"a b"@example.com', None),
    ],
)
def test_addresses_fit_envelope_and_header(written, address):
    if address is None:
        with pytest.raises(ValueError, match="cannot be written"):
            address_of(written)
    else:
        assert address_of(written) == address


@pytest.mark.parametrize(
    "written",
    ["", "pat", "a@b\r\nRCPT TO:<c@d>", "a@b.example c@d.example", "ä@b>\r\nx", "a@b.example\0"],
)
def test_an_address_that_could_say_more_is_refused(written):
    with pytest.raises(ValueError):  # noqa: PT011 - Django's words differ
        address_of(written)


def test_half_a_character_cannot_be_written():
    with pytest.raises(ValueError, match="surrogates"):
        build(Mail("pat@example.com", "S", "\ud800"))


def test_a_text_that_holds_the_boundary_does_not_end_its_part():
    first = build(Mail("pat@example.com", "S", "T", "<p>T</p>", "<1@x>")).decode()
    boundary = first.split('boundary="')[1].split('"')[0]
    text = f"one\n--{boundary}\ntwo\n--{boundary}--\nthree"
    message = parsed(build(Mail("pat@example.com", "S", text, "<p>T</p>", "<1@x>")))
    assert content(message) == [("text/plain", None, text), ("text/html", None, "<p>T</p>")]


# Lines that begin with dots, that are too long, that are not ASCII; and what no mail may hold as it is.
lines = st.text(
    st.one_of(
        st.sampled_from(".\nA é’\t\0\x0c"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\r"),
    ),
    min_size=1,
)
parts = st.builds(lambda text, times: text * times, lines, st.integers(1, 90))


# No deadline: the machine may be busy with other tests.
@settings(deadline=None, max_examples=200)
@given(text=parts, html=parts)
def test_parts_that_are_ready_make_the_same_bytes(text, html):
    wire = tuple(
        on_the_wire(part.replace("\n", "\r\n").encode() + b"\r\n")[:-5] for part in (text, html)
    )
    mail = Mail("pat@example.com", "Größe", text, html, "<1@x>", {"X-One": "1"}, wire=wire)
    addresses = {"sender": address_of(SENDER), "recipient": address_of(mail.to)}

    with time_machine.travel(NOW, tick=False):
        ready = ready_bytes(mail, **addresses)
        made = to_bytes(mail, **addresses, takes_8bit=True)

    is_long = max(len(line) for part in wire for line in part.split(b"\r\n")) > LONGEST_LINE
    assert (ready is None) == (is_long or "\0" in text + html)
    assert ready is None or ready + FINAL_DOT == on_the_wire(made)


def test_a_mail_with_a_calendar_file_or_without_html_is_made_from_its_text():
    wire = (b"T", b"<p>T</p>")
    mails_ = [
        Mail(
            "pat@example.com", "S", "T", "<p>T</p>", "<1@x>", calendar="BEGIN:VCALENDAR", wire=wire
        ),
        Mail("pat@example.com", "S", "T", "", "<1@x>", wire=wire),
        Mail("pat@example.com", "S", "T", "<p>T</p>", "<1@x>"),
    ]
    for mail in mails_:
        assert ready_bytes(mail, sender=address_of(SENDER), recipient=address_of(mail.to)) is None
