"""Many dispatchers, planners and people at once: nothing twice, nothing lost, nothing after it was cancelled."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from patients.models import Episode
from reminders import actions, claiming, letters, pipeline
from reminders.models import Message, Reminder, Sheet
from reminders.planning import plan_requested
from reminders.reconciler import reconcile
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_staff,
    make_version,
)

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
STEPS = {"bag": {"offset_value": -1, "late_policy": "send_now", "repeat_policy": "correct"}}


@pytest.fixture
def clinic(stopped_clock):
    return make_clinic()


def taken(smtp_server):
    """The Message-IDs that the mail server took, with whom they went to."""
    return [(mail.message["Message-ID"], mail.recipients[0]) for mail in smtp_server.delivered]


def at_once(*jobs):
    """Run the jobs in threads that start together; raise what any of them raised."""
    start, raised = threading.Barrier(len(jobs)), []

    def run(job):
        try:
            start.wait(10)
            job()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []


def due(clinic, number):
    version = make_version(clinic, STEPS)
    return [
        make_reminder(
            make_episode(make_patient(clinic, email=f"reader-{place}@example.com"), version)
        )
        for place in range(number)
    ]


def dispatch():
    pipeline.dispatch(now=NOW)


def test_three_dispatchers_at_once_send_everything_once(clinic, smtp_server, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 4)
    due(clinic, 24)

    at_once(dispatch, dispatch, dispatch)

    assert Counter(to for _, to in taken(smtp_server)) == {
        f"reader-{place}@example.com": 1 for place in range(24)
    }
    assert set(Reminder.objects.values_list("state", flat=True)) == {"sent"}
    assert Message.objects.count() == 24


@pytest.mark.server
def test_workers_that_claim_at_once_leave_one_persons_reminders_together(clinic):
    """Each has found one of two reminders for the same person before either looks for the other."""
    version = make_version(clinic, STEPS)
    episode = make_episode(make_patient(clinic, email="reader@example.com"), version)
    rows = [make_reminder(episode) for _ in range(2)]
    both_have_looked, taken = threading.Barrier(2), []

    def look(execute, sql, *args):
        found = execute(sql, *args)
        if "SKIP LOCKED" in sql and not both_have_looked.broken:
            # Whoever is kept waiting outside does not come: then the first goes on alone.
            with suppress(threading.BrokenBarrierError):
                both_have_looked.wait(0.3)
        return found

    def claim(token):
        with connection.execute_wrapper(look):
            taken.append(pipeline.claim(token=token, now=NOW, batch=1))

    at_once(lambda: claim("a"), lambda: claim("b"))

    assert sorted(map(len, taken)) == [0, len(rows)]


@pytest.mark.server
def test_workers_that_store_the_same_sheets_do_not_wait_for_each_other(clinic):
    """One has stored the first and is about to store the second; the other has them the other way round."""
    first, second = (Sheet(id=UUID(int=number), text=[], html=[]) for number in (1, 2))
    is_first_there = threading.Event()

    def one_after_the_other():
        with transaction.atomic():
            letters._store_sheets({first.pk: first})
            is_first_there.set()
            assert waits_for_a_lock(30)
            letters._store_sheets({second.pk: second})

    def the_other_way_round():
        assert is_first_there.wait(30)
        letters._store_sheets({second.pk: second, first.pk: first})

    at_once(one_after_the_other, the_other_way_round)

    assert Sheet.objects.count() == 2


def waits_for_a_lock(seconds):
    """Whether, within so many seconds, a connection to this database waits for another."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(seconds * 20):
        with connection.cursor() as cursor:
            # Within a transaction it would be what it was the first time.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(sql)
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.05)
    return False


@pytest.mark.server
def test_who_stands_still_in_a_claim_does_not_stop_the_others(clinic, monkeypatch):
    monkeypatch.setattr(claiming, "_PATIENCE", 0.1)
    rows = due(clinic, 2)
    claimed, may_end, taken = threading.Event(), threading.Event(), []

    def stand_still():
        with transaction.atomic():
            taken.extend(pipeline.claim(token="slow", now=NOW, batch=1))
            claimed.set()
            assert may_end.wait(30)

    def claim():
        assert claimed.wait(30)
        try:
            taken.extend(pipeline.claim(token="quick", now=NOW, batch=1))
        finally:
            may_end.set()

    at_once(stand_still, claim)

    assert sorted(taken) == sorted(row.pk for row in rows)


