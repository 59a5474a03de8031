"""/metrics: the right numbers, for the right reader, and nothing about anyone. Logs carry ids and no names."""

import json
import logging
from datetime import timedelta

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from patients.models import PlanRequest
from portal import heartbeat
from portal.log_format import JsonLines
from portal.mail import Answer, Outcome
from portal.models import SendingSwitch
from reminders import balance, counting, pacing, pipeline
from reminders.models import Counter, Decision, Message, Reminder
from reminders.tasks import recover
from tests.factories import (
    NOW,
    make_clinic,
    make_episode,
    make_patient,
    make_reminder,
    make_version,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def episode(stopped_clock):
    clinic = make_clinic()
    patient = make_patient(clinic, email="pat.secret@private.example", family_name="Canary")
    return make_episode(
        patient, make_version(clinic, {"bag": {}, "walk": {"category": "physiotherapy"}})
    )


def read(**headers):
    response = Client().get("/metrics", headers=headers)
    assert response.status_code == 200
    found = {}
    for family in text_string_to_metric_families(response.content.decode()):
        for sample in family.samples:
            name = sample.name.removeprefix("stepwise_")
            labels = [sample.labels[label] for label in sorted(sample.labels)]
            found[" ".join([name, *labels])] = sample.value
    return found


def count_twice(clock):
    """Let decisions be counted: a stretch is looked at once it is old enough."""
    for _ in range(2):
        clock.shift(timedelta(seconds=counting.SETTLES_IN + 1))
        counting.count_decisions()


def test_what_waits_and_what_is_in_the_way(episode):
    make_reminder(episode, due_at=NOW - timedelta(minutes=7))
    make_reminder(episode, state="claimed", lease_until=NOW - timedelta(hours=1))
    PlanRequest.objects.create(episode=episode, reason="test")
    SendingSwitch.objects.create(is_on=False, reason="storm")
    pacing.pause("busy.example", Answer(Outcome.SLOW_DOWN, "421"), reason="asked_to_slow_down")
    pacing.pause("", Answer(Outcome.CHANNEL_REFUSED, "535"), reason="login_or_tls_refused")
    balance.check(now=NOW)
    heartbeat.beat("dispatch")

    found = read()

    assert {name: found[name] for name in found if "created" not in name} == {
        "reminders_due": 1, "oldest_overdue_seconds": 420, "reminders_in_flight": 1, "plan_requests": 1,
        "sending_on": 0, "channel_open": 0, "domains_slowed": 1, "reminders_unaccounted": 1,
        "broker_up": 0, "queue_depth": 0, "lease_recoveries_total": 0, "beat_age_seconds dispatch": 0,
    }  # fmt: skip


def test_what_was_sent_failed_and_taken_back_only_grows(episode, smtp_server, stopped_clock):
    walk = episode.version.steps.get(key="walk")
    for step in (episode.version.steps.get(key="bag"), walk):
        make_reminder(episode, step)
    pipeline.dispatch(now=NOW)
    smtp_server.data_replies.append("554 5.6.0 no")
    make_reminder(episode, walk)
    pipeline.dispatch(now=NOW)
    make_reminder(episode, state="claimed", lease_until=NOW - timedelta(hours=1))
    recover()
    count_twice(stopped_clock)

    found = read()

    assert found["sent_total preparation"] == 1
    assert found["sent_total physiotherapy"] == 1
    assert found["failures_total refused"] == 1
    assert found["decisions_total all_gates send"] == 2
    assert found["lease_recoveries_total"] == 1


def test_whatever_keeps_a_mail_from_being_taken_is_a_failure_of_its_class(episode, stopped_clock):
    row = make_reminder(episode)
    kept = {"mail_server", "in_doubt", "channel_stopped", "domain_slowed"}
    for gate in (*kept, "daily_cap", "sending_window"):
        Decision.objects.create(reminder=row, outcome="wait", gate=gate)
    Decision.objects.create(reminder=row, outcome="fail", gate="bounced")
    count_twice(stopped_clock)

    failures = {name for name in read() if name.startswith("failures_total")}

    assert failures == {f"failures_total {gate}" for gate in (*kept, "bounced")}


def test_each_decision_is_counted_once_however_often_and_late(episode, stopped_clock):
    row = make_reminder(episode)
    for _ in range(3):
        Decision.objects.create(reminder=row, outcome="wait", gate="daily_cap")
        count_twice(stopped_clock)

    assert counting.totals("decision:") == {"wait:daily_cap": 3}


def test_a_decision_written_a_moment_ago_waits_for_slower_ones(episode, stopped_clock):
    counting.count_decisions()
    first = Decision(id=1001, reminder=make_reminder(episode), outcome="wait", gate="daily_cap")
    Decision.objects.create(id=1002, reminder=first.reminder, outcome="wait", gate="daily_cap")
    stopped_clock.shift(timedelta(seconds=counting.SETTLES_IN + 1))
    counting.count_decisions()  # sees 1002; 1001 is in a transaction that has not ended
    first.save()
    stopped_clock.shift(timedelta(seconds=1))
    counting.count_decisions()
    assert counting.totals("decision:") == {}

    stopped_clock.shift(timedelta(seconds=counting.SETTLES_IN))
    counting.count_decisions()
    assert counting.totals("decision:") == {"wait:daily_cap": 2}


def test_numbers_grow_from_nothing():
    counting.add("one", 0)
    assert Counter.objects.count() == 0

    counting.add("one", 2)
    counting.add("one", 3)
    assert counting.totals("one") == {"": 5}


def test_reading_changes_nothing(episode):
    make_reminder(episode)
    before = sorted(Counter.objects.values_list())

    read()

    assert sorted(Counter.objects.values_list()) == before
    assert Client().post("/metrics").status_code == 405


def test_nothing_about_anyone_is_told(episode, smtp_server):
    make_reminder(episode)
    pacing.pause("private.example", Answer(Outcome.SLOW_DOWN, "421"), reason="asked_to_slow_down")
    pipeline.dispatch(now=NOW)

    body = Client().get("/metrics").content.decode()

    for canary in ("secret", "private", "Canary", str(episode.id), str(episode.patient.id)):
        assert canary not in body


def test_with_a_token_nothing_else_opens_it(settings):
    settings.METRICS_TOKEN = "let-me-in"

    assert Client().get("/metrics").status_code == 404
    assert Client().get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
    assert "reminders_due" in read(authorization="Bearer let-me-in")


def test_without_a_token_only_this_machine_and_no_site_with_tls_shows_it(settings):
    assert Client(REMOTE_ADDR="203.0.113.7").get("/metrics").status_code == 404
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 200

    settings.USES_HTTPS = True
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


def test_a_log_line_names_the_mail_and_its_reminders_and_nobody(episode, smtp_server, caplog):
    caplog.set_level(logging.INFO)
    row = make_reminder(episode)

    pipeline.dispatch(now=NOW)

    # The mail server of the test runs in this process too, and logs whom a mail is for.
    ours = [record for record in caplog.records if record.name.startswith(("reminders", "portal"))]
    lines = [json.loads(JsonLines().format(record)) for record in ours]
    [line] = [line for line in lines if line.get("outcome") == "sent"]
    assert line["reminders"] == [str(row.id)]
    assert line["message_row"] == str(Message.objects.get().id)
    assert "secret" not in json.dumps(lines)
    assert Reminder.objects.get().state == "sent"
