"""Bounces and complaints: from mail files and from webhooks, each once, in any order, and never a forged one."""

import base64
import json
import logging
import mailbox
import smtplib
from datetime import timedelta
from email.message import EmailMessage
from io import StringIO
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from patients.actions.tasks import sync_tasks
from patients.models import Task
from portal import mail
from portal.actions import invite
from portal.models import AuditEvent, Invitation
from reminders import bounces
from reminders.models import Decision, DeliveryReport, Message, Preference, Reminder, Suppression
from reminders.notifications import Kind, Report, reports_in
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_message,
    make_patient,
    make_reminder,
    make_version,
)

pytestmark = pytest.mark.django_db

STATUS = """\
From: MAILER-DAEMON@mx.example
To: no-reply@clinic.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="==B=="

--==B==
Content-Type: text/plain

This is the mail system at host mx.example.

--==B==
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 2 Mar 2026 10:00:05 +0000

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{original}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} <{address}>: no such user

--==B==
Content-Type: {quoted}

From: Stepwise <no-reply@clinic.example>
To: {address}
Message-ID: {message_id}
Subject: Your next step

--==B==--
"""
COMPLAINT = """\
From: abuse@mx.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="==B=="

--==B==
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: <{address}>

--==B==
Content-Type: message/rfc822

Message-ID: {message_id}
Subject: Your next step

Do this.

--==B==--
"""


@pytest.fixture
def message(stopped_clock):
    """A mail that was sent to pat@example.com, with one reminder."""
    clinic = make_clinic()
    episode = make_episode(
        make_patient(clinic, email="pat@example.com"), make_version(clinic, {"bag": {}})
    )
    return make_message(episode.patient.user, clinic, [make_reminder(episode)])


def status_mail(message, **fields):
    values = {
        "address": "pat@example.com", "original": "pat@example.com", "action": "failed",
        "status": "5.1.1", "message_id": message.message_id, "quoted": "text/rfc822-headers",
    } | fields  # fmt: skip
    return STATUS.format(**values).encode()


def complaint_mail(message, address="pat@example.com"):
    return COMPLAINT.format(address=address, message_id=message.message_id).encode()


def take_all(raw):
    return [bounces.take(report, now=NOW) for report in reports_in(raw)]


def outcome():
    """Everything that reports may change."""
    return (
        sorted(DeliveryReport.objects.values_list("kind", "status")),
        sorted(Suppression.objects.values_list("address", "reason")),
        sorted(Message.objects.values_list("state", "bounced_at")),
        sorted(Preference.objects.values_list("category", "is_on")),
        sorted(Decision.objects.values_list("outcome", "gate")),
    )


NOTHING: tuple[list[Any], ...] = ([], [], [("sent", None)], [], [])


@pytest.mark.parametrize("quoted", ["text/rfc822-headers", "message/rfc822"])
def test_an_address_that_does_not_exist_is_suppressed_and_the_mail_marked(message, quoted):
    assert take_all(status_mail(message, quoted=quoted)) == [True]

    assert outcome() == (
        [("bounced", "5.1.1")],
        [("pat@example.com", "no_such_address")],
        [("sent", NOW)],
        [],
        [("fail", "bounced")],
    )
    assert Reminder.objects.get().state == "sent"
    assert DeliveryReport.objects.get().detail == "550 5.1.1 <pat@example.com>: no such user"


@pytest.fixture
def invitation(stopped_clock, django_capture_on_commit_callbacks):
    """An invitation whose mail went to pat@example.com."""
    clinic = make_clinic()
    patient = make_patient(clinic, email="pat@example.com")
    make_episode(patient, make_version(clinic, {"bag": {}}))
    with django_capture_on_commit_callbacks(execute=True):
        invite(user=patient.user, clinic=clinic, by=None, now=NOW)
    return Invitation.objects.get()


def test_an_invitation_that_comes_back_is_a_task_for_staff(invitation, mailoutbox):
    assert mailoutbox[0].extra_headers["Message-ID"] == invitation.message_id

    assert take_all(status_mail(invitation)) == [True]
    assert take_all(status_mail(invitation)) == [False]

    invitation.refresh_from_db()
    assert invitation.refused_at == NOW
    sync_tasks(now=NOW, kinds=["unreachable"])
    assert [task.facts for task in Task.objects.all()] == [{"why": "refused"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "eve@example.com", "original": "eve@example.com"},
        {"message_id": "<guessed@clinic.example>"},
        {"message_id": ""},
        {"action": "delayed", "status": "4.4.1"},
    ],
)
def test_no_other_report_is_taken_for_an_invitations(invitation, fields):
    assert not any(take_all(status_mail(invitation, **fields)))

    invitation.refresh_from_db()
    assert invitation.refused_at is None


