"""A kind of reminder that the portal has never heard of: a step and its words, and nothing else."""

import re
from pathlib import Path

import pytest
from django.db import models

from procedures.models import Category
from reminders import actions, emails, pipeline, unsubscribe
from reminders.models import Reminder
from reminders.reconciler import reconcile
from tests.factories import NOW, make_clinic, make_episode, make_patient, make_version

SLEEP = "sleep"
STEPS = {
    "early-night": {
        "category": SLEEP, "anchor": "decision", "offset_value": 0, "late_policy": "send_now",
        "repeat_every_days": 7, "repeat_count": 2,
        "texts": {"en-gb": {
            "subject": "Sleep well", "title": "Go to bed early", "todo": "Go to bed at ten.",
            "body": "Sleep helps you heal, {reader_name}.",
        }},
    }
}  # fmt: skip
FOLDER = Path(emails.__file__).parent


@pytest.fixture
def sleep(monkeypatch):
    """The one line that a new category is: its name, and its label."""
    known = [(each.name, (each.value, each.label)) for each in Category]
    wider = models.TextChoices("Category", [*known, ("SLEEP", (SLEEP, "Sleep"))])
    for module in (emails, unsubscribe):
        monkeypatch.setattr(module, "Category", wider)


@pytest.mark.django_db
def test_a_new_kind_is_planned_sent_labelled_and_stopped(sleep, stopped_clock, smtp_server):
    episode = make_episode(make_patient(make_clinic()), make_version(make_clinic("Two"), STEPS))
    episode.anchor_dates.update_or_create(anchor="decision", defaults={"on": NOW.date()})
    reconcile(episode, now=NOW)
    first, second = Reminder.objects.order_by("due_at")

    pipeline.dispatch(now=first.due_at)

    (mail,) = smtp_server.delivered
    assert (mail.subject, "Go to bed at ten." in mail.text) == ("Sleep well", True)
    assert b"Sleep" in mail.raw
    link = re.search(r"<https?://[^/]+/.*/([^/>]+)/>", mail.message["List-Unsubscribe"])
    choice = unsubscribe.read(link[1])
    assert choice == (episode.patient.user_id, SLEEP)

    actions.choose(user=first.recipient, category=SLEEP, is_on=False, by=first.recipient, now=NOW)
    pipeline.dispatch(now=second.due_at)

    second.refresh_from_db()
    assert (second.state, second.reason) == ("skipped", "switched_off")
    assert len(smtp_server.delivered) == 1


@pytest.mark.parametrize(
    "module",
    [
        "planner", "diff", "reconciler", "inputs", "planning", "pipeline", "loading", "letters",
        "gates", "boarding", "outcomes", "pacing", "journal", "compiled",
    ],
)  # fmt: skip
def test_planner_and_pipeline_name_no_category(module):
    source = (FOLDER / f"{module}.py").read_text()

    # “appointment” is also the name of a date that steps count from.
    assert [name for name in {*Category.values} - {"appointment"} if f'"{name}"' in source] == []
    assert "Category." not in source
