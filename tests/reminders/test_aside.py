"""A run with many mails asks and stores on connections of its own where the database lets it, and leaves none."""

import threading
from collections import Counter
from contextlib import closing

import pytest
from django.db import OperationalError, connection

from portal import kept_plans
from reminders import aside, boarding, pipeline
from reminders.models import Message, Reminder
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_version,
)

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 3 * pipeline.MANY // 2
ASIDE = "aside" if connection.vendor == "postgresql" else "MainThread"


@pytest.fixture
def due(stopped_clock):
    """So many reminders due that further connections are worth opening."""
    clinic = make_clinic()
    version = make_version(clinic, {"bag": {}})
    for place in range(MANY):
        patient = make_patient(clinic, email=f"reader-{place}@example.com")
        make_reminder(make_episode(patient, version))


@pytest.fixture
def where(monkeypatch):
    """In which threads it was asked and stored."""
    threads: dict[str, list[str]] = {"asked": [], "stored": []}

    def noting(name, act):
        def run(*args):
            threads[name].append(threading.current_thread().name.partition("_")[0])
            return act(*args)

        return run

    monkeypatch.setattr(boarding, "board", noting("asked", boarding.board))
    monkeypatch.setattr(pipeline, "store", noting("stored", pipeline.store))
    return threads


def everybody_once():
    return Counter({f"reader-{place}@example.com": 1 for place in range(MANY)})


def test_many_are_asked_about_and_stored_aside(due, smtp_server, where):
    assert pipeline.dispatch(now=NOW).sent == MANY

    assert Counter(mail.recipients[0] for mail in smtp_server.delivered) == everybody_once()
    assert {where["asked"][-1], where["stored"][-1]} == {ASIDE}
    assert not [each for each in threading.enumerate() if each.name.startswith("aside")]


def test_few_are_not_worth_a_further_connection(due, smtp_server, where):
    Reminder.objects.filter(pk__in=Reminder.objects.values("pk")[5:]).delete()

    assert pipeline.dispatch(now=NOW).sent == 5

    assert set(where["asked"]) == set(where["stored"]) == {"MainThread"}


def test_a_database_without_a_further_connection_gets_along_with_one(
    due, smtp_server, where, monkeypatch
):
    monkeypatch.setattr(aside, "_connect", lambda: False)

    assert pipeline.dispatch(now=NOW).sent == MANY

    assert set(where["asked"]) == {"MainThread"}


def test_what_could_not_be_stored_goes_in_the_next_run(due, smtp_server, monkeypatch):
    stored, store = [], pipeline.store

    def fail_later(letters, *args):
        if stored:
            raise OperationalError("gone")
        stored.append(letters)
        store(letters, *args)

    monkeypatch.setattr(pipeline, "store", fail_later)
    with pytest.raises(OperationalError):
        pipeline.dispatch(now=NOW)
    monkeypatch.setattr(pipeline, "store", store)

    pipeline.dispatch(now=NOW)

    assert Counter(mail.recipients[0] for mail in smtp_server.delivered) == everybody_once()
    # What was made and never begun belongs to nobody, and `recover` clears it away.
    assert not Message.objects.exclude(state="sent").exclude(reminders=None).exists()


def looks_through_tables():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting(name) FROM unnest(ARRAY['enable_seqscan', 'jit']) AS name"
        )
        (looks,), (compiles,) = cursor.fetchall()
        assert looks == compiles
        return looks == "on"


@pytest.mark.server
@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_asked_aside_is_looked_up_and_the_rest_as_the_server_likes(monkeypatch, keeps):
    """Behind a pooler the connection is somebody else's next, and is left as it was."""
    monkeypatch.setattr(kept_plans, "is_kept", lambda connection: keeps)
    with closing(aside.Aside()) as questions:
        questions.open()

        assert questions.do(looks_through_tables).result() is not keeps
    assert looks_through_tables()


@pytest.mark.server
def test_a_pooler_that_changes_connections_only_costs_time(due, smtp_server, monkeypatch):
    board, answers = boarding.board, []

    def forgetful(*args):
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")
        answers.append(board(*args))
        return answers[-1]

    monkeypatch.setattr(boarding, "board", forgetful)

    assert pipeline.dispatch(now=NOW).sent == MANY
    assert all(answers)
