"""The last question before a mail is begun: what people change stops it, and nothing else does."""

from datetime import timedelta

import pytest
from django.utils import timezone

from patients.models import Appointment, PlanRequest, RelatedPerson, StepResponse
from portal.models import SendingSwitch
from reminders import boarding, outcomes, pipeline
from reminders.models import Decision, Message, Preference, Reminder, SendingChannel, Suppression
from tests.factories import (
    NOW,
    make_appointment,
    make_carer,
    make_episode,
    make_message,
    make_patient,
    make_reminder,
    make_user,
    make_version,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(people):
    """A reminder of a carer about a visit, claimed, with its mail made."""
    patient = make_patient(people.clinic, email="pat-one@example.com")
    episode = make_episode(patient, make_version(people.clinic, {"bag": {"category": "xray"}}))
    carer = make_user("carer-one@example.com")
    make_carer(patient, carer)
    return made(make_reminder(episode, recipient=carer, appointment=make_appointment(episode)))


def made(row):
    Reminder.objects.filter(pk=row.pk).update(
        state="claimed", claimed_by="token", lease_until=timezone.now() + timedelta(minutes=5)
    )
    row.mail = make_message(
        row.recipient, row.episode.patient.clinic, state="sending", sent_at=None, attempts=1
    )
    return row


def board(*rows, token="token"):
    return boarding.board({row.pk: row.mail.pk for row in rows}, token, NOW, NOW.date())


def update(thing, **values):
    type(thing).objects.filter(pk=thing.pk).update(**values)


def test_what_nothing_speaks_against_is_handed_over(row):
    assert board(row) == {row.pk}

    row.refresh_from_db()
    assert (row.message, row.state) == (row.mail, "claimed")


CHANGES = {
    "taken back": lambda row: update(row, state="retrying", lease_until=None),
    "cancelled": lambda row: update(row, state="cancelled", lease_until=None),
    "claimed by another": lambda row: update(row, claimed_by="another"),
    "died": lambda row: update(row.episode.patient, deceased_on=NOW.date()),
    "no contact": lambda row: update(row.episode.patient, is_restricted=True),
    "episode cancelled": lambda row: update(row.episode, status="cancelled"),
    "account closed": lambda row: update(row.recipient, is_active=False),
    "another address": lambda row: update(row.recipient, email="new-one@example.com"),
    "access ended": lambda row: RelatedPerson.objects.filter(user=row.recipient).update(
        ended_at=NOW
    ),
    "visit off": lambda row: Appointment.objects.filter(pk=row.appointment_id).update(
        status="cancelled"
    ),
    "opted out": lambda row: Preference.objects.create(
        user=row.recipient, category=row.category, is_on=False
    ),
    "mail paused": lambda row: update(
        row.recipient, paused_from=NOW.date(), paused_until=NOW.date()
    ),
    "address gone": lambda row: Suppression.objects.create(
        address=row.recipient.email, reason="no_such_address"
    ),
    "moved a moment ago": lambda row: PlanRequest.objects.create(
        episode=row.episode, reason="anchor.surgery", requested_at=NOW
    ),
    "marked as done": lambda row: StepResponse.objects.create(
        episode=row.episode, step=row.step, occurrence=row.occurrence, by=row.recipient,
        answer="done", answered_at=NOW,
    ),
    "sending stopped": lambda row: SendingSwitch.objects.create(is_on=False),
    "all mail paused": lambda row: paused(""),
    "the domain paused": lambda row: paused("example.com"),
}  # fmt: skip


def paused(domain):
    until = timezone.now() + timedelta(minutes=1)
    SendingChannel.objects.create(domain=domain, paused_until=until, changed_at=NOW, pauses=1)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_changed_before_stops_it(row, change):
    change(row)

    assert board(row) == set()
    row.refresh_from_db()
    assert row.message is None


KEPT = {
    "another's choice": lambda row: Preference.objects.create(
        user=row.episode.patient.user, category=row.category, is_on=False
    ),
    "another category": lambda row: Preference.objects.create(
        user=row.recipient, category="surgery", is_on=False
    ),
    "a choice taken back": lambda row: Preference.objects.create(
        user=row.recipient, category=row.category, is_on=True
    ),
    "an address that works again": lambda row: Suppression.objects.create(
        address=row.recipient.email, reason="bounced", lifted_at=NOW
    ),
    "a plan that cannot be made": lambda row: PlanRequest.objects.create(
        episode=row.episode, reason="anchor.surgery", requested_at=NOW - timedelta(minutes=16)
    ),
    "a question about the step": lambda row: StepResponse.objects.create(
        episode=row.episode, step=row.step, occurrence=row.occurrence, by=row.recipient,
        answer="question", answered_at=NOW,
    ),
    "a pause that is over": lambda row: update(
        row.recipient,
        paused_from=NOW.date() - timedelta(days=2),
        paused_until=NOW.date() - timedelta(days=1),
    ),
    "another domain paused": lambda row: paused("ample.com"),
    "sending on": lambda row: SendingSwitch.objects.create(is_on=True),
}  # fmt: skip


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT.keys())
def test_what_concerns_others_stops_nothing(row, change):
    change(row)

    assert board(row) == {row.pk}


