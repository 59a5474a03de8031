"""Merging two records of one person, with their plans and mails: nothing is sent twice, and what was sent follows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from patients.actions import merging as records
from patients.actions import sync_tasks
from patients.models import Episode, Merge, Patient, Task
from portal.models import User
from reminders.models import Message, Reminder
from reminders.reconciler import reconcile

_OPEN = (Reminder.State.PLANNED, Reminder.State.SKIPPED, Reminder.State.CANCELLED)


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What merging would do. `digest` changes when either record does."""

    episodes: int
    visits: int
    carers: int
    check_ins: int
    messages: int
    tasks: int
    booked_twice: list[tuple[Episode, Episode]]
    logins: list[User]
    digest: str


def preview(*, kept: Patient, ended: Patient) -> MergePreview:
    """What would go over. Writes nothing. Raises ValidationError where the two cannot be made one."""
    records.refuse_impossible(kept, ended)
    doubles = records.booked_twice(kept, ended)
    counts = {
        "episodes": ended.episodes.count() - len(doubles),
        "visits": sum(row.appointments.count() for row in ended.episodes.all()),
        "carers": ended.related_people.filter(ended_at=None).count(),
        "check_ins": sum(row.check_ins.count() for row in ended.episodes.all()),
        "messages": _messages(ended).count(),
        "tasks": Task.objects.open().filter(patient=ended).count(),
    }
    logins = [user for user in (kept.user, ended.user) if user is not None]
    seen = [
        counts, [str(row.pk) for pair in doubles for row in pair], [str(user.pk) for user in logins],
        [[row.record_number, row.name, str(row.birth_date)] for row in (kept, ended)],
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
    return MergePreview(**counts, booked_twice=doubles, logins=logins, digest=digest)


def _messages(patient: Patient) -> QuerySet[Message]:
    about = Reminder.objects.filter(episode__patient=patient).values("message")
    return Message.objects.filter(pk__in=about)


@transaction.atomic
def merge(
    *, kept: Patient, ended: Patient, login: User | None, by: User, now: datetime, reason: str
) -> Merge:
    """Make two records one, and plan what lies ahead anew. Raises ValidationError as `preview` does."""
    records.refuse_impossible(kept, ended)
    moved: dict[str, list[str]] = {}
    login = login or kept.user or ended.user
    for user in (kept.user, ended.user):
        if user is not None and login is not None and user.pk != login.pk:
            _redirect(user, login, (kept, ended), moved)
    for keep, double in records.booked_twice(kept, ended):
        _carry_sent(double, keep, moved)
    done = records.merge_records(
        kept=kept, ended=ended, login=login, by=by, now=now, reason=reason, moved=moved
    )
    for episode in Episode.objects.for_planning().filter(Q(patient=kept) | Q(patient=ended)):
        reconcile(episode, now=now)
    # What waits for somebody is about one person now, and once.
    sync_tasks(now=now, patient=kept)
    return done


def _redirect(
    user: User, login: User, patients: tuple[Patient, ...], moved: dict[str, list[str]]
) -> None:
    """What was planned for or sent to a login that ends belongs to the one that stays. Where it went stays written."""
    messages = Message.objects.filter(recipient=user, reminders__episode__patient__in=patients)
    keys = list(messages.values_list("pk", flat=True).distinct())
    Message.objects.filter(pk__in=keys).update(recipient=login)
    rows = Reminder.objects.filter(recipient=user, episode__patient__in=patients)
    changed = [str(key) for key in rows.values_list("pk", flat=True)]
    rows.update(recipient=login)
    moved["reminders.message.recipient"] = [str(key) for key in keys]
    moved["reminders.reminder.recipient"] = changed


def _carry_sent(double: Episode, keep: Episode, moved: dict[str, list[str]]) -> None:
    """What was sent for an operation that was booked twice counts for the booking that stays.

    It takes the place of the row that was still planned there, so that the planner finds it sent.
    """
    of_visits = double.reminders.filter(appointment__isnull=False)
    moved.setdefault("reminders.reminder.episode", []).extend(
        str(key) for key in of_visits.values_list("pk", flat=True)
    )
    # Visits go over to the booking that stays, and theirs with them.
    of_visits.update(episode=keep)
    done = double.reminders.exclude(state__in=_OPEN)
    for row in done.select_for_update().order_by("correction"):
        same = keep.reminders.filter(
            kind=row.kind, step_key=row.step_key, occurrence=row.occurrence, correction=row.correction,
            recipient=row.recipient_id, appointment=None,
        )  # fmt: skip
        if same.exclude(state__in=_OPEN).exists():
            continue
        same.delete()
        Reminder.objects.filter(pk=row.pk).update(episode=keep)
        moved["reminders.reminder.episode"].append(str(row.pk))
