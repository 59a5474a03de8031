"""Sending many mails over several connections, against real servers that refuse, drop, stall and stammer."""

import asyncio
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from portal.mail import Mail, Outcome
from portal.smtp import MOST_IN_DOUBT, BackendSender, SmtpSender, open_sender
from portal.wire import Delivery, on_the_wire
from tests.smtp import free_port

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


@dataclass
class Server:
    """What a scripted server does: replies to be used up one by one, or for an address whenever it comes."""

    pipelining: bool = True
    mail_replies: deque[str] = field(default_factory=deque)
    rcpt_replies: dict[str, list[str]] = field(default_factory=dict)
    data_replies: dict[str, list[str]] = field(default_factory=dict)
    drop_after_dot: set[str] = field(default_factory=set)
    drop_at_data: set[str] = field(default_factory=set)
    stall_at_dot: set[str] = field(default_factory=set)
    dot_seconds: float = 0.0
    most_connections: int = 1000
    port: int = 0
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    transports: set[asyncio.BaseTransport] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop | None = None

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        reply = self.mail_replies.popleft() if self.mail_replies else "250 2.1.0 OK"
        if reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        replies = self.rcpt_replies.get(address)
        reply = replies.pop(0) if replies else "250 2.1.5 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        if reply.startswith("421"):
            asyncio.get_running_loop().call_later(0.05, server.transport.close)
        return reply

    async def handle_DATA(self, server, session, envelope: Envelope) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos
        if address in self.stall_at_dot:
            self.stall_at_dot.remove(address)
            await asyncio.sleep(5)
        await asyncio.sleep(self.dot_seconds)
        replies = self.data_replies.get(address)
        reply = replies.pop(0) if replies else "250 2.0.0 queued as 1234"
        if reply.startswith("2"):
            self.taken.append((address, bytes(envelope.original_content or b"")))
        if address in self.drop_after_dot:
            self.drop_after_dot.remove(address)
            server.transport.abort()
        return reply

    @property
    def who(self) -> Counter[str]:
        """How often each address got a mail."""
        return Counter(address for address, _ in self.taken)


class Scripted(SMTP):
    """aiosmtpd, which also notes commands, drops a connection at DATA, and turns connections away."""

    script: Server

    def connection_made(self, transport):
        self.script.connections += 1
        self.script.open_now += 1
        self.script.transports.add(transport)
        self.script.loop = asyncio.get_running_loop()
        self.is_surplus = self.script.open_now > self.script.most_connections
        super().connection_made(transport)

    def connection_lost(self, error):
        self.script.open_now -= 1
        super().connection_lost(error)

    async def push(self, status):
        if self.is_surplus:
            self.transport.write(b"421 4.7.0 too many connections\r\n")
            self.transport.close()
            return
        await super().push(status)

    async def smtp_DATA(self, arg):  # noqa: N802
        recipients = self.envelope.rcpt_tos
        if recipients and recipients[0] in self.script.drop_at_data:
            self.script.drop_at_data.remove(recipients[0])
            self.transport.abort()
            return
        await super().smtp_DATA(arg)

    def _note(self, command: str) -> None:
        self.script.commands.append(command)

    async def smtp_RSET(self, arg):  # noqa: N802
        self._note("RSET")
        await super().smtp_RSET(arg)


@contextmanager
def running(script: Server, settings, **options) -> Iterator[Server]:
    """Run a scripted server and point the settings at it."""
    script.port = free_port()

    class Own(Controller):
        def factory(self):
            session = Scripted(self.handler, **self.SMTP_kwargs)
            session.script = script
            return session

    Scripted.script = script
    options = {"enable_SMTPUTF8": False} | options
    controller = Own(script, hostname="127.0.0.1", port=script.port, **options)
    controller.start()
    # The controller itself connected once, to see whether the server is there.
    script.connections = 0
    settings.EMAIL_BACKEND = SMTP_BACKEND
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", script.port
    settings.EMAIL_TIMEOUT = 2
    try:
        yield script
    finally:
        controller.stop()


