"""The one function that sends mail: what is on the wire, and that it raises nothing."""

import pytest
from django.core.mail import get_connection

from portal import mail
from portal.mail import Mail, Outcome
from portal.models import OutboxMail
from tests.factories import NOW


def one(**fields):
    given = {
        "to": "pat@example.com",
        "subject": "Your next step",
        "text": "Dear O'Neill & Co <b>",
        "html": "<p>Hi</p>",
    }
    return Mail(**(given | fields))


def test_a_mail_has_both_parts_and_the_plain_one_is_not_escaped(smtp_server):
    answer = mail.send(one())

    (sent,) = smtp_server.delivered
    assert answer == mail.Answer(Outcome.SENT, mail.ACCEPTED)
    assert sent.text.strip() == "Dear O'Neill & Co <b>"
    assert "<p>Hi</p>" in sent.html
    assert sent.message.get_content_type() == "multipart/alternative"


def test_a_mail_says_that_a_machine_sent_it_and_when(smtp_server, stopped_clock):
    mail.send(one())

    headers = smtp_server.delivered[0].message
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Date"].datetime == NOW


def test_the_message_id_is_ours_and_the_same_on_every_try(smtp_server):
    each = one(message_id="<one@portal>")

    mail.send(each)
    mail.send(each)

    assert [sent.message["Message-ID"] for sent in smtp_server.delivered] == ["<one@portal>"] * 2


def test_a_mail_without_a_given_message_id_has_one_of_our_host(smtp_server, settings):
    settings.BASE_URL = "https://portal.clinic.example"

    mail.send(one())

    assert smtp_server.delivered[0].message["Message-ID"].endswith("@portal.clinic.example>")


def test_a_calendar_file_is_attached_as_one(smtp_server):
    mail.send(one(calendar="BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"))

    (part,) = smtp_server.delivered[0].message.iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == ("text/calendar", "appointment.ics")


def test_one_connection_carries_many_mails(smtp_server):
    connection = get_connection()
    connection.open()
    before = connection.connection

    for _ in range(3):
        mail.send(one(), connection=connection)

    assert connection.connection is before
    assert len(smtp_server.delivered) == 3
    connection.close()


@pytest.mark.parametrize("reply", ["451 4.3.0 try later", "554 5.6.0 no"])
def test_a_refusal_is_an_answer_and_the_next_mail_goes(smtp_server, reply):
    connection = get_connection()
    smtp_server.data_replies.append(reply)

    first, second = (mail.send(one(), connection=connection) for _ in range(2))

    assert (first.response, second.outcome) == (reply, Outcome.SENT)
    connection.close()


def test_no_server_is_an_answer(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    assert mail.send(one()).outcome == Outcome.TEMPORARY


def test_a_header_that_cannot_be_written_is_an_answer(smtp_server):
    answer = mail.send(one(subject="Hello\nBcc: eve@example.com"))

    assert (answer.outcome, smtp_server.delivered) == (Outcome.PERMANENT, [])


@pytest.mark.django_db
def test_the_outbox_keeps_what_would_have_gone(settings, stopped_clock):
    settings.EMAIL_BACKEND = "portal.outbox.OutboxBackend"

    mail.send(one())

    kept = OutboxMail.objects.get()
    assert (kept.to_address, kept.subject, kept.created_at) == (
        "pat@example.com",
        "Your next step",
        NOW,
    )
    assert b"Dear O'Neill & Co <b>" in bytes(kept.raw)