def test_an_essential_mail_cannot_be_switched_off(row):
    CHANGES["opted out"](row)
    update(row, is_essential=True)

    assert board(row) == {row.pk}


def test_the_one_is_stopped_and_the_others_go(row, people):
    other = made(make_reminder(make_episode(make_patient(people.clinic), people.adult_version)))
    CHANGES["opted out"](row)

    assert board(row, other) == {other.pk}


@pytest.mark.parametrize("number", [1, 3])
def test_the_question_is_one_statement_for_one_and_for_many(
    row, people, number, django_assert_num_queries
):
    episode = make_episode(make_patient(people.clinic), people.adult_version)
    rows = [made(make_reminder(episode)) for _ in range(number)]

    with django_assert_num_queries(1):
        assert board(*rows) == {each.pk for each in rows}


# In the run


@pytest.fixture
def at_the_last_moment(monkeypatch):
    """`at_the_last_moment(do)`: `do` happens when the mail is made and stored, just before it is handed over."""

    def arrange(do):
        board = boarding.board

        def do_and_board(*args):
            monkeypatch.setattr(boarding, "board", board)
            do()
            return board(*args)

        monkeypatch.setattr(boarding, "board", do_and_board)

    return arrange


ENDS = {
    "died": ("cancelled", "patient_deceased"),
    "no contact": ("cancelled", "no_contact"),
    "episode cancelled": ("cancelled", "episode_closed"),
    "account closed": ("cancelled", "account_closed"),
    "access ended": ("cancelled", "access_ended"),
    "visit off": ("cancelled", "appointment_off"),
    "opted out": ("skipped", "switched_off"),
    "mail paused": ("skipped", "paused"),
    "address gone": ("failed", "address_suppressed"),
    "marked as done": ("skipped", "already_done"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_was_stopped_at_the_last_moment_ends_with_its_reason(
    row, name, at_the_last_moment, smtp_server
):
    update(row, state="planned", lease_until=None)
    at_the_last_moment(lambda: CHANGES[name](row))

    pipeline.dispatch(now=NOW)

    row.refresh_from_db()
    assert (row.state, row.reason) == ENDS[name]
    assert smtp_server.delivered == []
    assert not Message.objects.exclude(pk=row.mail.pk).exists()


@pytest.mark.parametrize("name", ["moved a moment ago", "sending stopped", "all mail paused"])
def test_what_has_to_wait_at_the_last_moment_waits(row, name, at_the_last_moment, smtp_server):
    update(row, state="planned", lease_until=None)
    at_the_last_moment(lambda: CHANGES[name](row))

    pipeline.dispatch(now=NOW)

    row.refresh_from_db()
    assert (row.is_open, row.message, smtp_server.delivered) == (True, None, [])
    assert not Message.objects.exclude(pk=row.mail.pk).exists()


def test_another_address_at_the_last_moment_gets_the_mail(row, at_the_last_moment, smtp_server):
    update(row, state="planned", lease_until=None)
    at_the_last_moment(lambda: CHANGES["another address"](row))

    pipeline.dispatch(now=NOW)

    assert [mail.recipients for mail in smtp_server.delivered] == [["new-one@example.com"]]


def test_a_mail_that_was_tried_before_is_stopped_too_and_keeps_its_message(
    row, at_the_last_moment, smtp_server
):
    update(row, state="planned", lease_until=None)
    smtp_server.data_replies.append("451 later")
    pipeline.dispatch(now=NOW)
    row.refresh_from_db()
    first = row.message
    later = NOW + outcomes.FIRST_WAIT
    at_the_last_moment(lambda: SendingSwitch.objects.create(is_on=False))

    pipeline.dispatch(now=later)

    row.refresh_from_db()
    first.refresh_from_db()
    assert (row.state, row.message, first.state, first.attempts) == (
        "retrying", first, "retrying", 1,
    )  # fmt: skip
    assert Decision.objects.filter(reminder=row).count() == 1


def test_what_was_made_and_never_begun_goes_once_its_worker_is_long_dead(row):
    pipeline.recover(now=NOW + pipeline.LEASE)
    assert Message.objects.filter(pk=row.mail.pk, state="sending").exists()

    Message.objects.filter(pk=row.mail.pk).update(created_at=NOW)
    pipeline.recover(now=NOW + pipeline.LEASE + timedelta(seconds=1))

    assert not Message.objects.filter(pk=row.mail.pk).exists()