@pytest.fixture
def serve(settings) -> Iterator[Callable[..., Server]]:
    """`serve(pipelining=True, …)` starts a scripted server."""
    stack = []

    def start(**script) -> Server:
        manager = running(Server(**script), settings)
        stack.append(manager)
        return manager.__enter__()

    yield start
    for manager in reversed(stack):
        manager.__exit__(None, None, None)


@pytest.fixture(params=[True, False], ids=["pipelining", "no pipelining"])
def pipelining(request) -> bool:
    """Both kinds of server."""
    return request.param


def letters(number: int) -> list[Mail]:
    """So many mails, to 0@example.com and so on."""
    return [
        Mail(
            f"{n}@example.com", f"Mail {n}", f"Text {n}\n.\n..two\nend\n", "<p>.</p>\n.", f"<{n}@x>"
        )
        for n in range(number)
    ]


def send(mails: list[Mail], **options) -> dict[str, Delivery]:
    """Send the mails and return what became of each; each is settled exactly once."""
    sender = SmtpSender(**options)
    settled = list(sender.send(mails))
    sender.close()
    assert Counter(each.mail.to for each in settled) == Counter(mail.to for mail in mails)
    return {each.mail.to: each for each in settled}


def outcomes(settled: dict[str, Delivery]) -> dict[Outcome, int]:
    """How many mails ended how."""
    return dict(Counter(each.answer.outcome for each in settled.values()))


@pytest.mark.parametrize("most", [1, 4, 24])
def test_every_mail_arrives_once(serve, pipelining, most):
    server = serve(pipelining=pipelining)
    settled = send(letters(60), most=most)
    assert outcomes(settled) == {Outcome.SENT: 60}
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(60)})
    assert settled["7@example.com"].answer.response == "250 2.0.0 queued as 1234"
    assert server.connections == min(most, 15)


def test_connections_are_kept_between_calls(serve):
    server = serve()
    sender = SmtpSender(most=2)
    for _ in range(3):
        assert len(list(sender.send(letters(8)))) == 8
    sender.close()
    assert server.connections == 2


def test_few_mails_open_few_connections(serve):
    server = serve()
    send(letters(3))
    assert server.connections == 1


def test_nothing_to_send_connects_nowhere(serve):
    server = serve()
    assert send([]) == {}
    assert server.connections == 0


def test_dots_arrive_as_they_were(serve, pipelining):
    server = serve(pipelining=pipelining)
    send(letters(1))
    ((_, content),) = server.taken
    assert b"Text 0\r\n.\r\n..two\r\nend\r\n" in content
    assert b"<p>.</p>\r\n.\r\n" in content


def test_content_gets_its_dots_doubled_and_one_final_dot():
    assert on_the_wire(b".a\r\n.\r\nb\r\n") == b"..a\r\n..\r\nb\r\n.\r\n"
    assert on_the_wire(b"a") == b"a\r\n.\r\n"
    assert on_the_wire(b"") == b"\r\n.\r\n"


REFUSALS = [
    ("450 4.2.0 greylisted", Outcome.TEMPORARY),
    ("451 4.7.1 slow down", Outcome.TEMPORARY),
    ("550 5.1.1 no such user", Outcome.NO_SUCH_ADDRESS),
    ("554 5.7.1 spam", Outcome.PERMANENT),
]


@pytest.mark.parametrize(("reply", "outcome"), REFUSALS)
@pytest.mark.parametrize("most", [1, 4])
def test_a_refused_recipient_is_refused_alone(serve, pipelining, most, reply, outcome):
    odd = [f"{n}@example.com" for n in range(1, 24, 2)]
    server = serve(pipelining=pipelining, rcpt_replies={address: [reply] for address in odd})
    settled = send(letters(24), most=most)
    for address, each in settled.items():
        if address in odd:
            assert each.answer.response == reply
            assert each.answer.outcome != Outcome.SENT
            assert reply.startswith("451") or each.answer.outcome == outcome
        else:
            assert each.answer.outcome == Outcome.SENT
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(0, 24, 2)})
    assert server.commands.count("RSET") >= 8


