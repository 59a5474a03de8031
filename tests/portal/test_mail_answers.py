"""What the answers of mail servers mean, asked of real connections where one can be had."""

import smtplib
import ssl

import pytest
from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core import mail as django_mail
from requests import Response

from portal import mail
from portal.mail import Outcome


def recipient_refused(code: int, text: bytes) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({"pat@example.com": (code, text)})


def provider_answered(status: int) -> AnymailAPIError:
    response = Response()
    response.status_code = status
    response._content = b"{}"
    return AnymailAPIError("no", response=response, status_code=status)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (smtplib.SMTPServerDisconnected("gone"), Outcome.TEMPORARY),
        (TimeoutError("timed out"), Outcome.TEMPORARY),
        (ConnectionRefusedError("refused"), Outcome.TEMPORARY),
        (smtplib.SMTPDataError(451, b"4.3.0 try later"), Outcome.TEMPORARY),
        (smtplib.SMTPConnectError(421, b"too many connections"), Outcome.TEMPORARY),
        (recipient_refused(421, b"4.3.2 closing"), Outcome.SLOW_DOWN),
        (smtplib.SMTPDataError(450, b"4.7.1 greylisted"), Outcome.SLOW_DOWN),
        (recipient_refused(550, b"5.1.1 no such user"), Outcome.NO_SUCH_ADDRESS),
        # What is wrong with our own address or server is no fault of this mail, nor of its reader's address.
        (smtplib.SMTPDataError(550, b"5.1.8 bad sender"), Outcome.PERMANENT),
        (recipient_refused(550, b"5.1.7 bad sender"), Outcome.PERMANENT),
        (recipient_refused(550, b"5.1.11 unheard of"), Outcome.PERMANENT),
        (smtplib.SMTPSenderRefused(550, b"5.1.8 unknown domain", "a@b"), Outcome.TEMPORARY),
        (smtplib.SMTPConnectError(554, b"5.7.1 blocked"), Outcome.TEMPORARY),
        (smtplib.SMTPHeloError(550, b"who are you"), Outcome.TEMPORARY),
        (smtplib.SMTPSenderRefused(552, b"5.3.4 too big", "a@b"), Outcome.PERMANENT),
        (recipient_refused(550, b"no such user"), Outcome.PERMANENT),
        (smtplib.SMTPDataError(554, b"5.1.10 null MX"), Outcome.NO_SUCH_ADDRESS),
        (smtplib.SMTPDataError(554, b"5.6.0 no"), Outcome.PERMANENT),
        (recipient_refused(552, b"5.2.2 mailbox full"), Outcome.PERMANENT),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 bad"), Outcome.CHANNEL_REFUSED),
        (smtplib.SMTPAuthenticationError(454, b"4.7.0 later"), Outcome.CHANNEL_REFUSED),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 log in", "a@b"), Outcome.CHANNEL_REFUSED),
        (
            smtplib.SMTPNotSupportedError("STARTTLS extension not supported"),
            Outcome.CHANNEL_REFUSED,
        ),
        (smtplib.SMTPNotSupportedError("needs SMTPUTF8"), Outcome.TEMPORARY),
        (ssl.SSLCertVerificationError("self-signed"), Outcome.CHANNEL_REFUSED),
        (provider_answered(401), Outcome.CHANNEL_REFUSED),
        (provider_answered(503), Outcome.TEMPORARY),
        (AnymailRecipientsRefused("blocked"), Outcome.PERMANENT),
    ],
)
def test_an_error_has_one_meaning(error, outcome):
    assert mail.answer_of(error).outcome == outcome


def test_a_mail_that_cannot_be_written_fails_alone(smtp_server):
    bad = mail.Mail(to="pat@example.com", subject="Two\nlines", text="Hello")

    assert mail.send(bad).outcome == Outcome.PERMANENT
    assert (
        mail.send(mail.Mail(to="pat@example.com", subject="One", text="Hello")).outcome
        == Outcome.SENT
    )
    assert [each.subject for each in smtp_server.delivered] == ["One"]


def test_a_server_without_tls_stops_the_channel(smtp_server, settings):
    settings.EMAIL_USE_TLS = True

    answer = mail.send(mail.Mail(to="pat@example.com", subject="One", text="Hello"))

    assert answer.outcome == Outcome.CHANNEL_REFUSED
    assert smtp_server.delivered == []


def test_a_provider_gets_our_message_id_to_give_back_in_its_reports(settings):
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    sent = mail.Mail(to="pat@example.com", subject="One", text="Hello")

    assert mail.send(sent).outcome == Outcome.SENT
    assert django_mail.outbox[0].anymail_test_params["metadata"] == {"message_id": sent.message_id}