def test_dispatchers_sweepers_and_planners_at_once_do_no_harm(clinic, smtp_server, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 3)
    rows = due(clinic, 12)
    staff = make_staff(clinic, "clerk")

    def plan():
        for episode in Episode.objects.all():
            reconcile(episode, now=NOW)

    def recover():
        for _ in range(5):
            pipeline.recover(now=NOW)
            plan_requested(now=NOW)

    def stop():
        for row in rows[:3]:
            with suppress(ValidationError):
                actions.stop(reminder=row, by=staff, now=NOW, reason="phoned")

    at_once(dispatch, dispatch, plan, recover, stop)
    dispatch()

    gone = {
        row.recipient.email
        for row in Reminder.objects.filter(state="sent").select_related("recipient")
    }
    assert Counter(to for _, to in taken(smtp_server)) == dict.fromkeys(gone, 1)
    assert not Reminder.objects.filter(state__in=("claimed", "retrying")).exists()


@pytest.mark.parametrize("seed", range(6))
def test_what_was_cancelled_before_it_was_handed_over_does_not_go(clinic, smtp_server, seed):
    """Cancelling against dispatching: a reminder ends as sent if and only if its mail went."""
    chance = random.Random(seed)
    staff = make_staff(clinic, "clerk")
    rows = due(clinic, 4)

    def cancel():
        for row in chance.sample(rows, len(rows)):
            actions.cancel_surgery(episode=row.episode, by=staff, now=NOW, reason="ill")

    at_once(*chance.sample([dispatch, cancel], 2))

    told = {message_id for message_id, _ in taken(smtp_server)}
    for row in rows:
        row.refresh_from_db()
        assert (row.state == "sent") == (row.message is not None and row.message.message_id in told)
        assert row.state in {"sent", "cancelled"}


@pytest.mark.parametrize("seed", range(6))
def test_what_moved_while_it_was_dispatched_comes_once_for_each_date_told(
    clinic, smtp_server, seed
):
    chance = random.Random(seed)
    staff = make_staff(clinic, "clerk")
    version = make_version(clinic, STEPS)
    episode = make_episode(make_patient(clinic), version, surgery_on=NOW.date() + timedelta(days=1))
    reconcile(episode, now=NOW)

    def move():
        actions.move_anchor(
            episode=episode, anchor="surgery", on=NOW.date() + timedelta(days=20), by=staff, now=NOW
        )

    at_once(*chance.sample([dispatch, move], 2))
    plan_requested(now=NOW)
    pipeline.dispatch(now=NOW + timedelta(days=19, hours=2))

    rows = list(
        Reminder.objects.filter(step__key="bag")
        .order_by("correction")
        .values_list("correction", "state")
    )
    assert rows in ([(0, "sent"), (1, "sent")], [(0, "sent")])
    assert len({message_id for message_id, _ in taken(smtp_server)}) == len(smtp_server.delivered)
    last = Reminder.objects.filter(step__key="bag").latest("correction")
    assert last.counted_from == str(NOW.date() + timedelta(days=20))


def test_two_moves_of_one_date_take_turns(clinic, smtp_server):
    staff = make_staff(clinic, "clerk")
    episode = make_episode(make_patient(clinic), make_version(clinic, STEPS))

    def move_by(days):
        return lambda: actions.move_anchor(
            episode=episode,
            anchor="surgery",
            on=NOW.date() + timedelta(days=days),
            by=staff,
            now=NOW,
        )

    at_once(move_by(30), move_by(40), move_by(50))
    dispatch()

    on = Episode.objects.get(pk=episode.pk).surgery_on
    (row,) = Reminder.objects.filter(kind="step")
    assert row.local_date == on - timedelta(days=1)
    notices = Reminder.objects.filter(kind="surgery_moved")
    assert notices.filter(state="sent").count() == 1
    assert notices.get(state="sent").context == {"old": "2026-04-27", "new": str(on)}