@pytest.mark.parametrize(("reply", "outcome"), [REFUSALS[0], REFUSALS[3]])
def test_a_mail_refused_after_its_content_is_refused_alone(serve, pipelining, reply, outcome):
    server = serve(pipelining=pipelining, data_replies={"3@example.com": [reply]})
    settled = send(letters(8), most=1)
    assert settled["3@example.com"].answer.outcome == outcome
    assert settled["3@example.com"].answer.response == reply
    assert outcomes(settled)[Outcome.SENT] == 7
    assert "3@example.com" not in server.who


def test_a_refused_sender_refuses_that_mail(serve, pipelining):
    server = serve(pipelining=pipelining, mail_replies=deque(["552 5.3.4 too much"]))
    settled = send(letters(4), most=1)
    assert settled["0@example.com"].answer.response == "552 5.3.4 too much"
    assert outcomes(settled) == {Outcome.PERMANENT: 1, Outcome.SENT: 3}
    assert sum(server.who.values()) == 3


def test_421_ends_a_connection_and_the_others_go_on(serve, pipelining):
    server = serve(pipelining=pipelining, rcpt_replies={"2@example.com": ["421 4.3.2 closing"]})
    settled = send(letters(12), most=1)
    answer = settled["2@example.com"].answer
    assert answer.response == "421 4.3.2 closing"
    assert answer.outcome not in {Outcome.SENT, Outcome.PERMANENT, Outcome.NO_SUCH_ADDRESS}
    assert answer.outcome != Outcome.IN_DOUBT
    assert outcomes(settled)[Outcome.SENT] == 11
    assert server.connections == 2


def test_a_connection_lost_after_the_dot_leaves_one_mail_in_doubt(serve, pipelining):
    server = serve(pipelining=pipelining, drop_after_dot={"2@example.com"})
    settled = send(letters(12), most=1)
    assert [to for to, each in settled.items() if each.answer.outcome == Outcome.IN_DOUBT] == [
        "2@example.com"
    ]
    assert outcomes(settled) == {Outcome.SENT: 11, Outcome.IN_DOUBT: 1}
    # It was not sent a second time: whether it arrived is for the caller to judge.
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(12)})


def test_a_connection_lost_before_the_dot_is_tried_again(serve, pipelining):
    server = serve(pipelining=pipelining, drop_at_data={"2@example.com", "7@example.com"})
    settled = send(letters(12), most=2)
    assert outcomes(settled) == {Outcome.SENT: 12}
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(12)})


def test_a_silent_server_leaves_the_mail_in_doubt(serve, pipelining):
    serve(pipelining=pipelining, stall_at_dot={"1@example.com"})
    began_at = time.monotonic()
    settled = send(letters(4), most=1, reply_timeout=0.5, dot_timeout=0.5)
    assert time.monotonic() - began_at < 4
    assert settled["1@example.com"].answer.outcome == Outcome.IN_DOUBT
    assert outcomes(settled) == {Outcome.SENT: 3, Outcome.IN_DOUBT: 1}


def test_no_server_is_temporary_for_every_mail(settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    settled = send(letters(3))
    assert outcomes(settled) == {Outcome.TEMPORARY: 3}


def test_a_server_that_drops_everything_is_given_up(serve):
    mails = letters(40)
    server = serve(drop_at_data={mail.to for mail in mails})
    server.drop_at_data = _Everything()
    settled = send(mails, most=4)
    assert outcomes(settled) == {Outcome.TEMPORARY: 40}
    assert server.connections < 100


class _Everything(set):
    """A set that holds whatever is asked for, and never loses it."""

    def __contains__(self, item) -> bool:
        return True

    def remove(self, item) -> None:
        return


def test_a_server_with_room_for_two_connections_gets_no_more(serve):
    server = serve(most_connections=2)
    assert outcomes(send(letters(60))) == {Outcome.SENT: 60}
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(60)})


