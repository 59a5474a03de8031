"""Pauses that mail servers ask for, a channel that refuses us, and limits on mails a second."""

from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from portal.mail import Answer, Outcome
from reminders import pacing, pipeline
from reminders.models import Decision, Message, Reminder, SendingChannel
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_version,
)

pytestmark = pytest.mark.django_db
SLOW = Answer(Outcome.SLOW_DOWN, "421 4.7.0 too fast")


@pytest.fixture
def due(stopped_clock):
    """`due("a@one.example", …)`: one reminder each, due now, the first a little earlier than the next."""
    clinic = make_clinic()
    version = make_version(clinic, {"bag": {}})

    def make(*addresses):
        return [
            make_reminder(
                make_episode(make_patient(clinic, email=each), version),
                due_at=NOW - timedelta(seconds=len(addresses) - number),
            )
            for number, each in enumerate(addresses)
        ]

    return make


def states():
    return dict(Reminder.objects.values_list("recipient__email", "state"))


def test_a_domain_that_asks_for_less_gets_no_more_mail_for_a_minute(
    due, smtp_server, stopped_clock
):
    due("a@busy.example", "b@busy.example", "c@free.example")
    smtp_server.rcpt_replies.append("421 4.7.0 too many mails from you")

    tally = pipeline.dispatch(now=NOW)

    assert states() == {
        "a@busy.example": "retrying",
        "b@busy.example": "retrying",
        "c@free.example": "sent",
    }
    assert (tally.sent, tally.retrying, tally.waiting) == (1, 1, 1)
    row = SendingChannel.objects.get()
    assert (row.domain, row.pauses, row.reason) == ("busy.example", 1, "asked_to_slow_down")
    assert row.paused_until == NOW + timedelta(minutes=1)

    stopped_clock.shift(timedelta(seconds=61))
    pipeline.dispatch(now=timezone.now())

    assert set(states().values()) == {"sent"}
    assert SendingChannel.objects.get().pauses == 0


def test_what_was_laid_by_counts_as_no_attempt_and_says_why(due, smtp_server):
    due("a@busy.example", "b@busy.example")
    smtp_server.rcpt_replies.append("450 4.7.1 greylisted")

    pipeline.dispatch(now=NOW)

    assert list(Message.objects.values_list("to_address", "attempts")) == [("a@busy.example", 1)]
    why = Decision.objects.get(reminder__recipient__email="b@busy.example")
    assert (why.outcome, why.gate, why.value) == ("wait", "domain_slowed", "busy.example")


@pytest.mark.parametrize("is_known", [True, False], ids=["known before", "told meanwhile"])
def test_what_ends_during_a_pause_is_missed_when_it_ends_and_not_after_the_pause(
    due, smtp_server, is_known
):
    (*_, last) = due("a@busy.example", "b@busy.example")
    Reminder.objects.filter(pk=last.pk).update(valid_until=NOW + timedelta(seconds=20))
    if is_known:
        pacing.pause("busy.example", SLOW, reason="asked_to_slow_down")
    smtp_server.rcpt_replies.append("421 4.7.0 too many mails from you")
    pipeline.dispatch(now=NOW)
    assert set(states().values()) <= {"planned", "retrying"}

    assert pipeline.recover(now=NOW + timedelta(seconds=19)) == (0, 0)
    assert pipeline.recover(now=NOW + timedelta(seconds=20)) == (0, 1)

    last.refresh_from_db()
    assert (last.state, last.reason) == ("missed", "too_old")
    assert smtp_server.delivered == []


def test_pauses_double_up_to_an_hour(stopped_clock):
    lengths = []
    for _ in range(9):
        row = pacing.pause("busy.example", SLOW, reason="asked_to_slow_down")
        assert row.paused_until is not None
        lengths.append((row.paused_until - timezone.now()) / timedelta(minutes=1))
        stopped_clock.move_to(row.paused_until.astimezone(UTC), tick=False)

    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_answer_during_a_pause_does_not_make_it_longer(stopped_clock):
    first = pacing.pause("busy.example", SLOW, reason="asked_to_slow_down").paused_until
    again = pacing.pause("busy.example", SLOW, reason="asked_to_slow_down")

    assert (again.paused_until, again.pauses) == (first, 1)


def test_a_refused_login_stops_everything_says_so_and_is_tried_again(
    due, smtp_server, settings, stopped_clock, caplog
):
    due("a@one.example", "b@two.example")
    settings.EMAIL_USE_TLS = True  # which this server does not offer

    pipeline.dispatch(now=NOW)

    row = pacing.stopped()
    assert row is not None
    assert (row.reason, str(row)) == ("login_or_tls_refused", "all mail")
    assert "STARTTLS" in row.response
    assert set(states().values()) == {"retrying"}
    assert "all mail is stopped" in caplog.text
    settings.EMAIL_USE_TLS = False
    assert pipeline.dispatch(now=NOW + timedelta(seconds=59)).total == 0

    stopped_clock.shift(timedelta(minutes=2))
    pipeline.dispatch(now=timezone.now())

    assert set(states().values()) == {"sent"}
    assert pacing.stopped() is None


def test_without_limits_nothing_is_read(django_assert_num_queries):
    with django_assert_num_queries(0):
        turns = pacing.slots(["a@one.example", "b@one.example"])

    assert turns == [pacing.Slot(), pacing.Slot()]


def test_turns_keep_to_both_limits_over_all_batches(settings, stopped_clock):
    settings.MAIL_PER_SECOND, settings.MAIL_PER_SECOND_PER_DOMAIN = 10, 2
    batch = ["a@one.example", "b@one.example", "c@two.example"]

    moments = [[slot.remaining.total_seconds() for slot in pacing.slots(batch)] for _ in range(2)]

    assert moments == [[0, 0.5, 0.2], [1.0, 1.5, 0.5]]


def test_what_would_wait_too_long_is_laid_by(settings, stopped_clock):
    settings.MAIL_PER_SECOND = 1

    turns = pacing.slots([f"{n}@one.example" for n in range(30)])

    assert sum(slot.goes for slot in turns) == 21
    assert {slot.remaining for slot in turns if not slot.goes} == {timedelta(seconds=21)}


def test_a_run_keeps_to_the_limit_by_the_clock(transactional_db, smtp_server, settings):
    settings.MAIL_PER_SECOND = 20
    clinic = make_clinic()
    version = make_version(clinic, {"bag": {}})
    for _ in range(9):
        make_reminder(
            make_episode(make_patient(clinic), version),
            due_at=timezone.now(), valid_until=timezone.now() + timedelta(days=1),
        )  # fmt: skip
    Reminder.objects.update(is_essential=True)
    clinic.__class__.objects.update(sending_from="00:00", sending_until="23:59:59")

    started = timezone.now()
    pipeline.dispatch(now=started)

    assert len(smtp_server.delivered) == 9
    assert timezone.now() - started >= timedelta(seconds=8 / 20)
