"""The books: every reminder that fell due has an end that can be shown, and what has none is found."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from reminders import balance, pipeline
from reminders.models import DailyBalance, Message, Reminder
from reminders.tasks import check_balance
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
SETTLED = {"settled_at": NOW, "reason": "too_old"}


@pytest.fixture
def episode(stopped_clock):
    clinic = make_clinic()
    return make_episode(make_patient(clinic), make_version(clinic, {"bag": {}}))


def counted(row):
    return {
        side: getattr(row, side) for side in ("due", *balance.SIDES, "gap") if getattr(row, side)
    }


def test_every_end_is_counted_on_its_side(episode):
    make_message(episode.patient.user, episode.patient.clinic, [make_reminder(episode)])
    for state in ("skipped", "cancelled", "missed", "failed"):
        make_reminder(episode, state=state, **SETTLED)
    make_reminder(episode)
    make_reminder(episode, state="retrying")
    make_reminder(episode, state="claimed", lease_until=timezone.now() + timedelta(minutes=5))

    assert balance.check(now=NOW) == []

    [row] = DailyBalance.objects.all()
    assert counted(row) == {
        "due": 8, "sent": 1, "skipped": 1, "cancelled": 1, "missed": 1, "failed": 1, "in_flight": 3,
    }  # fmt: skip


def test_clinics_and_days_are_counted_apart(episode):
    other = make_clinic("Other clinic")
    make_reminder(episode)
    make_reminder(episode, local_date=NOW.date() - timedelta(days=1))
    make_reminder(make_episode(make_patient(other), make_version(other, {"bag": {}})))
    make_reminder(episode, local_date=NOW.date() - timedelta(days=30))

    balance.check(now=NOW)

    assert sorted(DailyBalance.objects.values_list("clinic__name", "day", "due")) == [
        ("Harbour Hip Clinic", NOW.date() - timedelta(days=1), 1),
        ("Harbour Hip Clinic", NOW.date(), 1),
        ("Other clinic", NOW.date(), 1),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "planned", "valid_until": NOW - timedelta(hours=1), "due_at": NOW - timedelta(hours=2)},
        {"state": "claimed", "lease_until": NOW - timedelta(hours=1)},
        {"state": "missed", "reason": "too_old"},
        {"state": "failed", "settled_at": NOW},
    ],
)  # fmt: skip
def test_what_cannot_be_accounted_for_is_a_gap_and_alerts(episode, broken, caplog):
    make_reminder(episode)
    make_reminder(episode, **broken)

    [gap] = balance.check(now=NOW)

    assert (gap.due, gap.gap) == (2, 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert [row.gap for row in balance.gaps(now=NOW)] == [1]


def test_a_message_without_its_moment_does_not_count_as_sent(episode):
    make_message(episode.patient.user, episode.patient.clinic, [make_reminder(episode)])
    Message.objects.update(state="sending", sent_at=None)

    [gap] = balance.check(now=NOW)

    assert (gap.sent, gap.gap) == (0, 1)


def test_what_was_sent_and_vanished_is_a_gap_that_stays(episode):
    make_message(episode.patient.user, episode.patient.clinic, [make_reminder(episode)])
    assert balance.check(now=NOW) == []
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reminders_reminder")

    for _ in range(2):
        [gap] = balance.check(now=NOW)
        assert (gap.sent, gap.gap) == (1, 1)


def test_a_gap_closes_once_the_cause_is_gone(episode):
    row = make_reminder(episode, state="claimed", lease_until=NOW - timedelta(hours=1))
    assert len(balance.check(now=NOW)) == 1

    pipeline.recover(now=NOW)
    assert Reminder.objects.get(pk=row.pk).state == "retrying"

    assert balance.check(now=NOW) == []
    assert list(balance.gaps(now=NOW)) == []


def test_the_books_hold_through_a_whole_plan(planned, stopped_clock):
    for due_at in sorted(set(Reminder.objects.values_list("due_at", flat=True)))[:40]:
        stopped_clock.move_to(due_at)
        pipeline.dispatch(now=due_at)
        pipeline.recover(now=due_at)
        assert balance.check(now=due_at) == []

    totals = [row.sent + row.skipped for row in DailyBalance.objects.all()]
    assert sum(totals) > 20


def test_one_statement_counts_however_many_there_are(episode, django_assert_num_queries):
    for _ in range(3):
        make_reminder(episode)

    with django_assert_num_queries(6):  # which days, counting, and keeping it in one transaction
        balance.check(now=NOW)


def looked_at(moment):
    """Check the books at a moment; the days that were counted, seen from today."""
    balance.check(now=moment)
    rows = DailyBalance.objects.filter(checked_at=moment).values_list("day", flat=True)
    return sorted((day - NOW.date()).days for day in rows)


def test_days_on_which_all_has_ended_take_turns(episode):
    for days in range(-7, 2):
        ended = make_reminder(episode, local_date=NOW.date() + timedelta(days=days))
        make_message(episode.patient.user, episode.patient.clinic, [ended])
    make_reminder(episode, local_date=NOW.date() - timedelta(days=5))
    minutes = [NOW + timedelta(minutes=n) for n in range(8)]

    assert looked_at(minutes[0]) == list(range(-7, 2))
    turns = [looked_at(moment) for moment in minutes[1:]]

    # The fifth day before has one that is still on its way.
    assert turns == [sorted({-5, -1, 0, 1} | {old}) for old in (-7, -6, -4, -3, -2, -7, -6)]


def test_what_vanished_days_ago_is_found_when_its_day_has_its_turn(episode):
    for days in (-4, -3):
        old = make_reminder(episode, local_date=NOW.date() + timedelta(days=days))
        make_message(episode.patient.user, episode.patient.clinic, [old])
    assert balance.check(now=NOW) == []
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reminders_reminder")

    found = [balance.check(now=NOW + timedelta(minutes=n)) for n in (1, 2, 3)]

    # A day with a gap is counted every time until the gap is closed.
    assert [len(gaps) for gaps in found] == [1, 2, 2]


def test_readiness_tells_of_a_gap(episode):
    make_reminder(episode, state="missed", reason="too_old", valid_until=NOW)
    assert check_balance() == 1

    body = Client().get("/health/ready").json()

    assert "unaccounted" in body["unwell"]
    assert body["checks"]["unaccounted"] == 1