def test_the_dot_is_announced_just_before_it_is_sent(serve):
    serve(rcpt_replies={"1@example.com": ["550 5.1.1 unknown"]})
    announced: list[str] = []
    settled = send(letters(4), most=1, before_dot=lambda mail: announced.append(mail.to))
    assert announced == ["0@example.com", "2@example.com", "3@example.com"]
    assert len(settled) == 4


def test_some_connections_stand_still_where_too_many_mails_would_be_in_doubt(serve, pipelining):
    server = serve(pipelining=pipelining, dot_seconds=0.05)
    open_now: set[str] = set()
    most = 0

    def note(mail: Mail) -> None:
        nonlocal most
        open_now.add(mail.to)
        most = max(most, len(open_now))

    settled = send(
        letters(150),
        before_dot=note,
        after_reply=lambda each: open_now.discard(each.mail.to),
    )
    assert open_now == set()
    assert outcomes(settled) == {Outcome.SENT: 150}
    assert server.connections > MOST_IN_DOUBT
    assert most == MOST_IN_DOUBT == 16


def test_a_poisoned_mail_holds_up_no_other(serve):
    server = serve()
    mails = letters(4)
    mails[1] = Mail("1@example.com", "Two\r\nBcc: everyone@example.com", "Text")
    mails[2] = Mail("2@exam\r\nple.com", "Subject", "Text")
    settled = send(mails)
    assert outcomes(settled) == {Outcome.SENT: 2, Outcome.PERMANENT: 2}
    assert set(server.who) == {"0@example.com", "3@example.com"}


def test_an_address_outside_ascii_needs_a_server_that_knows_it(serve, settings):
    mails = [
        Mail("jörg@example.com", "Hallo", "Text"),
        Mail("anna@bücher.example", "Hallo", "Text"),
    ]
    server = serve()
    settled = send(mails)
    assert settled["jörg@example.com"].answer.outcome == Outcome.PERMANENT
    assert set(server.who) == {"anna@xn--bcher-kva.example"}
    with running(Server(), settings, enable_SMTPUTF8=True) as modern:
        assert outcomes(send(mails)) == {Outcome.SENT: 2}
    assert set(modern.who) == {"jörg@example.com", "anna@xn--bcher-kva.example"}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_login_as_the_settings_say(settings):
    def check(server, session, envelope, mechanism, auth_data):
        right = auth_data.login == b"stepwise" and auth_data.password == b"right"
        return AuthResult(success=right, handled=False)

    options = {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    with running(Server(), settings, auth_exclude_mechanism=["LOGIN"], **options) as server:
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "stepwise", "wrong"
        settled = send(letters(3))
        assert Outcome.SENT not in outcomes(settled)
        assert settled["0@example.com"].answer.response.startswith("535 ")
        settings.EMAIL_HOST_PASSWORD = "right"
        assert outcomes(send(letters(3))) == {Outcome.SENT: 3}
    assert sum(server.who.values()) == 3


def test_the_fall_back_is_djangos_own_backend(settings, mailoutbox):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    announced: list[Mail] = []
    sender = open_sender(before_dot=announced.append)
    assert isinstance(sender, BackendSender)
    mails = letters(3)
    settled = list(sender.send(mails))
    sender.close()
    assert [each.answer.outcome for each in settled] == [Outcome.SENT] * 3
    assert announced == mails
    assert [mail.to for mail in mailoutbox] == [
        ["0@example.com"],
        ["1@example.com"],
        ["2@example.com"],
    ]


def test_smtp_is_sent_by_our_own_sender(settings):
    settings.EMAIL_BACKEND = SMTP_BACKEND
    assert isinstance(open_sender(), SmtpSender)


def test_a_caller_that_stops_leaves_no_connection_behind(serve):
    server = serve()
    sending = SmtpSender(most=3).send(letters(30))
    next(sending)
    sending.close()
    deadline = time.monotonic() + 5
    while server.open_now and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.open_now == 0


def send_until_the_feed_fails(number: int) -> tuple[list[Mail], list[Delivery]]:
    """Send until a mail has its dot and the feed fails: the mails that had theirs, and what was heard of them."""
    begun: list[Mail] = []
    known: list[Delivery] = []

    def feed():
        yield from letters(number)
        while not begun:
            yield 0
        raise RuntimeError("the database is gone")

    sender = SmtpSender(before_dot=begun.append, after_reply=known.append)
    with pytest.raises(RuntimeError, match="gone"):
        list(sender.send(feed()))
    return begun, known


def test_what_is_on_the_wire_when_the_feed_fails_is_heard_out(serve, pipelining):
    server = serve(pipelining=pipelining, dot_seconds=0.3)

    begun, known = send_until_the_feed_fails(3)

    assert sorted(each.mail.to for each in known) == sorted(mail.to for mail in begun)
    assert len(server.taken) == len(begun)
    assert {each.answer.outcome for each in known} == {Outcome.SENT}


def test_a_server_that_says_nothing_after_an_error_is_waited_for_a_little(serve, monkeypatch):
    monkeypatch.setattr("portal.smtp.LAST_WORDS", 0.2)
    serve(dot_seconds=3)

    begun, known = send_until_the_feed_fails(1)

    assert (len(begun), known) == (1, [])


def test_starttls_and_pipelining_together(settings, monkeypatch, tmp_path):
    certificate = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running(Server(), settings, tls_context=context, require_starttls=True) as server:
        settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "localhost", True
        assert outcomes(send(letters(40), most=3)) == {Outcome.SENT: 40}
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(40)})