def test_an_invitation_that_was_accepted_had_arrived(invitation):
    Invitation.objects.update(accepted_at=NOW)

    assert take_all(status_mail(invitation)) == [False]

    assert Invitation.objects.get().refused_at is None


@pytest.mark.parametrize("number", range(12))
def test_a_code_means_the_same_in_a_report_as_in_an_answer(message, number):
    status = f"5.1.{number}"
    refusal = smtplib.SMTPRecipientsRefused({"pat@example.com": (550, f"{status} no".encode())})
    is_refused = mail.answer_of(refusal).outcome == mail.Outcome.NO_SUCH_ADDRESS

    take_all(status_mail(message, status=status))

    assert Suppression.objects.exists() is is_refused is (number in {1, 2, 3, 6, 10})


def test_a_full_mailbox_is_marked_and_not_suppressed(message):
    take_all(status_mail(message, status="5.2.2"))

    assert Suppression.objects.count() == 0
    assert Message.objects.get().bounced_at == NOW


def test_a_delay_is_noted_and_nothing_else(message):
    take_all(status_mail(message, action="delayed", status="4.4.1"))

    assert outcome() == ([("delayed", "4.4.1")], [], [("sent", None)], [], [("wait", "delayed")])


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", ""])
def test_good_news_changes_nothing(message, action):
    assert take_all(status_mail(message, action=action, status="2.0.0")) == []
    assert outcome() == NOTHING


def test_a_complaint_switches_that_category_off_and_says_so_in_the_audit(message):
    assert take_all(complaint_mail(message)) == [True]

    assert outcome() == (
        [("complained", "")], [], [("sent", None)], [("preparation", False)], [("skip", "complained")],
    )  # fmt: skip
    assert AuditEvent.objects.filter(verb="preference.choose").count() == 1


def test_the_same_report_counts_once(message):
    assert [take_all(each)[0] for each in [status_mail(message), status_mail(message)]] == [
        True,
        False,
    ]
    assert Decision.objects.count() == 1


def test_a_category_switched_on_again_stays_on_when_the_complaint_comes_again(message):
    take_all(complaint_mail(message))
    Preference.objects.update(is_on=True)

    take_all(complaint_mail(message))

    assert Preference.objects.get().is_on is True


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_reports_may_come_in_any_order(message, order):
    mails = [
        status_mail(message, action="delayed", status="4.4.1"),
        status_mail(message),
        complaint_mail(message),
    ]

    for number in order:
        take_all(mails[number])

    assert outcome() == (
        [("bounced", "5.1.1"), ("complained", ""), ("delayed", "4.4.1")],
        [("pat@example.com", "no_such_address")],
        [("sent", NOW)],
        [("preparation", False)],
        [("fail", "bounced"), ("skip", "complained"), ("wait", "delayed")],
    )


def test_a_bounce_before_the_servers_answer_was_recorded_counts(message):
    Message.objects.update(state="sending", sent_at=None)

    take_all(status_mail(message))

    assert Message.objects.get().bounced_at == NOW


@pytest.mark.parametrize(
    "forged",
    [
        {"message_id": "<11111111-1111-4111-8111-111111111111@clinic.example>"},
        {"message_id": ""},
        {"address": "someone.else@example.com", "original": "someone.else@example.com"},
    ],
)
def test_a_forged_report_is_ignored_and_logged(message, forged, caplog):
    caplog.set_level(logging.WARNING)

    assert True not in take_all(status_mail(message, **forged))

    assert outcome() == NOTHING
    if forged.get("message_id") != "":
        assert "about no mail of ours" in caplog.text
    assert "example.com" not in caplog.text


def test_a_forwarded_mail_is_known_by_its_original_recipient(message):
    assert take_all(status_mail(message, address="pat@elsewhere.example")) == [True]


def test_ordinary_mail_and_rubbish_are_no_reports(message):
    reply = EmailMessage()
    reply["Message-ID"] = message.message_id
    reply.set_content("Thank you! Status: 5.1.1")

    for raw in (bytes(reply), b"", b"\xff\xfe\x00", status_mail(message) + b"x" * 2_000_000):
        assert reports_in(raw) == []


def test_an_address_that_staff_freed_is_suppressed_only_by_a_later_mail(message):
    take_all(status_mail(message))
    Suppression.objects.update(lifted_at=NOW + timedelta(hours=1))

    take_all(status_mail(message, status="5.1.2"))
    assert Suppression.objects.get().lifted_at is not None

    later = make_message(message.recipient, message.clinic, sent_at=NOW + timedelta(hours=2))
    take_all(status_mail(later))
    assert Suppression.objects.get().lifted_at is None


