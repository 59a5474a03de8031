"""Rows to measure with: one clinic, a pathway of seven categories, patients, and reminders due now.

Import after `ground.settle`. Reminders are stored as the planner would have stored them, ready to go.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db import connection

from patients.models import AnchorDate, Episode, Patient
from portal.models import Clinic, User
from procedures.models import Category, PathwayVersion
from reminders.models import Decision, Message, Reminder
from reminders.querysets import ReminderQuerySet
from tests.factories import make_clinic, make_version

# A Monday, 10 o'clock in London: inside the sending window.
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SURGERY_ON = date(2026, 4, 27)
BODY = """Dear {reader_name}, your surgery is on **{surgery_date}**.

A strong body heals better. Choose one of these and start today:

- Eat fruit or vegetables at each meal, with fish, chicken, eggs or beans.
- Keep active in a way that does not hurt. Ask your GP before you try a new sport.
- Drink less alcohol, and drink water through the day.

If it is hard, you do not have to do it alone: call us on {clinic_phone}. We’ll find someone to help.
"""


def make_ground() -> tuple[Clinic, PathwayVersion]:
    """A clinic and an approved version with one step for each category."""
    clinic = make_clinic()
    words = {
        "subject": "Your next step is ready",
        "title": "Pick one healthy habit and start it",
        "todo": "Pick one healthy habit and start it today.",
        "body": BODY,
    }
    steps = {
        f"{category}-step".replace("_", "-"): {"category": category, "texts": {"en-gb": words}}
        for category in Category.values
    }
    return clinic, make_version(clinic, steps)


def make_episodes(clinic: Clinic, version: PathwayVersion, many: int, *, first: int = 0) -> None:
    """So many patients with an own login, each with an episode and its day of surgery."""
    numbers = range(first, first + many)
    users = [
        User(email=f"reader{n}@example.com", name=f"Reader{n} O'Neill", password="!")
        for n in numbers
    ]
    User.objects.bulk_create(users, batch_size=1_000)
    people = [
        Patient(
            clinic=clinic,
            record_number=f"R{n:07}",
            given_name=f"Reader{n}",
            family_name="O'Neill",
            birth_date=date(1990, 5, 17),
            user=user,
        )
        for n, user in zip(numbers, users, strict=True)
    ]
    Patient.objects.bulk_create(people, batch_size=1_000)
    procedure = version.pathway.procedure
    episodes = [
        Episode(patient=patient, procedure=procedure, version=version, side="left")
        for patient in people
    ]
    Episode.objects.bulk_create(episodes, batch_size=1_000)
    AnchorDate.objects.bulk_create(
        [AnchorDate(episode=episode, anchor="surgery", on=SURGERY_ON) for episode in episodes],
        batch_size=1_000,
    )


def make_due(version: PathwayVersion, many: int) -> None:
    """So many reminders that are due now, one for each of as many patients."""
    steps = list(version.steps.all())
    episodes = Episode.objects.select_related("patient").order_by("created_at")[:many]
    rows = [
        Reminder(
            episode=episode,
            step=steps[n % len(steps)],
            step_key=steps[n % len(steps)].key,
            occurrence=0,
            recipient_id=episode.patient.user_id,
            category=steps[n % len(steps)].category,
            local_date=NOW.date(),
            local_time=time(9),
            time_zone="Europe/London",
            due_at=NOW - timedelta(seconds=many - n),
            valid_until=NOW + timedelta(days=2),
        )
        for n, episode in enumerate(episodes)
    ]
    Reminder.objects.bulk_create(rows, batch_size=1_000)


def measured() -> ReminderQuerySet:
    """The reminders of `make_due`, whatever else is stored."""
    return Reminder.objects.filter(episode__patient__record_number__startswith="R")


def make_all_due_again() -> None:
    """Forget what was sent: the reminders that went are due as before."""
    ids = list(measured().values_list("id", flat=True))
    rows = Reminder.objects.filter(id__in=ids)
    messages = list(rows.exclude(message=None).values_list("message", flat=True))
    Decision.objects.filter(reminder__in=ids).delete()
    rows.update(
        state="planned", reason="", attempts=0, lease_until=None, claimed_by="", settled_at=None,
        message=None,
    )  # fmt: skip
    Message.objects.filter(id__in=messages).delete()
    with connection.cursor() as cursor:
        # As autovacuum would have done between two batches of a real day.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def count_states() -> dict[str, int]:
    """How many of the measured reminders are in which state."""
    states = list(measured().values_list("state", flat=True))
    return {state: states.count(state) for state in sorted(set(states))}