def make_certificate(folder: Path) -> Path:
    """A certificate for localhost, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return file


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """A thread that answers questions."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_connections_go_on_while_it_is_asked_whether_the_next_may_go(serve, elsewhere):
    server = serve()
    asked: list[int] = []

    def answer(mails):
        asked.append(len(mails))
        time.sleep(0.01)
        return {each.message_id for each in mails if each.to != "7@example.com"}

    sender = SmtpSender()
    settled = list(sender.send(letters(60), boarding=lambda mails: elsewhere.submit(answer, mails)))
    sender.close()

    assert [each.mail.to for each in settled if each.held_back] == ["7@example.com"]
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(60) if n != 7})
    assert max(asked) <= 16
    assert sum(asked) == 60


def test_a_question_that_fails_ends_the_run(serve, elsewhere):
    serve()

    def fail(mails):
        raise RuntimeError("the database is gone")

    sender = SmtpSender()
    with pytest.raises(RuntimeError, match="gone"):
        list(sender.send(letters(4), boarding=lambda mails: elsewhere.submit(fail, mails)))


def test_a_mail_whose_connection_is_lost_while_it_is_asked_about_goes_on_another(serve, elsewhere):
    server = serve()

    def answer(mails):
        if len(mails) and mails[0].to == "1@example.com" and server.connections == 1:
            # The server hangs up on the idle connection before the answer is there.
            for transport in list(server.transports):
                server.loop.call_soon_threadsafe(transport.close)
            time.sleep(0.2)
        return {each.message_id for each in mails}

    sender = SmtpSender(most=1)
    settled = list(sender.send(letters(3), boarding=lambda mails: elsewhere.submit(answer, mails)))
    sender.close()

    assert [each.answer.outcome for each in settled] == [Outcome.SENT] * 3
    assert server.who == Counter({f"{n}@example.com": 1 for n in range(3)})
    assert server.connections == 2