def test_the_command_reads_a_folder_of_files_again_and_again(message, tmp_path):
    (tmp_path / "1.eml").write_bytes(status_mail(message))
    (tmp_path / "2.eml").write_bytes(b"Subject: hello\n\nhello")
    (tmp_path / "3.txt").write_bytes(complaint_mail(message))

    said = []
    for _ in range(2):
        out = StringIO()
        call_command("read_bounces", str(tmp_path), stdout=out)
        said.append(out.getvalue().strip())

    assert said == [
        "2 mails read, 1 reports in them, 1 of them news.",
        "2 mails read, 1 reports in them, 0 of them news.",
    ]


def test_the_command_reads_a_maildir_and_marks_what_it_read(message, tmp_path):
    box = mailbox.Maildir(tmp_path / "bounces")
    box.add(status_mail(message))

    said = []
    for _ in range(2):
        out = StringIO()
        call_command("read_bounces", str(tmp_path / "bounces"), stdout=out)
        said.append(out.getvalue().split(" mails")[0])

    assert said == ["1", "0"]
    assert [mail.get_flags() for mail in box] == ["S"]
    assert Message.objects.get().bounced_at == NOW


def test_the_command_names_a_missing_folder(tmp_path):
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("read_bounces", str(tmp_path / "nowhere"))


def webhook(message, *, secret="stepwise:s3cret", **fields):
    event = {
        "RecordType": "Bounce", "ID": 1, "Type": "HardBounce", "TypeCode": 1, "Email": "pat@example.com",
        "MessageID": "an-id-of-the-provider", "Metadata": {"message_id": message.message_id},
        "Details": "550 5.1.1 no such user", "Description": "no such user", "BouncedAt": "2026-03-02T10:00:05Z",
    } | fields  # fmt: skip
    headers = (
        {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()} if secret else {}
    )
    return Client().post(
        "/anymail/postmark/tracking/", json.dumps(event), "application/json", headers=headers
    )


@pytest.fixture
def provider(settings):
    settings.ANYMAIL = {"WEBHOOK_SECRET": "stepwise:s3cret"}


def test_a_providers_bounce_suppresses_too(message, provider):
    assert webhook(message).status_code == 200
    assert webhook(message).status_code == 200

    assert DeliveryReport.objects.get().source == "Postmark"
    assert Suppression.objects.get().address == "pat@example.com"


@pytest.mark.parametrize(
    ("kind", "said", "closes"),
    [
        ("HardBounce", "smtp;550 5.1.1 no such user", True),
        ("HardBounce", "The server at 15.1.1.25 does not know it", True),
        ("HardBounce", "smtp;550 5.4.1 Recipient address rejected: Access denied", True),
        ("SoftBounce", "smtp;552 5.2.2 mailbox full", False),
        ("HardBounce", "smtp;550 5.7.1 refused by policy.", False),
        ("BadEmailAddress", "", True),
        ("Blocked", "", False),
        ("ManuallyDeactivated", "", False),
        ("SMTPApiError", "", False),
    ],
)
def test_whatever_a_provider_could_not_deliver_or_would_not_send_came_back(
    message, provider, kind, said, closes
):
    webhook(message, Type=kind, Details=said, Description=said)

    message.refresh_from_db()
    assert message.bounced_at is not None
    assert Decision.objects.get().gate == "bounced"
    assert Suppression.objects.exists() is closes


def test_a_providers_complaint_switches_off(message, provider):
    webhook(message, RecordType="SpamComplaint", Type="SpamComplaint", TypeCode=512)

    assert Preference.objects.get().is_on is False


def test_who_unsubscribes_by_the_providers_own_link_gets_no_more_of_it(message, provider):
    webhook(
        message, RecordType="SubscriptionChange", Recipient="pat@example.com", SuppressSending=True,
        SuppressionReason="ManualSuppression",
    )  # fmt: skip

    choice = Preference.objects.get()
    assert (choice.category, choice.is_on) == (message.category, False)
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("secret", ["", "stepwise:wrong", "nobody:"])
def test_a_webhook_without_the_secret_is_refused(message, provider, secret):
    assert webhook(message, secret=secret).status_code == 400
    assert outcome() == NOTHING


def test_without_a_secret_of_ones_own_no_webhook_is_open(message):
    assert webhook(message, secret="nobody:").status_code == 400
    assert webhook(message, secret="").status_code == 400
    assert outcome() == NOTHING


def test_a_webhook_about_a_mail_that_is_not_ours_changes_nothing(message, provider):
    assert webhook(message, Metadata={"message_id": "<made@up>"}).status_code == 200
    assert outcome() == NOTHING


def test_both_ways_of_hearing_of_one_bounce_make_one_suppression(message, provider):
    take_all(status_mail(message))
    webhook(message)

    assert (Suppression.objects.count(), DeliveryReport.objects.count()) == (1, 1)


def test_a_report_is_told_apart_by_mail_kind_and_code():
    made = {
        Report("<a@b>", frozenset(), kind, status).digest
        for kind in Kind
        for status in ("5.1.1", "5.2.2")
    }
    assert len(made) == 6
